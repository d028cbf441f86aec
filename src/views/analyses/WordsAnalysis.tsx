import { useMemo, useState } from 'react';
import type { WordEffect } from '../../analyses/wordEffects.ts';
import type { AskedTake } from '../../state/picture/pictureStudies.ts';
import { type AnalysisSubject, wordsAnalysis } from '../../state/promptAnalyses.ts';
import { saidFirstText, withoutRange } from '../../state/saidFirst.ts';
import { rough, small } from '../page/numbers.ts';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { probabilityScale } from '../pictures/valueScales.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import { AnalysisPictures } from './AnalysisPictures.tsx';
import styles from './analyses.module.css';
import { wordsFinding } from './analysisFindings.ts';
import { wordsTables } from './analysisTables.ts';
import { GridPicture } from './GridPicture.tsx';
import { useAnalysis } from './useAnalysis.ts';

/** Shows what changes where a word is left out or said first. */
export function WordsAnalysis({ subject }: { subject: AnalysisSubject | undefined }) {
  const analysis = useAnalysis(subject, wordsAnalysis);
  return (
    <AnalysisFrame
      title="What each word does"
      question="Each word is left out, one at a time: all tokens keep their places, and nothing attends to it any more. And each is said first instead."
      analysis={analysis}
      finding={({ of, result }) => wordsFinding(of, result)}
      tables={({ of, result }) => wordsTables(of, result)}
      limits="“Left out” masks the word’s tokens as keys, so that no other word is cut or joined anew, and its own row stays. Rows before a word cannot change, because each token sees only those before it: they are hatched. Said first, a token is compared with itself at its new place, whose position counts too. Signs without a letter are not tried."
    >
      {({ of, result, isStale }) => <WordsFound of={of} effects={result} isStale={isStale} />}
    </AnalysisFrame>
  );
}

interface WordsFoundProps {
  readonly of: AnalysisSubject;
  readonly effects: readonly WordEffect[];
  readonly isStale: boolean;
}

function WordsFound({ of, effects, isStale }: WordsFoundProps) {
  const [way, setWay] = useState<'hidden' | 'first'>('hidden');
  const { items, labels, eos, pass } = of;
  const picture = useMemo(() => {
    const shown = Array.from({ length: eos + 2 }, (_, row) => row).filter((row) => row < labels.length);
    const values = effects.map((effect, i) =>
      shown.map((row) => (way === 'hidden' && pass.causal && row < items[i].rows[0] ? null : effect[way][row])),
    );
    const most = Math.max(0, ...values.flat().map((value) => value ?? 0));
    return { columns: shown.map((row) => labels[row]), values, scale: probabilityScale('sqrt', most) };
  }, [effects, way, items, labels, eos, pass]);
  if (items.length === 0) return null;
  return (
    <>
      <Segmented<'hidden' | 'first'>
        legend="Each word"
        name="word-effect"
        choices={[
          { value: 'hidden', label: 'left out' },
          { value: 'first', label: 'said first' },
        ]}
        value={way}
        onChange={setWay}
      />
      <GridPicture
        name={
          way === 'hidden'
            ? 'Change of each row where a word is left out'
            : 'Change of each token where a word is said first'
        }
        axes={{ rows: 'word', columns: 'row' }}
        rowLabels={items.map(({ text }) => text)}
        columnLabels={picture.columns}
        values={picture.values}
        scale={picture.scale}
        unit="‖ΔC‖"
        cannot="cannot change"
        format={small}
      />
      <div className={styles.scrolling}>
        <table className={styles.numbers}>
          <caption className="visually-hidden">Change of all other rows together</caption>
          <thead>
            <tr>
              <th scope="col">Word</th>
              <th scope="col">Left out, ‖ΔC‖</th>
              <th scope="col">Said first, ‖ΔC‖</th>
              <th scope="col">Try it</th>
            </tr>
          </thead>
          <tbody>
            {items.map(({ text }, i) => (
              <tr key={i}>
                <th scope="row">{text}</th>
                <td>{rough(effects[i].hiddenTotal)}</td>
                <td>{i === 0 ? 'is first' : rough(effects[i].firstTotal)}</td>
                <td>{i > 0 && <SayFirst subject={of} item={i} isStale={isStale} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <WordsPictures subject={of} isStale={isStale} />
    </>
  );
}

const noTakes: readonly AskedTake[] = [];
/** Words that are drawn without, at most. */
const mostDrawn = 12;

/** The prompt, and the prompt without each of its words: the last of which the words' places are known. */
function WordsPictures({ subject: { items }, isStale }: { subject: AnalysisSubject; isStale: boolean }) {
  const side = useFacts((s) => s.side);
  const prompts = useFacts((s) => s.prompts);
  const takes = useMemo(
    () => [
      { label: 'as typed' },
      ...items.slice(0, mostDrawn).map(({ text, range }) => ({
        label: `without “${text}”`,
        prompts: { ...prompts, [side]: withoutRange(prompts[side], range) },
      })),
    ],
    [items, prompts, side],
  );
  const known = useLast(isStale ? undefined : takes);
  return (
    <AnalysisPictures study="asked" takes={known ?? noTakes}>
      Each word is cut from the prompt here, so that the words after it move up.
      {items.length > mostDrawn && ` The first ${mostDrawn} words are drawn.`}
    </AnalysisPictures>
  );
}

/** Writes the prompt with a word at its beginning. */
function SayFirst({ subject, item, isStale }: { subject: AnalysisSubject; item: number; isStale: boolean }) {
  const { text, range } = subject.items[item];
  const side = useFacts((s) => s.side);
  const prompts = useFacts((s) => s.prompts);
  const written = useFacts((s) => (isStale ? null : saidFirstText(s, range)));
  const replace = useFacts((s) => s.replace);
  return (
    <button
      type="button"
      className="small"
      disabled={written === null}
      title={
        written ??
        (isStale ? 'The words have moved since this was computed.' : 'The prompt would be read otherwise than meant.')
      }
      onClick={() =>
        written !== null && replace({ prompts: { ...prompts, [side]: written } }, `“${text}” is said first.`)
      }
    >
      Say <span className="visually-hidden">“{text}” </span>first
    </button>
  );
}
