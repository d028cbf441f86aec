import type { PromptToken } from '../clip/tokens.ts';

/** A run of the prompt as typed: part of one token, or of none (brackets, spaces, numbers). */
export interface PromptSegment {
  readonly text: string;
  /** Index of its token in the row, or null. */
  readonly token: number | null;
  readonly weight: number;
  readonly cut: boolean;
}

/** Cuts a prompt at its tokens' ends. Where two tokens were typed as the same characters, the first has them. */
export function promptSegments(
  prompt: string,
  tokens: readonly PromptToken[],
  cut: readonly PromptToken[],
): PromptSegment[] {
  const segments: PromptSegment[] = [];
  let at = 0;
  const upTo = (end: number, token: number | null, weight: number, isCut: boolean) => {
    if (end > at) segments.push({ text: prompt.slice(at, end), token, weight, cut: isCut });
    at = Math.max(at, end);
  };
  const add = ({ range, weight }: PromptToken, token: number | null, isCut: boolean) => {
    if (!range) return;
    upTo(range.start, null, 1, false);
    upTo(range.end, token, weight, isCut);
  };
  tokens.forEach((token, i) => {
    add(token, i, false);
  });
  for (const token of cut) add(token, null, true);
  upTo(prompt.length, null, 1, false);
  return segments;
}

/** Index of the token at a caret position, or of the one that ends there; null where there is none. */
export function tokenAtCaret(tokens: readonly PromptToken[], caret: number): number | null {
  const inside = tokens.findIndex(({ range }) => range && range.start <= caret && caret < range.end);
  const index = inside >= 0 ? inside : tokens.findIndex(({ range }) => range?.end === caret);
  return index < 0 ? null : index;
}
