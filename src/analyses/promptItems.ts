import type { EncoderPass } from '../clip/encoderPass.ts';
import type { Range } from '../prompt/ast.ts';
import type { PromptToken } from '../tokens/promptTokens.ts';
import { wordsOf } from '../tokens/words.ts';

/** A word of a chunk, or a textual inversion, with the rows of its tokens. */
export interface PromptItem {
  /** The word as it was typed. */
  readonly text: string;
  /** Ascending, and without gaps. */
  readonly rows: readonly number[];
  /** The range of the prompt that it was typed in. */
  readonly range: Range;
}

interface PlacedToken extends PromptToken {
  readonly row: number;
}

/** Lists the words of a chunk in their order; signs without a letter or a digit are none. `source` is the prompt as typed. */
export function promptItems(tokens: readonly PromptToken[], source: string): PromptItem[] {
  const placed = tokens.map((token, row): PlacedToken => ({ ...token, row })).filter(({ kind }) => kind === 'text');
  const words: PlacedToken[][] = [];
  for (const word of wordsOf(placed))
    for (const token of word) {
      const last = words.at(-1);
      // The vectors of an embedding follow each other, and stand for one word.
      const continues = token.vector ? token.vector.index > 0 : token !== word[0] && !last?.at(-1)?.vector;
      if (continues && last) last.push(token);
      else words.push([token]);
    }
  return words.flatMap((word) => {
    const ranges = word.flatMap(({ range }) => range ?? []);
    if (ranges.length === 0) return [];
    const range = {
      start: Math.min(...ranges.map(({ start }) => start)),
      end: Math.max(...ranges.map(({ end }) => end)),
    };
    const text = source.slice(range.start, range.end).trim();
    return /[\p{L}\p{N}]/u.test(text) ? [{ text, rows: word.map(({ row }) => row), range }] : [];
  });
}

/** A pass with its tokens in another order. */
export interface ReorderedPass {
  readonly pass: EncoderPass;
  /** [L] The place of each row in it. */
  readonly placeOf: readonly number[];
}

/** Moves some rows to the place behind the first row; the rows before them move up. */
export function saidFirst(pass: EncoderPass, rows: readonly number[]): ReorderedPass {
  const all = Array.from(pass.inputIds.keys());
  const order = [0, ...rows, ...all.filter((row) => row > 0 && !rows.includes(row))];
  const placeOf = all.map((row) => order.indexOf(row));
  const vectors = [...(pass.vectors ?? [])].map(([row, vector]): [number, Float32Array] => [placeOf[row], vector]);
  return {
    pass: {
      ...pass,
      inputIds: Uint32Array.from(order, (row) => pass.inputIds[row]),
      keyMask: Uint8Array.from(order, (row) => pass.keyMask[row]),
      ...(vectors.length > 0 && { vectors: new Map(vectors) }),
    },
    placeOf,
  };
}
