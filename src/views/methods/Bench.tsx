import { memo, type ReactNode, useMemo, useRef, useState } from 'react';
import { benchRefusal, shownBench } from '../../state/methodBench.ts';
import { drawsStudies } from '../../state/picture/drawsStudies.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import type { Comparison, MethodComparison, MethodDisagreement } from '../../weighting/study/compareMethods.ts';
import { Meanings } from '../page/Meanings.tsx';
import { brief } from '../page/numbers.ts';
import { PadRows } from '../page/PadRows.tsx';
import { moveFocus } from '../page/roving.ts';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { DrawnStudy } from '../picture/DrawnStudy.tsx';
import { range } from '../pictures/pixels.ts';
import { pointed, pointsAtTokens, tokenAt, useMarks } from '../pictures/pointed.ts';
import { Difference } from './Difference.tsx';
import { DrawnWords, MethodPicture } from './DrawnMethods.tsx';
import styles from './methods.module.css';
import { Readings } from './Readings.tsx';
import { useCompared } from './useCompared.ts';
import { Why } from './Why.tsx';

/** Every method on the prompt on show. */
export function Bench({ progress }: { progress: ReactNode }) {
  const isEncoded = useFacts((s) => shownBench(s) !== undefined);
  const refusal = useFacts(benchRefusal);
  const { compared, isStale } = useCompared();
  return (
    <>
      <Readings />
      {refusal && <p className="warning">{refusal}</p>}
      {compared?.bench.isPart && (
        <p className="help">
          The methods are compared on this text by itself, before it is composed with the others of the prompt.
        </p>
      )}
      {!isEncoded && !refusal && progress}
      {compared && !refusal && <BenchTables compared={compared} stale={isStale} />}
    </>
  );
}

/** A value of the table: what a method makes of a token. */
interface Asked {
  readonly method: MethodName;
  /** Index of the token in the chunk on show. */
  readonly token: number;
}

type Compared = NonNullable<ReturnType<typeof useCompared>['compared']>;

/** Rendered for what it shows alone: not for what is typed until that has come to it. */
const BenchTables = memo(function BenchTables({ compared, stale }: { compared: Compared; stale: boolean }) {
  const { bench, comparison, order } = compared;
  const { chunk, text } = bench;
  const tokenizer = useFacts(tokenizerOf);
  const own = useFacts((s) => s.options.weighting);
  const [pair, setPair] = useState<readonly [MethodName | null, MethodName | null]>([null, null]);
  const [asked, setAsked] = useState<Asked | null>(null);
  const { tokens } = chunk.chunk;
  const labels = tokenizer ? tokenLabels(tokens, tokenizer) : [];
  const byName = useMemo(() => new Map(comparison.methods.map((method) => [method.name, method])), [comparison]);
  const first = pair[0] ?? own;
  const second = pair[1] ?? order.find(({ name }) => name !== first)!.name;
  const token = asked && Math.min(asked.token, tokens.length - 1);
  const from = chunk.index * tokens.length;
  const askFor = (method: MethodName) => {
    const { distances, nonFiniteRows } = byName.get(method)!;
    const here = Array.from(distances.subarray(from, from + tokens.length));
    const wild = nonFiniteRows.find((row) => from <= row && row < from + tokens.length);
    setAsked({ method, token: wild === undefined ? here.indexOf(Math.max(...here)) : wild - from });
    requestAnimationFrame(() => document.getElementById('why-title')?.focus());
  };
  return (
    <div className={styles.benchTables} aria-busy={stale} data-stale={stale || undefined}>
      <Totals
        byName={byName}
        order={order}
        rows={comparison.rows}
        first={first}
        second={second}
        onPair={setPair}
        onWhy={askFor}
      />
      <div className={styles.benchTokens}>
        <TokenValues
          comparison={comparison}
          order={order}
          byName={byName}
          from={from}
          labels={labels}
          kinds={tokens.map(({ kind }) => kind)}
          weights={text.weighted.chunks[chunk.index].perTokenWeights}
          asked={asked && token !== null ? { ...asked, token } : null}
          onAsk={setAsked}
        />
        {asked && token !== null ? (
          <Why method={asked.method} bench={bench} row={from + token} labels={labels} onClose={() => setAsked(null)} />
        ) : (
          <p className="help">
            Choose a value, or a method’s “Why”, to see its formula with the numbers of this prompt in it.
          </p>
        )}
      </div>
      <Difference
        first={byName.get(first)!}
        second={byName.get(second)!}
        d={comparison.d}
        from={from}
        labels={labels}
        kinds={tokens.map(({ kind }) => kind)}
      />
    </div>
  );
});

interface TotalsProps {
  readonly byName: ReadonlyMap<MethodName, MethodComparison>;
  readonly order: readonly MethodDisagreement[];
  readonly rows: number;
  readonly first: MethodName;
  readonly second: MethodName;
  onPair(pair: readonly [MethodName, MethodName]): void;
  onWhy(method: MethodName): void;
}

interface TotalsTableProps extends TotalsProps {
  readonly isDrawn?: boolean;
}

/** The table of all methods; with a picture in each row where the model in use is the one that the pictures are drawn from. */
function Totals(props: TotalsProps) {
  const isDrawn = useFacts(drawsStudies);
  if (!isDrawn) return <TotalsTable {...props} />;
  return (
    <DrawnStudy name="methods">
      <TotalsTable {...props} isDrawn />
    </DrawnStudy>
  );
}

function TotalsTable({ byName, order, rows, first, second, onPair, onWhy, isDrawn = false }: TotalsTableProps) {
  const own = useFacts((s) => s.options.weighting);
  return (
    <div className={styles.scrolling}>
      <table className={`${styles.methodTable} ${styles.numbers} ${styles.totals}`} aria-labelledby="totals-title">
        <caption id="totals-title">All methods on this prompt, the one that differs most from the others first</caption>
        <thead>
          <tr>
            <th scope="col">Method</th>
            {isDrawn && (
              <th scope="col" className={styles.pictureHead}>
                Picture
              </th>
            )}
            <th scope="col">Distance from the others</th>
            <th scope="col">‖Δ‖</th>
            <th scope="col">Cosine</th>
            <th scope="col">Length ratio</th>
            <th scope="col">Rows changed</th>
            <th scope="col">A</th>
            <th scope="col">B</th>
            <th scope="col">
              <span className="visually-hidden">Formula</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {order.map(({ name, distance, nonFiniteRows }) => {
            const { totals, changedRows } = byName.get(name)!;
            const { label: title } = methods[name];
            return (
              <tr key={name} data-own={name === own || undefined}>
                <th scope="row">
                  {title}
                  {name === own && <span className="muted"> (in use)</span>}
                </th>
                {isDrawn && (
                  <td>
                    <MethodPicture method={name} />
                  </td>
                )}
                <td>{measured(distance)}</td>
                <td>{measured(totals.distance)}</td>
                <td>{fixed(totals.meanCosine)}</td>
                <td>{fixed(totals.normRatio)}</td>
                <td>
                  {changedRows.length} of {rows}
                  {nonFiniteRows > 0 && <span className={styles.warningText}>, {nonFiniteRows} not finite</span>}
                </td>
                <td>
                  <input
                    type="radio"
                    name="difference-a"
                    aria-label={`A: ${title}`}
                    checked={name === first}
                    onChange={() => onPair([name, second])}
                  />
                </td>
                <td>
                  <input
                    type="radio"
                    name="difference-b"
                    aria-label={`B: ${title}`}
                    checked={name === second}
                    onChange={() => onPair([first, name])}
                  />
                </td>
                <td>
                  <button type="button" className="small" aria-label={`Why: ${title}`} onClick={() => onWhy(name)}>
                    Why
                  </button>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className="help">
        Distance from the others: how far its rows are, on average, from what the other methods make of them. Against
        the prompt without weights, over all rows: ‖Δ‖ is how far they moved, the cosine is 1 where they keep their
        direction, and the length ratio is 1 where they keep their length. The picture below shows A − B.
      </p>
      {isDrawn && <DrawnWords />}
      <Meanings summary="What each method does" entries={methodMeanings} />
    </div>
  );
}

/** Says in words what each method does. */
const methodMeanings = Object.values(methods).map(({ label, help }) => [label, help] as const);

const measures = {
  distances: {
    name: '‖Δ‖',
    help: 'Distance of the row from the same row without weights. The bar is the distance.',
    format: measured,
    away: (value: number) => value,
  },
  cosines: {
    name: 'Cosine',
    help: 'Cosine to the same row without weights. The bar is what is missing to 1.',
    format: fixed,
    away: (value: number) => 1 - value,
  },
  normRatios: {
    name: 'Length ratio',
    help: 'Length of the row (its norm) over its length without weights. The bar is how far it is from 1.',
    format: fixed,
    away: (value: number) => Math.abs(value - 1),
  },
} as const;
type Measure = keyof typeof measures;

interface TokenValuesProps {
  readonly comparison: Comparison;
  readonly order: readonly MethodDisagreement[];
  readonly byName: ReadonlyMap<MethodName, MethodComparison>;
  /** The first row of the chunk on show. */
  readonly from: number;
  readonly labels: readonly string[];
  readonly kinds: readonly string[];
  /** [L] */
  readonly weights: Float64Array;
  readonly asked: Asked | null;
  onAsk(asked: Asked): void;
}

function TokenValues({ order, byName, from, labels, kinds, weights, asked, onAsk }: TokenValuesProps) {
  const [measure, setMeasure] = useState<Measure>('distances');
  const [expanded, setExpanded] = useState(false);
  const body = useRef<HTMLTableSectionElement>(null);
  useMarks(body, 'query');
  const { help, format, away } = measures[measure];
  const shown = range(kinds.length).filter((token) => expanded || kinds[token] !== 'pad' || token === asked?.token);
  const pads = kinds.filter((kind) => kind === 'pad').length;
  const all = order.map(({ name }) => byName.get(name)!);
  const valueAt = (method: MethodComparison, token: number) => method[measure][from + token];
  const most = Math.max(
    ...all.flatMap((method) => shown.map((token) => away(valueAt(method, token))).filter(Number.isFinite)),
  );
  const isTarget = (method: MethodName, token: number) =>
    asked ? asked.method === method && asked.token === token : method === order[0].name && token === shown[0];
  return (
    <div className={styles.tokenValues}>
      <Segmented
        legend="Each token’s"
        name="measure"
        choices={(Object.keys(measures) as Measure[]).map((name) => ({ value: name, label: measures[name].name }))}
        value={measure}
        onChange={setMeasure}
      />
      <p className="help">{help}</p>
      <div className={styles.scrolling}>
        <table
          className={`${styles.methodTable} ${styles.numbers} ${styles.values}`}
          aria-label={`${measures[measure].name} of each token by each method`}
        >
          <thead>
            <tr>
              <th scope="col">Token</th>
              <th scope="col">Weight</th>
              {all.map(({ name }) => (
                <th key={name} scope="col">
                  {/* Room to break a long word. */}
                  {methods[name].label.replace('_', '_\u200b')}
                </th>
              ))}
            </tr>
          </thead>
          <tbody ref={body} {...pointsAtTokens} onKeyDown={(event) => moveFocus(event, 'button', 'cells')}>
            {shown.map((token) => (
              <tr key={token} data-token={token}>
                <th scope="row" title={String(token)}>
                  {labels[token]}
                </th>
                <td>{brief(weights[token])}</td>
                {all.map((method) => {
                  const value = valueAt(method, token);
                  const share = most > 0 ? away(value) / most : 0;
                  return (
                    <td key={method.name}>
                      <button
                        type="button"
                        className={styles.cell}
                        tabIndex={isTarget(method.name, token) ? 0 : -1}
                        aria-pressed={asked?.method === method.name && asked.token === token}
                        title={`Why: ${methods[method.name].label}, “${labels[token]}”`}
                        onClick={() => onAsk({ method: method.name, token })}
                        onFocus={() => pointed.rest(tokenAt(token))}
                        onBlur={() => pointed.rest(null)}
                      >
                        <i style={{ width: `${Number.isFinite(share) ? Math.max(0, share) * 100 : 0}%` }} />
                        <span>{format(value)}</span>
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pads > 0 && <PadRows count={pads} isExpanded={expanded} onToggle={setExpanded} />}
    </div>
  );
}

function measured(value: number): string {
  return Number.isFinite(value) ? (value === 0 ? '0' : value.toPrecision(4)) : notFinite;
}

function fixed(value: number): string {
  if (!Number.isFinite(value)) return notFinite;
  return Math.abs(value) < 1000 ? value.toFixed(4) : value.toPrecision(4);
}

const notFinite = '–';
