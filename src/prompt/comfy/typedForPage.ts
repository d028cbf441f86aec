/**
 * Types a text so that ComfyUI's page hands it on as it is: the reverse of `readDynamicPrompt`, up to a space after a
 * backslash at the very end, after which the page needs something. An empty choice parts slashes that would begin a comment.
 */
export function typedForPage(text: string): string {
  const typed: string[] = [];
  /** Backslashes in a row before this place. */
  let backslashes = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text[at];
    const next = text[at + 1];
    if (unit === '/' && (next === '/' || next === '*')) typed.push('/{}');
    // The page drops one backslash before a brace or bar. After an even number of them an opening brace would be read.
    else if (unit === '{') typed.push(backslashes % 2 === 0 ? '\\{' : '\\{\\{}');
    else if (unit === '}' || (unit === '|' && backslashes > 0)) typed.push(`\\${unit}`);
    else typed.push(unit);
    backslashes = unit === '\\' ? backslashes + 1 : 0;
  }
  return `${typed.join('')}${backslashes % 2 === 0 ? '' : ' {}'}`;
}
