import { type ReactNode, useMemo } from 'react';
import { shiftOf } from '../../road/study/weightSentences.ts';
import { benchRefusal, shownBench } from '../../state/methodBench.ts';
import { methods } from '../../weighting/methods.ts';
import type { Comparison } from '../../weighting/study/compareMethods.ts';
import methodsStyles from '../methods/methods.module.css';
import { useCompared } from '../methods/useCompared.ts';
import { percent } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { range } from '../pictures/pixels.ts';
import styles from './weights.module.css';

/** Shows how far each method moves the text on show as a whole. */
export function MethodTotals({ progress }: { progress: ReactNode }) {
  const isEncoded = useFacts((s) => shownBench(s) !== undefined);
  const refusal = useFacts(benchRefusal);
  const { compared, isStale } = useCompared();
  if (refusal) return <p className="warning">{refusal}</p>;
  return (
    <>
      {!isEncoded && progress}
      {compared && <Totals comparison={compared.comparison} stale={isStale} />}
    </>
  );
}

function Totals({ comparison, stale }: { comparison: Comparison; stale: boolean }) {
  const own = useFacts((s) => s.options.weighting);
  const totals = useMemo(
    () =>
      comparison.methods.map((changes) => {
        const { name, nonFiniteRows } = changes;
        const wild = new Set(nonFiniteRows);
        const finite = range(comparison.rows).filter((row) => !wild.has(row));
        return { name, wild: wild.size, ...shiftOf(changes, finite) };
      }),
    [comparison],
  );
  const most = Math.max(0, ...totals.map(({ moved }) => moved).filter(Number.isFinite));
  return (
    <div className={methodsStyles.scrolling} aria-busy={stale} data-stale={stale || undefined}>
      <table className={methodsStyles.methodTable} aria-label="All methods: how far they move all rows together">
        <thead>
          <tr>
            <th scope="col">Method</th>
            <th scope="col">
              <i className={`${styles.barKey} ${styles.moved}`} /> All rows moved, as a share of their length
            </th>
            <th scope="col" className={methodsStyles.number}>
              Longer or shorter
            </th>
          </tr>
        </thead>
        <tbody>
          {totals.map(({ name, moved, lengthRatio, wild }) => (
            <tr key={name}>
              <th scope="row">
                {methods[name].label}
                {name === own && <span className="muted"> (in use)</span>}
              </th>
              <td>
                <div className={styles.bars}>
                  <i
                    className={`${styles.barLine} ${styles.moved}`}
                    style={{ width: `${most > 0 ? (100 * moved) / most : 0}%` }}
                  />
                </div>
                <span className={styles.barText}>
                  {percent(moved)}
                  {wild > 0 && `, ${wild} rows not finite`}
                </span>
              </td>
              <td className={methodsStyles.number}>{signedPercent(lengthRatio - 1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function signedPercent(share: number): string {
  return `${share > 0 ? '+' : share < 0 ? '−' : ''}${percent(Math.abs(share))}`;
}
