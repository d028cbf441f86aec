import type { PromptToken } from '../../clip/tokens.ts';
import type { Range } from '../../prompt/ast.ts';

/** Where a token was typed, or all that was cut off. */
export interface TokenRange extends Range {
  /** Index of the token in the row; null for what was cut off. */
  readonly token: number | null;
  readonly weight: number;
}

/** In order, without overlaps: where two tokens were typed as the same characters, the first has them. */
export function tokenRanges(tokens: readonly PromptToken[], cut: readonly PromptToken[]): TokenRange[] {
  const ranges: TokenRange[] = [];
  let at = 0;
  const add = ({ range, weight }: PromptToken, token: number | null) => {
    if (!range || range.end <= at) return;
    ranges.push({ start: Math.max(at, range.start), end: range.end, token, weight });
    at = range.end;
  };
  tokens.forEach((token, i) => {
    add(token, i);
  });
  const [first, last] = [cut[0]?.range, cut.at(-1)?.range];
  if (first && last && last.end > at)
    ranges.push({ start: Math.max(at, first.start), end: last.end, token: null, weight: 1 });
  return ranges;
}

/** Index of the first of some ascending numbers that is greater. */
export function firstAfter(ascending: readonly number[], at: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Index of the token at a caret position, or of the one that ends there; null where there is none. */
export function tokenAtCaret(tokens: readonly PromptToken[], caret: number): number | null {
  const inside = tokens.findIndex(({ range }) => range && range.start <= caret && caret < range.end);
  const index = inside >= 0 ? inside : tokens.findIndex(({ range }) => range?.end === caret);
  return index < 0 ? null : index;
}
