/** Differences of rows of two conditionings, pair by pair. */
import { cosineOf, rowSums } from '../../weighting/study/rowSums.ts';

/** Rows of a conditioning, [rows, d]. */
export interface Rows {
  readonly data: Float32Array;
  readonly d: number;
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

/** Compares rows of `a` with rows of `b`, in float64. Both have one width. */
export function rowDifferences(a: Rows, b: Rows, pairs: readonly RowPair[]): RowDifferences {
  let [change, length] = [0, 0];
  const rows = pairs.map(([rowA, rowB]): RowDifference => {
    const sums = rowSums(a.data, rowA, b.data, rowB, a.d);
    change += sums.change;
    length += sums.a;
    return {
      distance: Math.sqrt(sums.change),
      relative: ratio(sums.change, sums.a),
      cosine: cosineOf(sums),
    };
  });
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
