import { useEffect, useId, useMemo, useState } from 'react';
import { triedWeights } from '../../state/picture/pictureStudies.ts';
import { readingsOfSteps } from '../../state/picture/readingsOfSteps.ts';
import {
  bracketed,
  firstMovingWord,
  isBroken,
  type Measure,
  measured,
  movingWords,
  saidInStrip,
  typedWeight,
  wholeRange,
  wordNames,
} from '../../state/picture/triedWords.ts';
import { prepared } from '../../state/reading.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import type { Description } from '../../world/description.ts';
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
/** Weights of the strip are so far apart. */
const triedStep = triedWeights[1] - triedWeights[0];
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
  const readings = useFacts(readingsOfSteps);
  const words = useMemo(() => (readings ? movingWords(readings) : []), [readings]);
  const names = wordNames(words);
  const word = words[names.indexOf(chosen ?? '')] ?? (reading && firstMovingWord(words, reading));
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
          <select id={id} value={names[words.indexOf(word)]} onChange={(event) => setChosen(event.target.value)}>
            {names.map((name) => (
              <option key={name}>{name}</option>
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
  /** How many of the prompt's objects come before the word's. */
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

/** Which pictures of a strip are broken; null while some are not drawn yet, or where the prompt tells of no objects that could be lost. */
function brokenOf({ takes, isWhole }: ReturnType<typeof useStrips>[number], said: Description | null) {
  return isWhole && said ? takes.map(({ picture }) => isBroken(picture, said)) : null;
}

function Strip({ text, own, measures, object }: StripProps) {
  const strips = useStrips();
  const [choice, setChoice] = useState(0);
  const [weight, setWeight] = useState(1);
  const [method, setMethod] = useState<MethodName | null>(null);
  const shown = strips.find(({ name }) => name === method) ?? strips[0];
  if (!shown) return <p className="muted">Drawing</p>;
  const measure = measures[Math.min(choice, measures.length - 1)];
  const fresh = strips.map(({ takes }) => takes.map(({ picture, isStale }) => (isStale ? undefined : picture)));
  const said = fresh.reduce<Description | null>((known, own) => known ?? saidInStrip(triedWeights, own), null);
  const curves = strips.map(({ name }, i) => ({
    name,
    values: fresh[i].map((picture) => measured(picture, measure, said, object)),
  }));
  const broken = brokenOf(shown, said);
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
            <div key={at} data-at={at === weight || undefined} data-broken={broken?.[i] || undefined}>
              <Judged name={signed(at)} picture={picture} isStale={isStale} isBrief />
            </div>
          );
        })}
      </section>
      <p className={styles.said}>{breakText(shown, said)}</p>
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
        summary={`The ${measureName(measure)} in pictures of weights from −1 to 3, by ${strips.length === 1 ? methods[shown.name].label : `${strips.length} methods`}${broken?.includes(true) ? '; shaded where the picture loses or gains objects' : ''}.`}
        weights={triedWeights}
        curves={curves}
        domain={domainOf(
          curves.map(({ values }) => values),
          [],
          measure === 'hue' ? [0, 360] : [0],
        )}
        breaks={[]}
        bands={triedWeights
          .filter((_, i) => broken?.[i])
          .map((at) => ({ from: at - triedStep / 2, to: at + triedStep / 2 }))}
        weight={weight}
        own={own}
        onWeight={(at) => setWeight(Math.round(at / triedStep) * triedStep)}
      />
      {strips.length > 1 && (
        <ul className={styles.breaks}>
          {strips.map((strip) => (
            <li key={strip.name}>
              <span style={{ color: lineOf(strip.name).colour }}>{lineOf(strip.name).number}</span>{' '}
              {breakText(strip, said)}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** Says between which weights the pictures of a strip have the objects that the prompt names. */
function breakText(strip: ReturnType<typeof useStrips>[number], said: Description | null): string {
  const { label } = methods[strip.name];
  if (!strip.isWhole) return `${label}: drawing.`;
  const broken = brokenOf(strip, said);
  if (!broken)
    return `${label}: the prompt names no object of this world, or more than two, that a picture could lose.`;
  const range = wholeRange(triedWeights, broken);
  if (!range) return `${label}: the picture has other objects than the prompt names, even with a weight of 1.`;
  if (!broken.includes(true)) return `${label}: the picture keeps its objects at every weight.`;
  return `${label}: the picture keeps its objects from ${signed(range.from)} to ${signed(range.to)}; past that it loses some, or gains others.`;
}
