/** CLIP's ids → what a text tower reads that has rows for some of them only. */

import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { createRandom } from '../world/seededRandom.ts';
import { normal, tableDeviation } from './initialParameters.ts';
import { type Captions, firstEos } from './textTower.ts';

/** Rows of the token table by id, and embeddings for all other ids. */
export interface TokenRows {
  readonly rowOf: ReadonlyMap<number, number>;
  /** The embedding [d] of an id without a row: always the same, with the spread of a row before training. */
  vectorOf(id: number): Float32Array;
}

/** `ids` has the ids of the table's rows, in order. */
export function createTokenRows(ids: ArrayLike<number>, d: number): TokenRows {
  return {
    rowOf: new Map(Array.from(ids, (id, row) => [id, row])),
    vectorOf(id) {
      const random = createRandom(id);
      return Float32Array.from({ length: d }, () => tableDeviation * normal(random));
    },
  };
}

/**
 * Reads captions, cut after the last EOS of the longest: rows after it change nothing, as the mask is causal. inputIds [B, length].
 * Throws RangeError for a caption without EOS.
 */
export function readCaptions(inputIds: ArrayLike<number>, length: number, { rowOf, vectorOf }: TokenRows): Captions {
  const B = inputIds.length / length;
  const ends = firstEos(inputIds, length, eosTokenId).map((place) => place % length);
  const L = Math.max(...ends) + 1;
  const tokens = new Int32Array(B * L);
  const vectors = new Map<number, Float32Array>();
  for (let b = 0; b < B; b++)
    for (let i = 0; i < L; i++) {
      const id = inputIds[b * length + i];
      const row = rowOf.get(id);
      if (row === undefined) vectors.set(b * L + i, vectorOf(id));
      else tokens[b * L + i] = row;
    }
  return { B, L, tokens, vectors, picks: ends.map((end, b) => b * L + end) };
}
