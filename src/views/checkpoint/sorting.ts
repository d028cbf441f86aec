export interface Order<K> {
  readonly by: K;
  readonly descending: boolean;
}

/** Returns a sorted copy. Rows without a number (NaN) come last in either direction. */
export function sorted<T>(rows: readonly T[], value: (row: T) => number | string, descending: boolean): T[] {
  const sign = descending ? -1 : 1;
  const values = new Map(rows.map((row) => [row, value(row)]));
  const isNone = (x: number | string | undefined) => Number.isNaN(x);
  return rows.toSorted((a, b) => {
    const [x, y] = [values.get(a)!, values.get(b)!];
    if (isNone(x) || isNone(y)) return Number(isNone(x)) - Number(isNone(y));
    if (x === y) return 0;
    if (typeof x === 'string' || typeof y === 'string')
      return sign * String(x).localeCompare(String(y), 'en', { numeric: true });
    return sign * (x < y ? -1 : 1);
  });
}

/** Returns the order after a click on a column's head. Numbers start with the largest. */
export function reordered<K>(order: Order<K> | null, by: K, isText: boolean): Order<K> {
  return order?.by === by ? { by, descending: !order.descending } : { by, descending: !isText };
}
