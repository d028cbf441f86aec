import { useMemo } from 'react';
import type { ClipSkip } from '../../road/clipSkip.ts';
import { shownWeighted, type WeightedEncoding } from '../../state/encoded.ts';
import type { Stage } from '../../state/facts.ts';
import { shownClipSkip } from '../../state/shownSizes.ts';
import { tokenizerOf, tokenLabel } from '../../state/tokenLabels.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { useDark, useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Waiting } from '../page/Waiting.tsx';
import type { ColourScale } from '../pictures/color.ts';
import { range } from '../pictures/pixels.ts';
import { RowNorms, withoutPad } from '../pictures/RowNorms.tsx';
import { StatePicture, StateReadout } from '../pictures/StatePicture.tsx';
import { signedScale } from '../pictures/valueScales.ts';
import { weightings } from '../prompts/choices.ts';
import { ChoiceHelp } from '../prompts/Options.tsx';
import { WeightsNotHere } from '../weights/WeightsNotHere.tsx';
import { Composed, RowsChoice } from './Composed.tsx';
import { difference, reach, rowNorms } from './embeddingMaps.ts';
import styles from './embeddings.module.css';
import { MeanRatio } from './MeanRatio.tsx';

const lead = (
  <>
    The numbers themselves: each row is a token’s <dfn>embedding</dfn>, a list of numbers (its dimensions) that stands
    for it, orange above zero and blue below. Every layer changes the rows; the last <dfn>LayerNorm</dfn> brings them to
    one scale, so that all are about equally long before weights act on them. A1111’s default then changes every row a
    little, weighted or not.
  </>
);

/** Pictures, [L, d], of what the U-Net gets before and after weighting, or of a state inside the encoder. */
export function Embeddings() {
  const now = useFacts(shownWeighted);
  const weighted = useLast(now);
  const stage = useFacts((s) => s.stage);
  const layers = useFacts((s) => weighted?.encoded.config.numHiddenLayers ?? s.model?.config.numHiddenLayers ?? 12);
  const show = useFacts((s) => s.show);
  const skip = useFacts(shownClipSkip);
  const shownStage: Stage = stage === 'last' ? 'last' : Math.min(stage, layers);
  return (
    <section className={`panel ${styles.view}`} id="embeddings" aria-labelledby="embeddings-title">
      <ViewHeader view="embeddings" lead={lead}>
        <div className="field inline">
          <label htmlFor="stage">Stage</label>
          <select
            id="stage"
            value={shownStage}
            onChange={(event) => show({ stage: event.target.value === 'last' ? 'last' : Number(event.target.value) })}
          >
            <option value={0}>Token + position embeddings</option>
            {range(layers).map((i) => (
              <option key={i} value={i + 1}>
                After layer {i + 1}
              </option>
            ))}
            <option value="last">{lastStage(skip, layers)}</option>
          </select>
        </div>
        {weighted && shownStage === 'last' && <RowsChoice weighted={weighted} />}
      </ViewHeader>
      {weighted ? <States weighted={weighted} stale={!now} stage={shownStage} /> : <Waiting />}
    </section>
  );
}

/**
 * Names the state that the conditioning is made of. With clip skip it is an inner state, still followed by the final
 * LayerNorm.
 */
function lastStage(skip: ClipSkip, layers: number): string {
  if (skip === 1) return 'Last hidden state (final LayerNorm)';
  const from = skip > layers ? 'Embeddings' : `After layer ${layers + 1 - skip}`;
  return `${from}, final LayerNorm (clip skip ${skip})`;
}

interface Picture {
  readonly name: string;
  /** [L, d] */
  readonly values: Float32Array;
  readonly scale: ColourScale;
  readonly largest: number;
}

/** Pictures of a state, and the length of each of its rows. */
export function States({ weighted, stale, stage }: { weighted: WeightedEncoding; stale: boolean; stage: Stage }) {
  const tokenizer = useFacts(tokenizerOf);
  const dark = useDark();
  const { encoded, method, mean } = weighted;
  const { config, output } = encoded;
  const { hiddenSize: d } = config;
  const before = stage === 'last' ? weighted.before : output.hiddenStates.get(stage);
  const after = stage === 'last' ? weighted.after : undefined;
  const { labels, kinds } = useMemo(() => rowNames(weighted, stage, tokenizer), [weighted, stage, tokenizer]);

  const own = useMemo(() => before && reach(before), [before]);
  const pictures = useMemo((): readonly Picture[] => {
    if (!before || !own) return [];
    if (!after)
      return [{ name: 'State', values: before, scale: signedScale(own.reach, dark, true), largest: own.largest }];
    // One scale for both, so that a change of colour is a change of value.
    const both = reach(after);
    const scale = signedScale(Math.max(own.reach, both.reach), dark, true);
    const change = difference(after, before);
    const { reach: changeReach, largest } = reach(change);
    return [
      { name: 'Before weighting', values: before, scale, largest: own.largest },
      { name: 'After weighting', values: after, scale, largest: both.largest },
      { name: 'Difference', values: change, scale: signedScale(changeReach || largest, dark, true), largest },
    ];
  }, [before, own, after, dark]);

  if (!before) return <p className="muted">This state was not read back from the encoder.</p>;
  return (
    <div className={styles.embeddings} aria-busy={stale} data-stale={stale || undefined}>
      <div className={styles.embeddingPictures} data-part="states">
        {pictures.map((picture) => (
          <StatePicture key={picture.name} {...picture} labels={labels} d={d} />
        ))}
        <StateReadout matrices={pictures} labels={labels} d={d} />
        {after && <Composed weighted={weighted} />}
        {after && <ChoiceHelp choice={weightings[method]} />}
        {after && mean && <MeanRatio method={method} mean={mean} />}
        {stage !== 'last' && (
          <>
            <WeightsNotHere what="this stage" />
            {weighted.place.isComposed && (
              <p className="help">This is one text of the prompt: texts are composed after the last stage.</p>
            )}
          </>
        )}
      </div>
      <Norms before={before} after={after} d={d} labels={labels} kinds={kinds} />
    </div>
  );
}

/** Names the rows of a picture, [L], and their kinds; a row composed of several texts has the tokens of all of them. */
function rowNames({ encoded, place, isAlone }: WeightedEncoding, stage: Stage, tokenizer: Tokenizer | null) {
  const { prepared, index, chunk } = encoded;
  const isComposed = stage === 'last' && place.isComposed && !isAlone;
  const chunks = isComposed ? place.texts.flatMap(({ text }) => prepared.texts[text].chunks[index] ?? []) : [chunk];
  const kinds = chunk.tokens.map((_, row) => {
    const typed = chunks.find(({ tokens }) => tokens[row].kind !== 'pad');
    return (typed ?? chunk).tokens[row].kind;
  });
  if (!tokenizer) return { kinds, labels: [] };
  const names = chunks.map(({ tokens }) => tokens.map((token) => tokenLabel(token, tokenizer)));
  return { kinds, labels: kinds.map((_, row) => [...new Set(names.map((labels) => labels[row]))].join(' / ')) };
}

interface NormsProps {
  readonly before: Float32Array;
  readonly after: Float32Array | undefined;
  readonly d: number;
  readonly labels: readonly string[];
  readonly kinds: readonly string[];
}

function Norms({ before, after, d, labels, kinds }: NormsProps) {
  const columns = useMemo(
    () => [
      { name: after ? 'Before' : 'Norm', values: rowNorms(before, d) },
      ...(after ? [{ name: 'After', values: rowNorms(after, d) }] : []),
    ],
    [before, after, d],
  );
  return (
    <RowNorms
      caption="Length of each row: its norm, ‖z‖₂"
      columns={columns}
      labels={labels}
      {...withoutPad(kinds)}
      format={(value) => value.toFixed(2)}
    />
  );
}
