/** Longest JSON that is read from a file's metadata, in characters. */
const longestMetadata = 1 << 20;
/** Most objects and lists in it. Each takes a hundred bytes, so that a text of nothing but brackets unfolds to fifty times its length. */
const mostBrackets = 200_000;

/**
 * Reads an object of JSON; null where the text is anything else, damaged, longer than `longest` characters, or made of more
 * objects and lists than any file of a model has.
 */
export function jsonObject(text: string | undefined, longest = longestMetadata): Record<string, unknown> | null {
  if (text === undefined || text.length > longest) return null;
  let brackets = 0;
  for (let i = 0; i < text.length; i++) if (text[i] === '[' || text[i] === '{') brackets++;
  if (brackets > mostBrackets) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
