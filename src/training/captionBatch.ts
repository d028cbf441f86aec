/** CLIP's ids → what a text tower reads that has rows for some of them only. */

import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { createRandom } from '../world/seededRandom.ts';
import { normal, tableDeviation } from './initialParameters.ts';
import { type Captions, firstEos } from './textTower.ts';
import { rowCount } from './tower.ts';

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
 * Reads captions, each cut after its first EOS: rows after it change nothing, as the mask is causal. inputIds [B, length]. Throws
 * RangeError for a caption without EOS.
 */
export function readCaptions(inputIds: ArrayLike<number>, length: number, { rowOf, vectorOf }: TokenRows): Captions {
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
