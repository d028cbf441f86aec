import type { Range } from '../../../prompt/ast.ts';
import type { PreparedText } from '../../../road/preparedPrompt.ts';
import type { PromptToken } from '../../../tokens/promptTokens.ts';

/** Position of a token among those that are encoded. */
export interface TokenPlace {
  /** Index of the chunk among the prompt's chunks; `token` is an index into the chunk's row. */
  readonly chunk: number;
  readonly token: number;
}

/** Range of the prompt that one token was typed as, or all text that was cut off. */
export interface TokenRange extends Range {
  /** Null for text that was cut off. */
  readonly place: TokenPlace | null;
  /** The weight that the method applies. */
  readonly weight: number;
  /** Whether the token is the first of a chunk that continues the text of the chunk before. */
  readonly startsChunk: boolean;
}

/** Returns ranges in order, without overlaps. If two tokens were typed as the same characters, the first has them. */
export function tokenRanges(texts: readonly Pick<PreparedText, 'applied' | 'chunks' | 'cut'>[]): TokenRange[] {
  const ranges: TokenRange[] = [];
  let at = 0;
  let chunk = 0;
  const add = (range: Range | null | undefined, place: TokenPlace | null, weight: number, startsChunk: boolean) => {
    if (!range || range.end <= at) return;
    ranges.push({ start: Math.max(at, range.start), end: range.end, place, weight, startsChunk });
    at = range.end;
  };
  for (const { applied, chunks, cut } of texts) {
    for (const [index, { tokens }] of chunks.entries()) {
      const before = ranges.length;
      tokens.forEach(({ range }, token) => {
        add(range, { chunk, token }, applied[index][token], index > 0 && ranges.length === before);
      });
      chunk++;
    }
    const [first, last] = [cut[0]?.range, cut.at(-1)?.range];
    if (first && last) add({ start: first.start, end: last.end }, null, 1, false);
  }
  return ranges;
}

/** Returns the index of the first number in an ascending list that is greater than `at`. */
export function firstAfter(ascending: readonly number[], at: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns the chunk that a caret position is in or after; null before the first token. */
export function chunkAtCaret(texts: readonly Pick<PreparedText, 'chunks'>[], caret: number): number | null {
  const chunks = texts.flatMap(({ chunks }) => chunks);
  const at = chunks.findLastIndex(({ tokens }) => tokens.some(({ range }) => range && range.start <= caret));
  return at < 0 ? null : at;
}

/** Returns the token at a caret position, or one that ends there; null if there is none. */
export function tokenAtCaret(
  texts: readonly { readonly chunks: readonly { readonly tokens: readonly PromptToken[] }[] }[],
  caret: number,
): TokenPlace | null {
  let ending: TokenPlace | null = null;
  for (const [chunk, { tokens }] of texts.flatMap(({ chunks }) => chunks).entries())
    for (const [token, { range }] of tokens.entries()) {
      if (range && range.start <= caret && caret < range.end) return { chunk, token };
      if (range?.end === caret) ending ??= { chunk, token };
    }
  return ending;
}
