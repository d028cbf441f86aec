import { useMemo, useState } from 'react';
import { Meanings } from '../page/Meanings.tsx';
import styles from './checkpoint.module.css';
import { type Order, reordered, sorted } from './sorting.ts';

export interface Column<T> {
  readonly title: string;
  readonly help?: string;
  /** Value that rows are sorted by; a string is a name. */
  value(row: T): number | string;
  /** Text of the cell; the value if there is none. */
  text?(row: T): string;
  /** Tooltip of the cell. */
  details?(row: T): string | undefined;
}

interface Props<T> {
  readonly label: string;
  readonly rows: readonly T[];
  /** Columns; the first one names the row. */
  readonly columns: readonly Column<T>[];
  keyOf(row: T): string;
}

const direction = (order: Order<number> | null, by: number) =>
  order?.by === by ? (order.descending ? 'descending' : 'ascending') : undefined;

/** A table that scrolls on its own. A click on a column's head sorts it. */
export function SortedTable<T>({ label, rows, columns, keyOf }: Props<T>) {
  const [order, setOrder] = useState<Order<number> | null>(null);
  const shown = useMemo(
    () => (order ? sorted(rows, columns[order.by].value, order.descending) : rows),
    [rows, columns, order],
  );
  const helps = columns.flatMap(({ title, help }) => (help ? [[title, help] as const] : []));
  const isText = (column: Column<T>) => rows.length > 0 && typeof column.value(rows[0]) === 'string';
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: so that it can be scrolled by keyboard. */}
      <section className="table-scroll" aria-label={label} tabIndex={0}>
        <table className={styles.sorted}>
          <caption className="visually-hidden">{label}</caption>
          <thead>
            <tr>
              {columns.map((column, i) => (
                <th
                  key={column.title}
                  scope="col"
                  className={isText(column) ? undefined : styles.number}
                  aria-sort={direction(order, i)}
                >
                  <button type="button" onClick={() => setOrder(reordered(order, i, isText(column)))}>
                    {column.title}
                    <span aria-hidden="true">
                      {direction(order, i) === 'descending' ? ' ↓' : direction(order, i) ? ' ↑' : ''}
                    </span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column, i) => {
                  const text = column.text?.(row) ?? String(column.value(row));
                  const details = column.details?.(row);
                  return i === 0 ? (
                    <th key={column.title} scope="row" title={details}>
                      {text}
                    </th>
                  ) : (
                    <td key={column.title} className={isText(column) ? undefined : styles.number} title={details}>
                      {text}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {helps.length > 0 && <Meanings summary="What the columns say" entries={helps} />}
    </>
  );
}
