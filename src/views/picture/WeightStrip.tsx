import { useEffect, useId, useMemo, useState } from 'react';
import { triedWeights } from '../../state/picture/pictureStudies.ts';
import {
  bracketed,
  breakingPoints,
  firstMovingWord,
  type Measure,
  measured,
  movingWords,
  saidShapes,
  typedWeight,
} from '../../state/picture/triedWords.ts';
import { prepared } from '../../state/reading.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { CurveChart } from '../methods/CurveChart.tsx';
import { domainOf } from '../methods/curves.ts';
import { lineOf } from '../methods/lines.ts';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { Judged } from './Judged.tsx';
import styles from './picture.module.css';
import { usePictures, useStudy } from './usePictures.ts';

const measureNames = { area: 'area', hue: 'hue in degrees', lightness: 'lightness' } as const;
const measureName = (measure: Measure) =>
  typeof measure === 'object' ? `share of ${measure.shareOf}` : measureNames[measure];
const signed = (weight: number) => String(weight).replace('-', '−');

/** One word of the prompt from −1 to 3 as a film strip, what it moves as a curve, and where the picture breaks. */
export function WeightStrip() {
  const prompt = useFacts((s) => s.prompts.positive);
  const syntax = useFacts((s) => s.options.syntax);
  const reading = useFacts((s) => prepared(s, 'positive'));
  const tryWords = usePictures((s) => s.tryWords);
  const allMethods = usePictures((s) => s.allMethods);
  const tryAllMethods = usePictures((s) => s.tryAllMethods);
  const [chosen, setChosen] = useState<string | null>(null);
  const id = useId();
  const words = useMemo(() => movingWords(prompt), [prompt]);
  const word = words.find(({ text }) => text === chosen) ?? (reading && firstMovingWord(words, reading));
  const tried = useMemo(
    () => (word && reading ? bracketed(prompt, word, reading, syntax) : null),
    [prompt, word, reading, syntax],
  );
  useEffect(() => tryWords(tried), [tried, tryWords]);
  if (!word) return <p className="muted">Type a colour, a size or a shape to try its weight.</p>;
  return (
    <>
      <div className={styles.controls}>
        <div className="field inline">
          <label htmlFor={id}>Word</label>
          <select id={id} value={word.text} onChange={(event) => setChosen(event.target.value)}>
            {[...new Set(words.map(({ text }) => text))].map((text) => (
              <option key={text}>{text}</option>
            ))}
          </select>
        </div>
        <label className="check">
          <input type="checkbox" checked={allMethods} onChange={(event) => tryAllMethods(event.target.checked)} />
          By every method
        </label>
      </div>
      {tried ? (
        <Strip
          text={word.text}
          own={reading ? typedWeight(word, reading) : 1}
          measures={word.measures}
          shapes={saidShapes(prompt)}
          object={word.object}
        />
      ) : (
        <p className="muted">This language cannot give “{word.text}” a weight where it stands.</p>
      )}
    </>
  );
}

interface StripProps {
  readonly text: string;
  /** The weight that it has in the prompt. */
  readonly own: number;
  readonly measures: readonly Measure[];
  /** The shapes that the prompt says of its objects; null where it says none of one. */
  readonly shapes: readonly (string | null)[];
  /** How many of them come before the word's. */
  readonly object: number;
}

/** The study's pictures by method, weight by weight. */
function useStrips() {
  const takes = useStudy('weights');
  return useMemo(() => {
    const names = new Set(takes?.map(({ tried }) => tried!.method) ?? []);
    return Array.from(names, (name: MethodName) => {
      const own = takes!.filter(({ tried }) => tried!.method === name);
      return { name, takes: own, isWhole: own.every(({ picture, isStale }) => picture !== undefined && !isStale) };
    });
  }, [takes]);
}

function Strip({ text, own, measures, shapes, object }: StripProps) {
  const strips = useStrips();
  const [choice, setChoice] = useState(0);
  const [weight, setWeight] = useState(1);
  const [method, setMethod] = useState<MethodName | null>(null);
  const shown = strips.find(({ name }) => name === method) ?? strips[0];
  if (!shown) return <p className="muted">Drawing</p>;
  const measure = measures[Math.min(choice, measures.length - 1)];
  const curves = strips.map(({ name, takes }) => ({
    name,
    values: takes.map(({ picture, isStale }) =>
      measured(isStale ? undefined : picture, measure, shapes[object] ?? null),
    ),
  }));
  const objects = Math.max(1, shapes.length);
  const brokenOf = ({ takes, isWhole }: (typeof strips)[number]): Broken | null =>
    isWhole
      ? breakingPoints(
          triedWeights,
          takes.map(({ picture }) => picture),
          objects,
        )
      : null;
  const broken = brokenOf(shown);
  return (
    <>
      {strips.length > 1 && (
        <Segmented
          legend="Method"
          name="strip-method"
          choices={strips.map(({ name }) => ({ value: name, label: methods[name].label }))}
          value={shown.name}
          onChange={setMethod}
        />
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what is wider than the page. */}
      <section className={styles.strip} aria-label={`“${text}” from −1 to 3`} tabIndex={0}>
        {shown.takes.map(({ picture, isStale }, i) => {
          const at = triedWeights[i];
          return (
            <div key={at} data-at={at === weight || undefined} data-broken={isPast(at, broken) || undefined}>
              <Judged name={signed(at)} picture={picture} isStale={isStale} isBrief />
            </div>
          );
        })}
      </section>
      <p className={styles.said}>{breakText(methods[shown.name].label, broken)}</p>
      {measures.length > 1 && (
        <Segmented
          legend="Curve"
          name="strip-measure"
          choices={measures.map((each, i) => ({ value: i, label: measureName(each) }))}
          value={Math.min(choice, measures.length - 1)}
          onChange={setChoice}
        />
      )}
      <CurveChart
        title={`${measureName(measure)} by the weight of “${text}”`}
        summary={`The ${measureName(measure)} in pictures of weights from −1 to 3, by ${strips.length === 1 ? methods[shown.name].label : `${strips.length} methods`}.`}
        weights={triedWeights}
        curves={curves}
        domain={domainOf(
          curves.map(({ values }) => values),
          [],
          measure === 'hue' ? [0, 360] : [0],
        )}
        breaks={[]}
        bands={[]}
        weight={weight}
        own={own}
        onWeight={(at) => setWeight(Math.round(at * 4) / 4)}
      />
      {strips.length > 1 && (
        <ul className={styles.breaks}>
          {strips.map((strip) => (
            <li key={strip.name}>
              <span style={{ color: lineOf(strip.name).colour }}>{lineOf(strip.name).number}</span>{' '}
              {breakText(methods[strip.name].label, brokenOf(strip))}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

type Broken = ReturnType<typeof breakingPoints>;

const isPast = (weight: number, broken: Broken | null) =>
  broken !== null &&
  ((broken.below !== null && weight <= broken.below) || (broken.above !== null && weight >= broken.above));

/** Says where the pictures break; null while some are not drawn yet. */
function breakText(label: string, broken: Broken | null): string {
  if (!broken) return `${label}: drawing.`;
  const { below, above } = broken;
  const where = [
    ...(below === null ? [] : [`at ${signed(below)} and below`]),
    ...(above === null ? [] : [`from ${signed(above)} on`]),
  ];
  return where.length === 0
    ? `${label}: the picture keeps its objects at every weight.`
    : `${label}: the picture loses or gains objects ${where.join(', and ')}.`;
}
