import { type KeyboardEvent, useRef, useState } from 'react';
import type { RowEffects } from '../../../clip/maskEffects.ts';
import type { MaskMode } from '../../../clip/masks.ts';
import type { PromptToken } from '../../../tokens/promptTokens.ts';
import { PadRows } from '../../page/PadRows.tsx';
import { moveFocus } from '../../page/roving.ts';
import legendStyles from '../../pictures/legend.module.css';
import { range } from '../../pictures/pixels.ts';
import { pointsAtTokens, useFocusedToken, useMarks } from '../../pictures/pointed.ts';
import rowNormsStyles from '../../pictures/rowNorms.module.css';
import styles from './maskLab.module.css';
import { largestChange, percent } from './maskTexts.ts';

/** A column of the table: a mask, and its effect on each row. */
export interface LabColumn {
  readonly id: MaskMode | 'masked';
  readonly name: string;
  /** Name of the output that the rows are compared with. */
  readonly against: string;
  /** Effects; undefined if the mask is not encoded yet, or no key is chosen. */
  readonly effects: RowEffects | undefined;
}

interface RowChangesProps {
  readonly columns: readonly LabColumn[];
  readonly tokens: readonly PromptToken[];
  readonly labels: readonly string[];
  /** Largest value of the bars' scale. */
  readonly most: number;
  /** Keys that are masked by hand. */
  readonly masked: readonly number[];
  onToggle(key: number): void;
}

/**
 * A table of each row's change under each mask. Its rows are tokens, each with a button that masks the token as a key.
 */
export function RowChanges({ columns, tokens, labels, most, masked, onToggle }: RowChangesProps) {
  const [expanded, setExpanded] = useState(false);
  const body = useRef<HTMLTableSectionElement>(null);
  const focusedToken = useFocusedToken();
  useMarks(body);
  const firstPad = tokens.findIndex(({ kind }) => kind === 'pad');
  const pads = firstPad < 0 ? 0 : tokens.length - firstPad;
  const isRun = pads > 1 && !expanded;
  const single = range(isRun ? firstPad : tokens.length);
  const L = tokens.length;

  return (
    <>
      <div className={`${legendStyles.legend} ${styles.changesLegend}`}>
        <span>Change</span>
        <span className={styles.scale} aria-hidden="true">
          <i />
        </span>
        <span>{most > 0 ? `0 to ${percent(most)} in every column` : 'none so far'}</span>
        <span>
          <b className={styles.unchanged}>
            <span>unchanged</span>
          </b>{' '}
          means that not one bit of the row’s numbers differs
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: so that it can be scrolled by keyboard. */}
      <section className={styles.scrolling} aria-label="Rows and masks" tabIndex={0}>
        <table className={styles.table}>
          <caption className="visually-hidden">Change of each row under each mask</caption>
          <thead>
            <tr>
              <th scope="col">Token: press to mask</th>
              {columns.map(({ id, name, against }) => (
                <th key={id} scope="col" data-column={id}>
                  {name} <span className="muted">{against}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody
            ref={body}
            {...pointsAtTokens}
            {...focusedToken}
            onKeyDown={(event: KeyboardEvent<HTMLElement>) => moveFocus(event, 'th button')}
          >
            {single.map((i) => (
              <tr key={i} data-token={i}>
                <th scope="row">
                  <button
                    type="button"
                    tabIndex={i === 0 ? 0 : -1}
                    aria-pressed={masked.includes(i)}
                    title={masked.includes(i) ? 'Let it be seen as a key again' : 'Mask it as a key'}
                    onClick={() => onToggle(i)}
                  >
                    <span className="muted">{i}</span> {labels[i]}
                  </button>
                </th>
                {columns.map((column) => (
                  <Change key={column.id} column={column} first={i} end={i + 1} most={most} />
                ))}
              </tr>
            ))}
            {isRun && (
              <tr data-token={firstPad} data-token-end={L}>
                <th scope="row">
                  <span className={styles.run}>
                    <span className="muted">
                      {firstPad}–{L - 1}
                    </span>{' '}
                    PAD
                  </span>
                </th>
                {columns.map((column) => (
                  <Change key={column.id} column={column} first={firstPad} end={L} most={most} />
                ))}
              </tr>
            )}
          </tbody>
        </table>
      </section>
      {pads > 1 && <PadRows count={pads} isExpanded={expanded} less="PAD in one row" onToggle={setExpanded} />}
    </>
  );
}

interface ChangeProps {
  readonly column: LabColumn;
  /** The cell stands for the rows from `first` to `end` − 1. */
  readonly first: number;
  readonly end: number;
  readonly most: number;
}

/** One row's change, or the largest of several rows. */
function Change({ column: { id, effects }, first, end, most }: ChangeProps) {
  if (!effects)
    return (
      <td data-column={id} className="muted">
        –
      </td>
    );
  const change = largestChange(effects, first, end);
  if (change === 0)
    return (
      <td data-column={id} className={styles.unchanged}>
        <span>unchanged</span>
      </td>
    );
  const share = Number.isFinite(change) && most > 0 ? change / most : 0;
  return (
    <td data-column={id}>
      <span className={`${rowNormsStyles.barCell} ${styles.change}`} title={`${change}`}>
        <i style={{ width: `${share * 100}%` }} />
        <span>
          {end - first > 1 && '≤ '}
          {percent(change)}
        </span>
      </span>
    </td>
  );
}
