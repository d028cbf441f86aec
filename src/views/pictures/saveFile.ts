/** Hands a file to the browser's downloads. */
export function saveFile(name: string, contents: BlobPart | readonly BlobPart[], type: string): void {
  const parts = Array.isArray(contents) ? contents : [contents];
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The most characters of a title, and of what follows it, in a file's name. */
const longest = 60;

/** Makes a file name of texts: "Layer 1, head 2" and "positive · chunk 1 of 2" → "layer-1-head-2-positive-chunk-1-of-2". */
export function fileName(...texts: readonly string[]): string {
  const words = texts.map((text) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .slice(0, longest)
      .replace(/^-|-$/g, ''),
  );
  return words.filter(Boolean).join('-') || 'picture';
}
