import { useMemo } from 'react';
import type { Bench } from '../../state/methodBench.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { explainRow } from '../../weighting/study/explain.ts';
import { brief, exact } from '../page/numbers.ts';
import styles from './methods.module.css';

/** Tokens named of what a part goes without. */
const mostNamed = 8;

interface WhyProps {
  readonly method: MethodName;
  readonly bench: Pick<Bench, 'text' | 'zOf'>;
  /** Among those of all chunks. */
  readonly row: number;
  /** Labels of the chunk on show. */
  readonly labels: readonly string[];
  /** Id of the title, which takes the focus; no other element of the page has it. */
  readonly titleId?: string;
  /** Missing where it cannot be closed. */
  onClose?(): void;
}

/** A method's formula for one row, with the numbers of the prompt in it. */
export function Why({ method, bench: { text, zOf }, row, labels, titleId = 'why-title', onClose }: WhyProps) {
  const { formula, filled, source, terms, parts } = useMemo(
    () => explainRow(method, text.weighted, row, zOf),
    [method, text, row, zOf],
  );
  const L = labels.length;
  const from = Math.floor(row / L) * L;
  const { label, help } = methods[method];
  const named = (rows: readonly number[]) => {
    const here = rows.filter((other) => from <= other && other < from + L).map((other) => labels[other - from]);
    const more = rows.length - Math.min(here.length, mostNamed);
    return [...here.slice(0, mostNamed), ...(more > 0 ? [`${more} more`] : [])].join(' ');
  };
  // Levels have shares alone.
  const hasFactors = parts.some(({ factor, share }) => factor !== share);
  const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return (
    <section className={styles.why} data-part="why" aria-labelledby={titleId}>
      <header>
        <h3 id={titleId} tabIndex={-1}>
          Why: {label}, token {row - from} “{labels[row - from]}”
        </h3>
        {onClose && (
          <button type="button" className="small" onClick={onClose}>
            Close
          </button>
        )}
      </header>
      <p className={styles.formula} data-part="formula">
        {formula}
      </p>
      {filled !== formula && <p className={`${styles.formula} ${styles.filled}`}>{filled}</p>}
      <table className={styles.methodTable}>
        <caption className="visually-hidden">Quantities of the formula</caption>
        <tbody>
          {terms.map(({ symbol, meaning, value }) => (
            <tr key={symbol}>
              <th scope="row">{symbol}</th>
              <td className={styles.number}>{exact(value)}</td>
              <td className="muted">{meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {parts.length > 1 && (
        <table className={styles.methodTable}>
          <caption data-part="parts">What is summed</caption>
          <thead>
            <tr>
              <th scope="col">Part</th>
              {hasFactors && (
                <th scope="col" className={styles.number}>
                  λ
                </th>
              )}
              <th scope="col" className={styles.number}>
                Share
              </th>
              <th scope="col" className={styles.number}>
                ‖row‖
              </th>
              <th scope="col">What it is</th>
            </tr>
          </thead>
          <tbody>
            {parts.map(({ symbol, meaning, factor, share, without, values }) => (
              <tr key={symbol} data-part={without.length > 0 ? 'without' : 'whole'}>
                <th scope="row">{symbol}</th>
                {hasFactors && <td className={styles.number}>{brief(factor)}</td>}
                <td className={styles.number}>{share.toFixed(4)}</td>
                <td className={styles.number}>{norm(values).toPrecision(4)}</td>
                <td className="muted">
                  {meaning}
                  {without.length > 0 && (
                    <>
                      : <span className="mono">{named(without)}</span>
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p className="help">
        {help} <span className="muted">Source: {source}.</span>
      </p>
    </section>
  );
}
