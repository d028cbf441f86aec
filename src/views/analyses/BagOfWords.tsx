import { useCallback, useMemo, useRef } from 'react';
import { type AnalysisSubject, type VariantTurns, variantsAnalysis } from '../../state/promptAnalyses.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { small } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { useWidth } from '../page/useWidth.ts';
import { range } from '../pictures/pixels.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import { AnalysisPictures } from './AnalysisPictures.tsx';
import styles from './analyses.module.css';
import { variantsFinding } from './analysisFindings.ts';
import { variantsTables } from './analysisTables.ts';
import { useAnalysis } from './useAnalysis.ts';

/** Shows how far variants with the same words turn away from the prompt at EOS, layer by layer. */
export function BagOfWords({ subject, tokenizer }: { subject: AnalysisSubject | undefined; tokenizer: Tokenizer }) {
  const options = useFacts((s) => s.options);
  const analysisOf = useCallback(
    (of: AnalysisSubject) => variantsAnalysis(of, options, tokenizer),
    [options, tokenizer],
  );
  const analysis = useAnalysis(subject, analysisOf);
  return (
    <AnalysisFrame
      title="Bag of words"
      question="Does the encoder tell who wears what, what comes first, and “not”? The prompt is compared with variants that have the same words but say something else, by the cosine of their EOS rows."
      analysis={analysis}
      finding={({ result }) => variantsFinding(result)}
      tables={({ result }) => variantsTables(result)}
      limits="EOS is one row of many: the rows of the words may tell more apart, and the U-Net reads all of them. The text is taken without brackets and weights, as much of it as one chunk holds; the name of a textual inversion is read as plain words. With clip skip the end is the state that is read, and layers after it are left out. The words are exchanged by a list of colours and relations in English. The empty prompt shows how far apart two prompts without a common word may be."
    >
      {({ result }) => <VariantsFound variants={result} />}
    </AnalysisFrame>
  );
}

const height = 230;
const margin = { top: 12, right: 12, bottom: 26, left: 52 };

/** A turn on a logarithmic axis, as a share of the height from 1 − cos = 2 down to the least; null of an exact 0. */
function placeOf(turn: number, decades: number): number | null {
  return turn > 0 ? Math.min(1, Math.max(0, (Math.log10(2) - Math.log10(turn)) / decades)) : null;
}

function VariantsFound({ variants }: { variants: readonly VariantTurns[] }) {
  const frame = useRef<HTMLDivElement>(null);
  const width = Math.max(260, useWidth(frame));
  const read = variants[0].turns.length - 1;
  const smallest = Math.min(1, ...variants.flatMap(({ turns }) => [...turns].filter((turn) => turn > 0)));
  const decades = Math.min(8, Math.ceil(-Math.log10(smallest)) + Math.log10(2));
  const x = (state: number) => margin.left + ((width - margin.left - margin.right) * state) / Math.max(1, read);
  const y = (place: number) => margin.top + (height - margin.top - margin.bottom) * place;
  return (
    <>
      <figure>
        <figcaption>1 − cos with this prompt, by layer: the lower, the less is told apart</figcaption>
        <div ref={frame}>
          <svg
            className={styles.chart}
            width={width}
            height={height}
            role="img"
            aria-label="1 − cos of each variant with this prompt by layer, on a logarithmic axis. The table below has the values."
          >
            {range(Math.floor(decades) + 1).map((decade) => {
              const place = placeOf(10 ** -decade, decades)!;
              return (
                <g key={decade}>
                  <line x1={margin.left} x2={width - margin.right} y1={y(place)} y2={y(place)} />
                  <text x={margin.left - 6} y={y(place) + 4} textAnchor="end">
                    {decade === 0 ? '1' : `1e-${decade}`}
                  </text>
                </g>
              );
            })}
            {range(read + 1).map((state) => (
              <text key={state} x={x(state)} y={height - 8} textAnchor="middle">
                {state}
              </text>
            ))}
            {variants.map(({ name, turns }, i) => {
              const points = [...turns].flatMap((turn, state) => {
                const place = placeOf(turn, decades);
                return place === null ? [] : [`${x(state)},${y(place)}`];
              });
              return (
                <g key={name} data-line={i}>
                  <polyline points={points.join(' ')} />
                  {points.map((point) => (
                    <circle key={point} cx={point.split(',')[0]} cy={point.split(',')[1]} r={3} />
                  ))}
                </g>
              );
            })}
          </svg>
        </div>
      </figure>
      <div className={styles.scrolling}>
        <table className={styles.numbers}>
          <caption className="visually-hidden">Variants and their cosines</caption>
          <thead>
            <tr>
              <th scope="col">Variant</th>
              <th scope="col">Cosine at the end</th>
              <th scope="col">1 − cos</th>
              <th scope="col" className={styles.variant}>
                Text
              </th>
            </tr>
          </thead>
          <tbody>
            {variants.map(({ name, text, turns, hasUnknown }, i) => (
              <tr key={name}>
                <th scope="row">
                  <i className={styles.key} data-line={i} /> {name}
                </th>
                <td>{(1 - turns[read]).toFixed(6)}</td>
                <td>{turns[read] === 0 ? 'exactly 0' : small(turns[read])}</td>
                <td className={styles.variant}>
                  {text}
                  {hasUnknown && <span className="muted"> (with words that this model has never learnt)</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <VariantPictures variants={variants} />
    </>
  );
}

/** The prompt and its variants, each read as it stands. */
function VariantPictures({ variants }: { variants: readonly VariantTurns[] }) {
  const side = useFacts((s) => s.side);
  const prompts = useFacts((s) => s.prompts);
  const takes = useMemo(
    () => [
      { label: 'as typed' },
      ...variants.map(({ name, text }) => ({ label: name, prompts: { ...prompts, [side]: text } })),
    ],
    [variants, prompts, side],
  );
  return (
    <AnalysisPictures study="asked" takes={takes}>
      What is told apart at EOS need not be what the denoiser draws: it reads the words’ rows, too.
    </AnalysisPictures>
  );
}
