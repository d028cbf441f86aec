/** CLIP's ids → what a text tower reads that has rows for some of them only. */

import type { CompactTable } from '../clip/weights.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { type Captions, firstEos } from './textTower.ts';
import { rowCount } from './tower.ts';

/**
 * Reads captions, each cut after its first EOS: rows after it change nothing, as the mask is causal. inputIds [B, length]. Throws
 * RangeError for a caption without EOS.
 */
export function readCaptions(inputIds: ArrayLike<number>, length: number, { rowOf, vectorOf }: CompactTable): Captions {
  const lengths = firstEos(inputIds, length, eosTokenId).map((place) => (place % length) + 1);
  const tokens = new Int32Array(rowCount(lengths));
  const vectors = new Map<number, Float32Array>();
  const picks = new Int32Array(lengths.length);
  let row = 0;
  for (const [b, L] of lengths.entries()) {
    for (let i = 0; i < L; i++, row++) {
      const id = inputIds[b * length + i];
      const known = rowOf.get(id);
      if (known === undefined) vectors.set(row, vectorOf(id));
      else tokens[row] = known;
    }
    picks[b] = row - 1;
  }
  return { lengths, tokens, vectors, picks };
}
