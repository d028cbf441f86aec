/** Finds what one row is most like among others: a picture among captions, or a caption among pictures. */

import { exp } from '../../models/elementary.ts';

export interface Ranked {
  /** Place in the list that was ranked. */
  readonly index: number;
  readonly cosine: number;
  /** Softmax over the list of cosine / τ. */
  readonly probability: number;
}

/** Ranks rows [n, E] by their cosine with a row [E], all of length 1: the likeliest first, ties in the order of the list. `logScale` is −ln τ. */
export function ranking(row: Float64Array, rows: Float64Array, logScale: number): Ranked[] {
  const E = row.length;
  const scale = exp(logScale);
  const cosines = Array.from({ length: rows.length / E }, (_, i) =>
    row.reduce((sum, value, c) => sum + value * rows[i * E + c], 0),
  );
  const largest = cosines.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = cosines.map((cosine) => exp(scale * (cosine - largest)));
  const total = weights.reduce((a, b) => a + b, 0);
  return cosines
    .map((cosine, index) => ({ index, cosine, probability: weights[index] / total }))
    .sort((a, b) => b.cosine - a.cosine || a.index - b.index);
}

/** The first of a ranking, and after them those that are always shown, with the place that each has in the whole. */
export function shownRanks(
  ranked: readonly Ranked[],
  most: number,
  isAlwaysShown: (index: number) => boolean,
): (Ranked & { readonly place: number })[] {
  return ranked
    .map((entry, i) => ({ ...entry, place: i + 1 }))
    .filter(({ place, index }) => place <= most || isAlwaysShown(index));
}
