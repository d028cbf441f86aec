/**
 * Types a text so that ComfyUI's page hands it on as it is: the reverse of `readDynamicPrompt`, up to a space after a
 * backslash at the very end, after which the page needs something. An empty choice parts slashes that would begin a comment.
 */
export function typedForPage(text: string): string {
  const typed = text.replace(/(\\*)([{}|])|\/(?=[/*])/g, (mark, backslashes: string | undefined, brace: string) => {
    if (backslashes === undefined) return `${mark}{}`;
    // The page drops one backslash before a brace or bar. An even number of them leaves an opening brace to be read.
    if (brace === '{') return backslashes.length % 2 === 0 ? `${backslashes}\\{` : `${backslashes}\\{\\{}`;
    return backslashes === '' && brace === '|' ? brace : `${backslashes}\\${brace}`;
  });
  const [ending] = /\\*$/.exec(typed)!;
  return ending.length % 2 === 0 ? typed : `${typed} {}`;
}
