import { useDeferredValue, useId, useMemo, useRef, useState } from 'react';
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { type MeanRatios, type MethodSweep, meanBand } from '../../road/study/sweep.ts';
import {
  type AllSwept,
  benchRefusal,
  type ChosenFragment,
  chosenFragment,
  type ReadySweep,
  type SweepPlan,
  shownSweep,
  shownText,
  sweepAt,
  sweepable,
  sweepWork,
  sweptWeights,
  typedSwept,
} from '../../state/methodBench.ts';
import { shownChunk } from '../../state/reading.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { brief } from '../page/numbers.ts';
import { PassProgress } from '../page/PassProgress.tsx';
import sliderStyles from '../page/slider.module.css';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { useSliced } from '../page/useSliced.ts';
import { pointsAtTokens, useMarks } from '../pictures/pointed.ts';
import { CurveChart } from './CurveChart.tsx';
import { domainOf } from './curves.ts';
import { lineOf } from './lines.ts';
import styles from './methods.module.css';

interface WeightSweepProps {
  /** Plan for the text on show; undefined if the text is empty. */
  readonly plan: SweepPlan | undefined;
  /** The passes that the plan takes; undefined while they are being listed. */
  readonly passes: readonly EncoderPass[] | undefined;
  onChoose(chosen: ChosenFragment): void;
}

/** One weight of the prompt on show from −1 to 3, by every method. */
export function WeightSweep({ plan, passes, onChoose }: WeightSweepProps) {
  const now = useFacts((s) => shownSweep(s, plan, passes));
  const ready = useLast(useDeferredValue(now));
  const work = ready ? sweepWork(ready) : null;
  const { value: all } = useSliced(work, work?.isLong ?? false);
  const text = useFacts(shownText);
  const refusal = useFacts(benchRefusal);
  const sliderId = useId();
  const side = useFacts((s) => s.side);
  const [moved, setMoved] = useState<{ readonly of: string; readonly weight: number } | null>(null);
  if (refusal) return <p className="warning">{refusal}</p>;
  if (!plan || !text) return <p className="muted">Type a prompt to sweep a weight of it.</p>;
  const { text: swept, weight: own } = text.fragments[plan.fragment];
  // The slider belongs to these words, wherever they stand.
  const of = JSON.stringify(chosenFragment(text, plan.fragment, side));
  const weight = moved?.of === of ? moved.weight : sweepable(own);
  const setWeight = (weight: number) => setMoved({ of, weight });
  return (
    <>
      <Spans plan={plan} onChoose={onChoose} />
      <div className={`${sliderStyles.slider} ${styles.sweepSlider}`}>
        <label htmlFor={sliderId}>Weight</label>
        <input
          id={sliderId}
          type="range"
          min={sweptWeights[0]}
          max={sweptWeights[sweptWeights.length - 1]}
          step={0.05}
          value={weight}
          onChange={(event) => setWeight(event.target.valueAsNumber)}
        />
        <span className={sliderStyles.sliderValue} aria-hidden="true">
          {signed(weight)}
        </span>
        <div className={styles.sweepActions}>
          <button type="button" className="small" disabled={weight === own} onClick={() => setMoved(null)}>
            Back to {signed(own)}
          </button>
          <Write plan={plan} weight={weight} swept={swept.trim()} onWritten={() => setMoved(null)} />
        </div>
      </div>
      {!passes && <p className="muted">Listing what has to be encoded…</p>}
      {passes && !now && <PassProgress passes={passes} />}
      {all && <Sweeps all={all} stale={all.ready !== now} weight={weight} own={own} onWeight={setWeight} />}
    </>
  );
}

interface WriteProps {
  readonly plan: SweepPlan;
  readonly weight: number;
  /** The swept text. */
  readonly swept: string;
  onWritten(): void;
}

/** Types the weight under the slider where that of the swept text stands. */
function Write({ plan, weight, swept, onWritten }: WriteProps) {
  const typed = useFacts((s) => typedSwept(s, plan, weight));
  const isThere = useFacts((s) => s.prompts[s.side] === typed);
  const side = useFacts((s) => s.side);
  const prompts = useFacts((s) => s.prompts);
  const replace = useFacts((s) => s.replace);
  return (
    <>
      <button
        type="button"
        className="small"
        disabled={typed === null || isThere}
        onClick={() => {
          if (typed === null) return;
          replace({ prompts: { ...prompts, [side]: typed } }, `“${swept}” now weighs ${signed(weight)}.`);
          onWritten();
        }}
      >
        Write {signed(weight)} into the prompt
      </button>
      {typed === null && (
        <span className="muted small">
          This text has no number of its own to change, or the prompt would be read otherwise than meant.
        </span>
      )}
    </>
  );
}

/** The text's fragments in the chunk on show, to choose the one that is swept. */
function Spans({ plan, onChoose }: Pick<WeightSweepProps, 'onChoose'> & { readonly plan: SweepPlan }) {
  const side = useFacts((s) => s.side);
  const chunk = useFacts(shownChunk);
  const text = useFacts(shownText);
  const tokenizer = useFacts(tokenizerOf);
  const frame = useRef<HTMLFieldSetElement>(null);
  const group = useId();
  useMarks(frame);
  if (!chunk || !text || !tokenizer) return null;
  const { tokens } = chunk.chunk;
  const labels = tokenLabels(tokens, tokenizer);
  const fragments = [...new Set(tokens.flatMap(({ fragment }) => fragment ?? []))];
  const own = text.fragments[plan.fragment];
  return (
    <>
      <fieldset className={styles.spans} ref={frame} {...pointsAtTokens}>
        <legend>Words in the same brackets share a weight: choose which to sweep</legend>
        {fragments.map((fragment) => (
          <label key={fragment}>
            <input
              type="radio"
              name={group}
              checked={fragment === plan.fragment}
              aria-label={`${text.fragments[fragment].text.trim()}, weight ${brief(text.fragments[fragment].weight)}`}
              onChange={() => onChoose(chosenFragment(text, fragment, side))}
            />
            {tokens.map((token, i) =>
              token.fragment === fragment ? (
                <span key={i} data-token={i}>
                  {labels[i]}
                </span>
              ) : null,
            )}
          </label>
        ))}
      </fieldset>
      {own.weight === 1 && (
        <p className="help">
          To sweep some of these words alone, put them in brackets in the prompt: what weighs the same is swept
          together.
        </p>
      )}
    </>
  );
}

interface SweepsProps {
  readonly all: AllSwept;
  readonly stale: boolean;
  readonly weight: number;
  readonly own: number;
  onWeight(weight: number): void;
}

function Sweeps({ all: { ready, swept }, stale, weight, own, onWeight }: SweepsProps) {
  const shown = useFacts(shownChunk);
  const [hidden, setHidden] = useState<ReadonlySet<MethodName>>(new Set());
  const index = shown?.index ?? 0;
  const charts = useMemo(() => chartsOf(swept.methods, swept.unweightedNorm, hidden, index), [swept, hidden, index]);
  const toggle = (name: MethodName) => {
    const changed = new Set(hidden);
    if (!changed.delete(name)) changed.add(name);
    setHidden(changed);
  };
  return (
    <div className={styles.sweeps} aria-busy={stale} data-stale={stale || undefined}>
      <div className={styles.charts}>
        {charts.map(({ title, ...chart }) => (
          <CurveChart
            key={title}
            title={title}
            summary={`${title} by weight from −1 to 3, a curve for each method. The table below has the values at the weight chosen.`}
            weights={swept.weights}
            {...chart}
            weight={weight}
            own={own}
            onWeight={onWeight}
          />
        ))}
      </div>
      <p className="help">
        The norm is the length of the swept words’ rows, on average; the cosine is 1 where they keep the direction that
        they have without weights; the mean ratio is what A1111 multiplies all rows by, to bring their mean back. The
        solid line is the slider, the dotted one the weight in the prompt; drag in a picture to move the slider. Numbers
        at the curves are those of the table.
      </p>
      <MeanNotes swept={swept.methods} index={index} />
      <Values ready={ready} weight={weight} index={index} hidden={hidden} onToggle={toggle} />
    </div>
  );
}

/** The ratios of the chunk on show, else of the first that the text has a part in. */
function meansOf({ means }: MethodSweep, index: number): MeanRatios | undefined {
  return means.find(({ chunk }) => chunk === null || chunk === index) ?? means[0];
}

function chartsOf(
  swept: readonly MethodSweep[],
  unweightedNorm: number,
  hidden: ReadonlySet<MethodName>,
  index: number,
) {
  const visible = swept.filter(({ name }) => !hidden.has(name));
  const restoring = visible.flatMap((method) => {
    const means = meansOf(method, index);
    return means ? [{ method, means }] : [];
  });
  const breaks = restoring.flatMap(({ means }) => means.meanRoot ?? []);
  // Methods that share a mean have one band.
  const bands = [...new Map(restoring.map(({ means }) => [means.meanRoot, means])).values()].flatMap(
    (means) => meanBand(means, sweptWeights) ?? [],
  );
  const wild = (values: (method: MethodSweep) => Float64Array) => restoring.map(({ method }) => values(method));
  const tame = (values: (method: MethodSweep) => Float64Array) =>
    visible.filter((method) => method.means.length === 0).map(values);
  const normsOf = ({ norms }: MethodSweep) => norms;
  const cosinesOf = ({ cosines }: MethodSweep) => cosines;
  return [
    {
      title: 'Norm',
      curves: visible.map((method) => ({ name: method.name, values: method.norms })),
      domain: domainOf(tame(normsOf), wild(normsOf), [0, 3 * unweightedNorm]),
      breaks,
      bands,
    },
    {
      title: 'Cosine to unweighted',
      curves: visible.map((method) => ({ name: method.name, values: method.cosines })),
      domain: domainOf([...tame(cosinesOf), ...wild(cosinesOf)], [], [0.9, 1]),
      breaks,
      bands,
    },
    {
      title: 'Mean ratio',
      curves: restoring.map(({ method, means }) => ({ name: method.name, values: means.ratios })),
      domain: domainOf(
        [],
        restoring.map(({ means }) => means.ratios),
        [0.9, 1.1, ...(breaks.some((root) => sweepable(root) === root) ? [-4, 6] : [])],
      ),
      breaks,
      bands,
    },
  ] as const;
}

/** Says where the mean of w·z comes near 0, and what the methods that divide by it do there. */
function MeanNotes({ swept, index }: { swept: readonly MethodSweep[]; index: number }) {
  const found = swept.flatMap((method) => {
    const means = meansOf(method, index);
    return means ? [{ name: methods[method.name].label, means }] : [];
  });
  const roots = [...new Set(found.map(({ means }) => means.meanRoot))];
  return roots.map((root) => {
    const same = found.filter(({ means }) => means.meanRoot === root);
    const [{ means }] = same;
    const band = meanBand(means, sweptWeights);
    const over = means.chunk === null ? 'all chunks' : 'the chunk';
    const who = <b>{same.map(({ name }) => name).join(' and ')}</b>;
    const divides = `${same.length > 1 ? 'divide' : 'divides'} by the mean of w·z over ${over}`;
    if (root === null || !band)
      return (
        <p key={root} className="help">
          {who} {divides}, on which this weight has no effect.
        </p>
      );
    if (sweepable(band.from) >= sweepable(band.to))
      return (
        <p key={root} className="help">
          {who} {divides}, which is far from 0 at all weights here (it would be 0 at a weight of {signed(root)}), so
          that no row grows without bounds.
        </p>
      );
    return (
      <p key={root} className="warning">
        {who} {divides}, which is 0 at a weight of {signed(root)}. In the marked band, from {signed(band.from)} to{' '}
        {signed(band.to)}, every row of {over} grows more than tenfold, unweighted tokens and PAD too; at {signed(root)}{' '}
        it has no bounds, and there all rows change their sign.
      </p>
    );
  });
}

interface ValuesProps {
  readonly ready: ReadySweep;
  readonly weight: number;
  readonly index: number;
  readonly hidden: ReadonlySet<MethodName>;
  onToggle(name: MethodName): void;
}

/** The legend of the curves, with their values at the slider. */
function Values({ ready, weight, index, hidden, onToggle }: ValuesProps) {
  const { methods: swept } = sweepAt(ready, weight);
  return (
    <div className={styles.scrolling}>
      <table
        className={`${styles.methodTable} ${styles.numbers}`}
        aria-label={`Every method at a weight of ${signed(weight)}`}
      >
        <thead>
          <tr>
            <th scope="col">Method</th>
            <th scope="col">Norm</th>
            <th scope="col">Cosine</th>
            <th scope="col">Mean ratio</th>
          </tr>
        </thead>
        <tbody>
          {swept.map((method) => {
            const { name, norms, cosines } = method;
            const { number, colour, dash } = lineOf(name);
            const ratio = meansOf(method, index)?.ratios[0];
            return (
              <tr key={name}>
                <th scope="row">
                  <label className={styles.lineName}>
                    <input
                      type="checkbox"
                      aria-label={`Show ${methods[name].label}`}
                      checked={!hidden.has(name)}
                      onChange={() => onToggle(name)}
                    />
                    <b style={{ color: colour }}>{number}</b>
                    <svg width="30" height="8" aria-hidden="true">
                      <line
                        className={styles.curve}
                        x2="30"
                        y1="4"
                        y2="4"
                        style={{ stroke: colour }}
                        strokeDasharray={dash}
                      />
                    </svg>
                    {methods[name].label}
                  </label>
                </th>
                <td>{finite(norms[0], (value) => value.toPrecision(4))}</td>
                <td>{finite(cosines[0], (value) => value.toFixed(4))}</td>
                <td>{ratio === undefined ? '' : finite(ratio, (value) => value.toPrecision(4))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function finite(value: number, format: (value: number) => string): string {
  return Number.isFinite(value) ? format(value) : '–';
}

function signed(value: number): string {
  return brief(value).replace('-', '−');
}
