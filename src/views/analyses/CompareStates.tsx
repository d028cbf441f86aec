import { useMemo, useState } from 'react';
import { compareStates, type EncodedState, type StateComparison } from '../../analyses/stateComparison.ts';
import type { PictureInput } from '../../state/picture/pictureStudies.ts';
import { shownState } from '../../state/shownState.ts';
import { percent, small } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { Waiting } from '../page/Waiting.tsx';
import { range } from '../pictures/pixels.ts';
import { probabilityScale } from '../pictures/valueScales.ts';
import { AnalysisPictures } from './AnalysisPictures.tsx';
import styles from './analyses.module.css';
import { comparisonTables } from './analysisTables.ts';
import { GridPicture } from './GridPicture.tsx';
import { SaveNumbers } from './SaveNumbers.tsx';

/** A state as it was kept, and what pictures of it are drawn from. */
export interface KeptState extends PictureInput {
  readonly state: EncodedState;
}

interface CompareStatesProps {
  /** A, which outlives this part: other analyses are looked at in between. */
  readonly kept: KeptState | null;
  onKeep(state: KeptState): void;
}

/** Keeps a state as A and compares what is on show with it, through all layers. */
export function CompareStates({ kept, onKeep }: CompareStatesProps) {
  const shown = useFacts(shownState);
  const prompts = useFacts((s) => s.prompts);
  const options = useFacts((s) => s.options);
  return (
    <section className={styles.analysis} aria-labelledby="analysis-title">
      <h3 id="analysis-title">Compare A and B</h3>
      <p className="help">
        Keep what is on show as A, then change anything: a word, a weight, the mask, the method, clip skip, the model or
        a LoRA. What is on show then is B, and the two are compared token by token through all layers.
      </p>
      <p>
        <button
          type="button"
          className="primary"
          disabled={!shown}
          onClick={() => shown && onKeep({ state: shown, prompts, options })}
        >
          Keep this as A
        </button>{' '}
        {kept && <span className="muted">A: {kept.state.name}</span>}
      </p>
      {!shown && <Waiting />}
      {shown && kept && <Compared a={kept.state} b={shown} />}
      {shown && kept && <ComparePictures kept={kept} />}
      <p className={`help ${styles.limits}`}>
        <b>Limits.</b> Tokens are paired in order where both prompts have them, wherever they stand: a token at another
        place has another position embedding, and differs from the start. The chunk on show is compared, not the whole
        of a long prompt. A is kept until the page is closed.
      </p>
    </section>
  );
}

/** A and B in pictures. */
function ComparePictures({ kept: { prompts, options } }: { kept: KeptState }) {
  // Pictures are drawn side by side, in as many steps each.
  const steps = useFacts((s) => s.options.steps);
  const takes = useMemo(
    () => [{ label: 'A', prompts, options: { ...options, steps } }, { label: 'B' }],
    [prompts, options, steps],
  );
  return (
    <AnalysisPictures study="asked" takes={takes}>
      Both prompts with their method, mask and clip skip. A LoRA does not act here: pictures have an encoder of their
      own.
    </AnalysisPictures>
  );
}

function Compared({ a, b }: { a: EncodedState; b: EncodedState }) {
  const comparison = useMemo(() => {
    try {
      return compareStates(a, b);
    } catch (error) {
      if (error instanceof RangeError) return error.message;
      throw error;
    }
  }, [a, b]);
  if (typeof comparison === 'string') return <p className="warning">{comparison}</p>;
  return <ComparisonFound a={a} b={b} comparison={comparison} />;
}

/** Names the stages of a comparison: the embeddings, the layers, the end, and the weighting. */
const stageNames = (count: number): string[] => [
  'embeddings',
  ...range(count - 3).map((layer) => `layer ${layer + 1}`),
  'final norm',
  'weighted',
];

function ComparisonFound({ a, b, comparison }: { a: EncodedState; b: EncodedState; comparison: StateComparison }) {
  const { pairs, without, stages, bornAt } = comparison;
  const [chosen, setChosen] = useState<number | null>(null);
  const names = stageNames(stages.length);
  const picture = useMemo(() => {
    const firstPad = pairs.findIndex(([row]) => row > 0 && a.labels[row] === 'PAD');
    const shown = range(firstPad < 0 ? pairs.length : Math.min(pairs.length, firstPad + 1));
    const values = stages.map((changes) => shown.map((pair) => changes[pair]));
    const most = Math.max(0, ...values.flat().filter(Number.isFinite));
    return {
      shown,
      values,
      scale: probabilityScale('sqrt', most),
      columns: shown.map((pair) => a.labels[pairs[pair][0]]),
    };
  }, [a, pairs, stages]);
  const changed = bornAt.filter((stage) => stage !== null).length;
  const first = Math.min(...bornAt.map((stage) => stage ?? Number.POSITIVE_INFINITY));
  const pair = chosen !== null && chosen < picture.shown.length ? picture.shown[chosen] : null;
  const finding =
    changed === 0
      ? `All ${pairs.length} common rows are equal, to the bit, at every stage.`
      : `${changed} of ${pairs.length} common rows differ, first in: ${names[first]}.`;
  return (
    <div className={styles.found}>
      <p className={styles.finding}>{finding}</p>
      <p className="muted">
        B: {b.name}
        {without[0] + without[1] > 0 && `. Without a partner: ${without[0]} rows of A, ${without[1]} of B`}
      </p>
      <GridPicture
        name="‖Δ‖ as a share of A’s row; choose a cell to see where its difference is born"
        axes={{ rows: 'after', columns: 'token' }}
        rowLabels={names}
        columnLabels={picture.columns}
        values={picture.values}
        scale={picture.scale}
        unit="of the row"
        format={percent}
        onChoose={(_, column) => setChosen(column)}
      />
      {pair !== null && (
        <Birth
          label={a.labels[pairs[pair][0]]}
          changes={stages.map((of) => of[pair])}
          names={names}
          born={bornAt[pair]}
        />
      )}
      <SaveNumbers title="Compare A and B" tables={() => comparisonTables(a, comparison, names)} />
    </div>
  );
}

interface BirthProps {
  readonly label: string;
  readonly changes: readonly number[];
  readonly names: readonly string[];
  readonly born: number | null;
}

/** Says where the difference of one token begins, and how it grows. */
function Birth({ label, changes, names, born }: BirthProps) {
  return (
    <p className="readout" role="status">
      {born === null ? (
        <>
          <b>{label}</b> is equal at every stage, to the bit.
        </>
      ) : (
        <>
          The difference of <b>{label}</b> is born in: {names[born]} ({small(changes[born])}).{' '}
          {names
            .slice(born + 1)
            .map((name, i) => `${name} ${small(changes[born + 1 + i])}`)
            .join(', ')}
        </>
      )}
    </p>
  );
}
