import { useRef, useState } from 'react';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import type { RowChanges } from '../../weighting/study/compareMethods.ts';
import methodsStyles from '../methods/methods.module.css';
import { brief, percent } from '../page/numbers.ts';
import { PadRows } from '../page/PadRows.tsx';
import { moveFocus } from '../page/roving.ts';
import { range } from '../pictures/pixels.ts';
import { pointed, pointsAtTokens, tokenAt, useMarks } from '../pictures/pointed.ts';
import styles from './weights.module.css';

interface TokenBarsProps {
  /** Changes of the rows of the chunk on show, [L]. */
  readonly changes: RowChanges;
  readonly tokens: readonly PromptToken[];
  /** [L] The weights that the method applies. */
  readonly applied: Float64Array;
  readonly labels: readonly string[];
  /** The row that is explained. */
  readonly asked: number | null;
  onAsk(row: number): void;
}

/** Draws bars for each token: its row's length before and after weighting, and how far it moved. */
export function TokenBars({ changes, tokens, applied, labels, asked, onAsk }: TokenBarsProps) {
  const [isExpanded, setIsExpanded] = useState(false);
  const body = useRef<HTMLTableSectionElement>(null);
  useMarks(body, 'query');
  const { unweightedNorms, norms, distances } = changes;
  const shown = range(tokens.length).filter((row) => isExpanded || tokens[row].kind !== 'pad' || row === asked);
  const pads = tokens.filter(({ kind }) => kind === 'pad').length;
  const moved = (row: number) => (distances[row] === 0 ? 0 : distances[row] / unweightedNorms[row]);
  const finite = (values: number[]) => Math.max(0, ...values.filter(Number.isFinite));
  const longest = finite(shown.flatMap((row) => [unweightedNorms[row], norms[row]]));
  const furthest = finite(shown.map(moved));
  return (
    <div className={styles.tokenBars}>
      <p className="muted small">
        <i className={`${styles.barKey} ${styles.before}`} /> before and <i className={`${styles.barKey} after`} />{' '}
        after weighting; <i className={`${styles.barKey} ${styles.moved}`} /> how far the row moved, as a share of its
        length before.
      </p>
      <table className={methodsStyles.methodTable} aria-label="Each token before and after weighting">
        <thead>
          <tr>
            <th scope="col">Token</th>
            <th scope="col" className={methodsStyles.number}>
              Weight
            </th>
            <th scope="col" data-part="length">
              Length of its row
            </th>
            <th scope="col" data-part="moved">
              Moved by
            </th>
            <th scope="col">
              <span className="visually-hidden">Formula</span>
            </th>
          </tr>
        </thead>
        <tbody ref={body} {...pointsAtTokens} onKeyDown={(event) => moveFocus(event, 'button')}>
          {shown.map((row) => (
            <tr key={row} data-token={row} data-still={moved(row) === 0 || undefined}>
              <th scope="row" className="mono" title={String(row)}>
                {labels[row]}
              </th>
              <td className={methodsStyles.number}>{weightText(tokens[row].weight, applied[row])}</td>
              <td>
                <div className={styles.bars}>
                  <Bar kind="before" share={unweightedNorms[row] / longest} />
                  <Bar kind="after" share={norms[row] / longest} />
                </div>
                <span className={styles.barText}>
                  {rounded(unweightedNorms[row])} → {rounded(norms[row])}
                </span>
              </td>
              <td>
                <div className={styles.bars}>
                  <Bar kind="moved" share={furthest > 0 ? moved(row) / furthest : 0} />
                </div>
                <span className={styles.barText}>
                  {Number.isFinite(moved(row)) ? percent(moved(row)) : 'not finite'}
                </span>
              </td>
              <td>
                <button
                  type="button"
                  className="small"
                  tabIndex={row === (asked ?? shown[0]) ? 0 : -1}
                  aria-pressed={row === asked}
                  aria-label={`Why: ${labels[row]}`}
                  onClick={() => onAsk(row)}
                  onFocus={() => pointed.rest(tokenAt(row))}
                  onBlur={() => pointed.rest(null)}
                >
                  Why
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {pads > 0 && <PadRows count={pads} isExpanded={isExpanded} onToggle={setIsExpanded} />}
    </div>
  );
}

function Bar({ kind, share }: { kind: 'before' | 'after' | 'moved'; share: number }) {
  return (
    <i
      className={`${styles.barLine} ${styles[kind]}`}
      style={{ width: `${Number.isFinite(share) ? 100 * share : 100}%` }}
    />
  );
}

function weightText(typed: number, applied: number): string {
  return typed === applied ? brief(typed) : `${brief(typed)} → ${brief(applied)}`;
}

function rounded(norm: number): string {
  return Number.isFinite(norm) ? norm.toPrecision(3) : '–';
}
