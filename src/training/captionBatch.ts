/** CLIP's ids → what a text tower reads that has rows for some of them only. */

import type { CompactTable } from '../clip/weights.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { type Captions, firstEos } from './textTower.ts';
import { rowCount } from './tower.ts';

/**
 * Reads captions, each cut after its first EOS: rows after it change nothing, as the mask is causal. inputIds [B, length]. Throws
 * RangeError for a caption without EOS.
 */
export function readCaptions(inputIds: ArrayLike<number>, length: number, table: CompactTable): Captions {
  const lengths = firstEos(inputIds, length, eosTokenId).map((place) => (place % length) + 1);
  const picks = new Int32Array(lengths.length);
  let row = -1;
  for (const [b, L] of lengths.entries()) {
    row += L;
    picks[b] = row;
  }
  return { lengths, picks, ...readTokens(inputIds, length, lengths, table) };
}

/** Reads captions with their padding, and picks all rows. inputIds [B, length]. */
export function readPaddedCaptions(inputIds: ArrayLike<number>, length: number, table: CompactTable): Captions {
  const lengths = new Int32Array(inputIds.length / length).fill(length);
  const picks = Int32Array.from({ length: inputIds.length }, (_, row) => row);
  return { lengths, picks, ...readTokens(inputIds, length, lengths, table) };
}

/** The first rows of each caption, as rows of the table or as vectors of their own. */
function readTokens(
  inputIds: ArrayLike<number>,
  length: number,
  lengths: Int32Array,
  { rowOf, vectorOf }: CompactTable,
): Pick<Captions, 'tokens' | 'vectors'> {
  const tokens = new Int32Array(rowCount(lengths));
  const vectors = new Map<number, Float32Array>();
  let row = 0;
  for (const [b, L] of lengths.entries())
    for (let i = 0; i < L; i++, row++) {
      const id = inputIds[b * length + i];
      const known = rowOf.get(id);
      if (known === undefined) vectors.set(row, vectorOf(id));
      else tokens[row] = known;
    }
  return { tokens, vectors };
}
