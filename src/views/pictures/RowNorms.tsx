import { useId, useRef, useState } from 'react';
import { range } from './pixels.ts';
import { pointsAtTokens, useMarks } from './pointed.ts';
import styles from './rowNorms.module.css';

interface RowNormsProps {
  readonly caption: string;
  /** Columns of [L] values. */
  readonly columns: readonly { readonly name: string; readonly values: ArrayLike<number> }[];
  /** [L] */
  readonly labels: readonly string[];
  /** Rows that are shown at first, and the button's texts for showing all rows and only these. */
  readonly few: readonly number[];
  readonly more: string;
  readonly less: string;
  readonly format: (value: number) => string;
}

/** Shows a number for each row as bars on one scale. */
export function RowNorms({ caption, columns, labels, few, more, less, format }: RowNormsProps) {
  const id = useId();
  const [expanded, setExpanded] = useState(false);
  const body = useRef<HTMLTableSectionElement>(null);
  useMarks(body, 'query');
  const most = Math.max(...columns.flatMap(({ values }) => Array.from(values).filter(Number.isFinite)));
  const shown = expanded ? range(labels.length) : few;
  return (
    <div className={styles.norms}>
      <table aria-labelledby={id}>
        <caption id={id}>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Token</th>
            {columns.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body} {...pointsAtTokens}>
          {shown.map((row) => (
            <tr key={row} data-token={row}>
              <th scope="row" title={`${row}`}>
                {labels[row]}
              </th>
              {columns.map(({ name, values }) => (
                <Bar key={name} value={values[row]} most={most} format={format} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {few.length < labels.length && (
        <button type="button" className="small" aria-expanded={expanded} onClick={() => setExpanded(!expanded)}>
          {expanded ? less : more}
        </button>
      )}
    </div>
  );
}

function Bar({ value, most, format }: { value: number; most: number; format: (value: number) => string }) {
  const share = Number.isFinite(value) && most > 0 ? value / most : 0;
  return (
    <td>
      <span className={styles.barCell}>
        <i style={{ width: `${share * 100}%` }} />
        <span>{format(value)}</span>
      </span>
    </td>
  );
}

/** Shows all rows but PAD at first. */
export function withoutPad(kinds: readonly string[]): Pick<RowNormsProps, 'few' | 'more' | 'less'> {
  const few = range(kinds.length).filter((row) => kinds[row] !== 'pad');
  return { few, more: `${kinds.length - few.length} PAD rows`, less: 'Without PAD' };
}
