import { useMemo, useState } from 'react';
import { type Leak, leaks, type TakenContext } from '../../analyses/leakage.ts';
import { type AnalysisSubject, leakageAnalysis } from '../../state/promptAnalyses.ts';
import { percent, rough, small } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import { AnalysisPictures } from './AnalysisPictures.tsx';
import styles from './analyses.module.css';
import { leakageFinding } from './analysisFindings.ts';
import { leakageTables } from './analysisTables.ts';
import { UnLeak, UnLeakWord } from './UnLeak.tsx';
import { useAnalysis } from './useAnalysis.ts';

/** Shows what each word's rows have taken from other words. */
export function Leakage({ subject }: { subject: AnalysisSubject | undefined }) {
  const analysis = useAnalysis(subject, leakageAnalysis);
  return (
    <AnalysisFrame
      title="Leakage"
      question="What do a word’s rows have of the other words? Each word is hidden from all others, one at a time, and the rows that move have taken from it; and each word is encoded without any other, at the same place."
      analysis={analysis}
      finding={({ of, result }) => leakageFinding(of, result)}
      tables={({ of, result }) => leakageTables(of, result)}
      limits="Taking is what an encoder is for: “circle” should take from “red” before it. Whether it is a leak depends on what you meant, which the numbers do not know. Under a causal mask a word takes only from those before it, and also by way of a third; the first token is always seen."
    >
      {({ of, result, isStale }) => <LeakageFound of={of} taken={result} isStale={isStale} />}
    </AnalysisFrame>
  );
}

interface LeakageFoundProps {
  readonly of: AnalysisSubject;
  readonly taken: readonly TakenContext[];
  readonly isStale: boolean;
}

function LeakageFound({ of, taken, isStale }: LeakageFoundProps) {
  const [chosen, setChosen] = useState<number | null>(null);
  const { items } = of;
  const all = leaks(taken);
  const word = chosen !== null && chosen < items.length ? chosen : null;
  const shown = all.filter(({ giver, taker }) => word === null || giver === word || taker === word).slice(0, 14);
  if (items.length === 0) return null;
  return (
    <>
      <Arcs names={items.map(({ text }) => text)} shown={shown} most={all[0]?.share ?? 0} word={word} />
      <p className="help">
        An arc leads from the word that gives to the one that takes, the wider the more: above the words to a later one,
        below them to an earlier one, which takes only where the mask lets it look ahead. The {shown.length} largest are
        drawn{word !== null && ` of “${items[word].text}”`}.
      </p>
      <UnLeak />
      <LeakagePictures />
      <div className={styles.scrolling}>
        <table className={styles.numbers}>
          <caption>Each word with and without the others</caption>
          <thead>
            <tr>
              <th scope="col">Word</th>
              <th scope="col">Moves from where it is alone, ‖Δ‖</th>
              <th scope="col">Of its length</th>
              <th scope="col">1 − cos</th>
              <th scope="col">Takes most from</th>
              <th scope="col">In the conditioning</th>
            </tr>
          </thead>
          <tbody>
            {taken.map(({ distance, length, turn }, i) => {
              const most = all.find(({ taker }) => taker === i);
              return (
                <tr key={i}>
                  <th scope="row">
                    <button
                      type="button"
                      className="small"
                      aria-pressed={word === i}
                      title="Draw the arcs of this word alone"
                      onClick={() => setChosen(word === i ? null : i)}
                    >
                      {items[i].text}
                    </button>
                  </th>
                  <td>{distance === 0 ? 'exactly 0' : rough(distance)}</td>
                  <td>{percent(distance / length)}</td>
                  <td>{small(turn)}</td>
                  <td>
                    {most
                      ? `${items[most.giver].text} (${percent(most.share)})`
                      : i === 0 && of.pass.causal
                        ? 'nothing: it is the first'
                        : 'nothing'}
                  </td>
                  <td>
                    <UnLeakWord item={items[i]} isStale={isStale} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** The prompt as it is, and un-leaked. */
function LeakagePictures() {
  const options = useFacts((s) => s.options);
  const takes = useMemo(
    () => [
      { label: 'in the whole prompt', options: { ...options, context: 'prompt' as const } },
      { label: 'each word alone', options: { ...options, context: 'alone' as const } },
    ],
    [options],
  );
  return (
    <AnalysisPictures study="asked" takes={takes}>
      The words’ rows as the prompt makes them, and as each word is alone; EOS and PAD are the same in both.
    </AnalysisPictures>
  );
}

const characterWidth = 7.6;
const gap = 14;

interface ArcsProps {
  readonly names: readonly string[];
  readonly shown: readonly Leak[];
  readonly most: number;
  readonly word: number | null;
}

function Arcs({ names, shown, most, word }: ArcsProps) {
  const widths = names.map((name) => Math.max(2, [...name].length) * characterWidth + gap);
  const starts = widths.map((_, i) => widths.slice(0, i).reduce((sum, width) => sum + width, 0));
  const middle = (i: number) => starts[i] + widths[i] / 2;
  const total = starts[names.length - 1] + widths[names.length - 1];
  const heightOf = ({ giver, taker }: Leak) => 14 + 26 * Math.sqrt(Math.abs(middle(taker) - middle(giver)) / 40);
  const isBack = ({ giver, taker }: Leak) => taker < giver;
  const top = Math.max(30, ...shown.filter((leak) => !isBack(leak)).map(heightOf)) + 8;
  const words = 26;
  const below = Math.max(0, ...shown.filter(isBack).map(heightOf));
  const summary = shown
    .slice(0, 5)
    .map(({ giver, taker, share }) => `“${names[giver]}” gives to “${names[taker]}” ${percent(share)}`)
    .join('; ');
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: so that it can be scrolled by keyboard.
    <section className={styles.scrolling} aria-label="Arcs from giver to taker" tabIndex={0}>
      <svg
        className={styles.arcs}
        width={total}
        height={top + words + (below > 0 ? below + 8 : 0)}
        role="img"
        aria-label={`${summary}.`}
      >
        {shown.toReversed().map((leak) => {
          const [from, to] = [middle(leak.giver), middle(leak.taker)];
          // Giving back is drawn below the words, so that two that give to each other have two arcs.
          const [base, rise] = isBack(leak) ? [top + words, -1.33 * heightOf(leak)] : [top, 1.33 * heightOf(leak)];
          return (
            <path
              key={`${leak.giver} ${leak.taker}`}
              d={`M ${from} ${base} C ${from} ${base - rise}, ${to} ${base - rise}, ${to} ${base}`}
              strokeWidth={1 + 7 * (leak.share / most)}
              opacity={0.35 + 0.6 * (leak.share / most)}
            >
              <title>{`“${names[leak.giver]}” → “${names[leak.taker]}”: ${percent(leak.share)}`}</title>
            </path>
          );
        })}
        {names.map((name, i) => (
          <text key={i} x={middle(i)} y={top + 18} textAnchor="middle" data-chosen={word === i || undefined}>
            {name}
          </text>
        ))}
      </svg>
    </section>
  );
}
