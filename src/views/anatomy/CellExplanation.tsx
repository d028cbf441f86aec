import { useEffect, useId, useMemo, useState } from 'react';
import { type CellSum, cellSum, largestTerms, type Term } from '../../clip/cellSums.ts';
import { attentionMask } from '../../clip/masks.ts';
import type { CellRule } from '../../clip/stages.ts';
import type { WeightRow } from '../../engine/inspect.ts';
import type { Inspection } from '../../state/facts.ts';
import { messageOf } from '../../state/notices.ts';
import { exact } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './anatomy.module.css';
import { rowOfTensor } from './equations.ts';
import { filledCell } from './filledCell.ts';
import { MathFormula } from './MathFormula.tsx';
import type { MatrixProps, MatrixView } from './tensorPicture.ts';

interface Place {
  readonly row: number;
  readonly column: number;
}

interface CellExplanationProps extends Omit<MatrixProps, 'kinds'> {
  readonly view: MatrixView;
  readonly place: Place;
  onChoose(place: Place): void;
}

const number = (value: number) => {
  if (value === Number.NEGATIVE_INFINITY) return '−∞';
  return Number.isInteger(value) ? String(value) : exact(value);
};

/** The weights of one column of the matrix, read back when they are needed; null where the rule reads none. */
function useWeightRow(rule: CellRule, column: number, inspection: Inspection): WeightRow | null | undefined | Error {
  const weightRow = useFacts((s) => s.weightRow);
  const part = 'part' in rule ? rule.part : null;
  const key = `${part} ${column}`;
  const [read, setRead] = useState<{
    readonly key: string;
    readonly inspection: Inspection;
    readonly weight: WeightRow | Error;
  }>();
  useEffect(() => {
    if (part === null) return;
    let isWanted = true;
    weightRow(inspection, part, column).then(
      (weight) => isWanted && setRead({ key, inspection, weight }),
      (error: unknown) => isWanted && setRead({ key, inspection, weight: new Error(messageOf(error)) }),
    );
    return () => {
      isWanted = false;
    };
  }, [part, column, key, inspection, weightRow]);
  if (part === null) return null;
  return read?.key === key && read.inspection === inspection ? read.weight : undefined;
}

/** The sum that made a cell, term by term, beside the value that the encoder computed. */
export function CellExplanation(props: CellExplanationProps) {
  const { inspection, matrices, operation, isInput, labels, view, head, place, onChoose } = props;
  const { row, column } = place;
  const ids = { row: useId(), column: useId() };
  const weight = useWeightRow(operation.rule, column, inspection);
  const sum = useMemo(() => {
    if (weight === undefined || weight instanceof Error || isInput) return undefined;
    const { config, pass } = inspection;
    return cellSum(
      operation.rule,
      operation.tensor,
      { head, row, column },
      { config, inputIds: pass.inputIds, mask: attentionMask(pass), tensor: matrices, weight },
    );
  }, [weight, inspection, operation, matrices, head, row, column, isInput]);
  const value = view.values[view.offset + row * view.columns + column];
  const isSquare = operation.shape.length === 3;
  return (
    <section className={styles.cell} data-part="sum" aria-label="The sum behind the cell">
      <div className="row">
        <h4>The cell</h4>
        <div className="field inline">
          <label htmlFor={ids.row}>{isSquare ? 'Query' : 'Token'}</label>
          <select id={ids.row} value={row} onChange={(event) => onChoose({ row: Number(event.target.value), column })}>
            {labels.map((label, i) => (
              <option key={i} value={i}>{`${i} ${label}`}</option>
            ))}
          </select>
        </div>
        <div className="field inline">
          <label htmlFor={ids.column}>{isSquare ? 'Key' : 'Column'}</label>
          <input
            id={ids.column}
            type="number"
            min={0}
            max={view.columns - 1}
            value={column}
            onChange={(event) => {
              const wanted = Math.round(event.target.valueAsNumber);
              if (wanted >= 0 && wanted < view.columns) onChoose({ row, column: wanted });
            }}
          />
        </div>
      </div>
      {isInput ? (
        <p>
          <b className="mono">{number(value)}</b> is what the stage before has written: its sum is shown there.
        </p>
      ) : weight instanceof Error ? (
        <p className="warning">{weight.message}</p>
      ) : sum ? (
        <>
          <MathFormula formula={operation.cell} block />
          <MathFormula formula={filledCell(operation, { head, row, column }, sum, inspection.config)} block />
          <Sum sum={sum} rule={operation.rule} labels={labels} row={row} />
          <Comparison sum={sum} value={value} isComputedHere={isSquare && operation.tensor !== 'probabilities'} />
        </>
      ) : (
        <p className="muted">Reading the weights of this column back</p>
      )}
    </section>
  );
}

interface SumProps {
  readonly sum: CellSum;
  readonly rule: CellRule;
  readonly labels: readonly string[];
  readonly row: number;
}

const lookups = {
  token: 'The token’s id is the row of the table; the cell is the number that stands there.',
  position: 'The place is the row of the table; the cell is the number that stands there.',
} as const;

function Sum({ sum: { first, terms, over, after }, rule, labels }: SumProps) {
  const { largest, others, rest } = largestTerms(terms);
  const all = terms.reduce((total, { value }) => total + value, 0);
  const most = Math.max(...largest.map(({ value }) => Math.abs(value)));
  const name = (term: Term) =>
    over === 'keys'
      ? `${term.index} ${labels[term.index]}`
      : rule.kind === 'add'
        ? addends[term.index]
        : `${term.index}`;
  return (
    <>
      {rule.kind === 'lookup' && <p className="help">{lookups[rule.table]}</p>}
      {first.length > 0 && (
        <dl className={styles.quantities}>
          {first.map(({ name, value }, i) => (
            <div key={i}>
              <dt>
                <MathFormula formula={name} />
              </dt>
              <dd>{number(value)}</dd>
            </div>
          ))}
        </dl>
      )}
      {terms.length > 0 && (
        <table className={styles.terms}>
          <caption className="visually-hidden">The largest terms of the sum</caption>
          <thead>
            <tr>
              <th scope="col">{rule.kind === 'add' ? 'Summand' : over === 'keys' ? 'Key' : 'k'}</th>
              <th scope="col">{rule.kind === 'softmax' ? 'Score' : rule.kind === 'add' ? 'Matrix' : 'Product'}</th>
              <th scope="col">Value</th>
            </tr>
          </thead>
          <tbody>
            {largest.map((term) => (
              <tr key={term.index}>
                <th scope="row">{name(term)}</th>
                <td>
                  {rule.kind === 'add' ? rowOfTensor(rule.of[term.index]).title : term.factors.map(exact).join(' × ')}
                </td>
                <td>
                  <span
                    className={styles.term}
                    data-negative={term.value < 0 || undefined}
                    style={{ '--share': most > 0 ? Math.abs(term.value) / most : 0 } as React.CSSProperties}
                  >
                    {exact(term.value)}
                  </span>
                </td>
              </tr>
            ))}
            {others > 0 && (
              <tr>
                <th scope="row" colSpan={2}>{`${others} others`}</th>
                <td>{exact(rest)}</td>
              </tr>
            )}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" colSpan={2}>
                Sum
              </th>
              <td>{exact(all)}</td>
            </tr>
            {after.map(({ name, value }, i) => (
              <tr key={i}>
                <th scope="row" colSpan={2}>
                  {words[rule.kind] ?? ''} <MathFormula formula={name} />
                </th>
                <td>{exact(value)}</td>
              </tr>
            ))}
          </tfoot>
        </table>
      )}
    </>
  );
}

/** Words for the number under a sum. */
const words: Readonly<Partial<Record<CellRule['kind'], string>>> = {
  linear: 'plus the bias',
  scores: 'times',
  softmax: 'is the divisor of',
};
const addends = ['first', 'second'] as const;

interface ComparisonProps {
  readonly sum: CellSum;
  readonly value: number;
  /** True for scores, which no kernel keeps. */
  readonly isComputedHere: boolean;
}

/** The cell in float64 beside the one that was read back. */
function Comparison({ sum: { total }, value, isComputedHere }: ComparisonProps) {
  return (
    <dl className={styles.total}>
      <div>
        <dt>= in float64</dt>
        <dd data-testid="cell-total">{number(total)}</dd>
      </div>
      {isComputedHere ? (
        <div>
          <dt>in the encoder</dt>
          <dd>not kept: computed here from Q and K</dd>
        </div>
      ) : (
        <>
          <div>
            <dt>in the encoder, in float32</dt>
            <dd data-testid="cell-value">{number(value)}</dd>
          </div>
          <div>
            <dt>difference</dt>
            <dd>{total === value ? '0' : (value - total).toExponential(1)}</dd>
          </div>
        </>
      )}
    </dl>
  );
}
