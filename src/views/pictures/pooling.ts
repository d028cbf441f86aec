/** A matrix with neighbouring columns pooled, so that a narrow picture leaves none of them out. */
export interface PooledColumns {
  /** [rows, columns] Of the values that fall together, the one farthest from 0. */
  readonly values: ArrayLike<number>;
  readonly columns: number;
  /** Returns the column of the whole matrix that a cell has its value from. */
  columnOf(row: number, column: number): number;
}

/** Returns how many columns fall together where `columns` have only `pixels` to be drawn in; 1 where that is not known. */
export function poolingFactor(columns: number, pixels: number): number {
  return pixels > 0 ? Math.max(1, Math.ceil(columns / pixels)) : 1;
}

/** Says what a cell of a picture shows: a `thing`, or one of several. */
export function pooledText(factor: number, thing: string): string {
  return factor > 1 ? `the one farthest from 0 of each ${factor} ${thing}s` : thing;
}

/**
 * Pools each `factor` columns of `values` [rows, columns] by taking the value farthest from 0, or one that is not a
 * number. The last cell of a row may stand for fewer.
 */
export function pooledColumns(values: ArrayLike<number>, columns: number, factor: number): PooledColumns {
  if (factor === 1) return { values, columns, columnOf: (_, column) => column };
  const rows = values.length / columns;
  const few = Math.ceil(columns / factor);
  const kept = new Float32Array(rows * few);
  const from = new Uint16Array(rows * few);
  for (let cell = 0; cell < kept.length; cell++) {
    const row = Math.floor(cell / few);
    const first = (cell % few) * factor;
    const end = Math.min(first + factor, columns);
    let most = first;
    for (let column = first; column < end; column++) {
      const value = values[row * columns + column];
      if (Number.isNaN(value) || Math.abs(value) > Math.abs(values[row * columns + most])) most = column;
      if (Number.isNaN(value)) break;
    }
    kept[cell] = values[row * columns + most];
    from[cell] = most;
  }
  return { values: kept, columns: few, columnOf: (row, column) => from[row * few + column] };
}
