/** Differences of rows of two conditionings, pair by pair. */
import type { Slices } from '../../prompt/slices.ts';
import { cosineOf, rowSums } from '../../weighting/study/rowSums.ts';

/** Rows of a conditioning, [rows, d]. */
export interface Rows {
  readonly d: number;
  /** Gives one of them, [d]. */
  row(at: number): Float32Array;
}

/** The rows of a matrix [rows, d]. */
export function matrixRows(data: Float32Array, d: number): Rows {
  return { d, row: (at) => data.subarray(at * d, (at + 1) * d) };
}

/** Places of two rows that are compared. */
export type RowPair = readonly [a: number, b: number];

export interface RowDifference {
  /** ‖b − a‖₂ */
  readonly distance: number;
  /** ‖b − a‖ / ‖a‖; 0 where both rows are 0, infinite where a alone is. */
  readonly relative: number;
  /** NaN where one of both rows is 0. */
  readonly cosine: number;
}

export interface RowDifferences {
  /** [pairs] */
  readonly rows: readonly RowDifference[];
  /** Over all pairs: ‖b − a‖_F / ‖a‖_F, and the mean of the cosines; NaN without pairs. */
  readonly relative: number;
  readonly cosine: number;
}

/** Pairs of rows that are compared in one slice. */
const pairsAtOnce = 64;

/** Compares rows of `a` with rows of `b`, in float64 and in slices. Both have one width. */
export function* comparingPairs(a: Rows, b: Rows, pairs: readonly RowPair[]): Slices<RowDifferences> {
  let [change, length] = [0, 0];
  const rows: RowDifference[] = [];
  for (const [i, [rowA, rowB]] of pairs.entries()) {
    if (i % pairsAtOnce === pairsAtOnce - 1) yield;
    const sums = rowSums(a.row(rowA), 0, b.row(rowB), 0, a.d);
    change += sums.change;
    length += sums.a;
    rows.push({
      distance: Math.sqrt(sums.change),
      relative: ratio(sums.change, sums.a),
      cosine: cosineOf(sums),
    });
  }
  const cosines = rows.map(({ cosine }) => cosine).filter((cosine) => !Number.isNaN(cosine));
  return {
    rows,
    relative: pairs.length > 0 ? ratio(change, length) : Number.NaN,
    cosine: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length,
  };
}

/** Gives the ratio of two norms from their squares. */
function ratio(change: number, length: number): number {
  return change === 0 ? 0 : Math.sqrt(change / length);
}
