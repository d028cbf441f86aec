import { useMemo, useState } from 'react';
import { attentionMask } from '../../clip/masks.ts';
import { type EncodedChunk, shownEncoded } from '../../state/encoded.ts';
import { shownClipSkip, shownConfig, shownHead, shownLayer } from '../../state/shownSizes.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { rough } from '../page/numbers.ts';
import { Segmented } from '../page/Segmented.tsx';
import { Slider } from '../page/Slider.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Waiting } from '../page/Waiting.tsx';
import { type ProbabilityKind, probabilityKinds, probabilityScale } from '../pictures/valueScales.ts';
import { WeightsNotHere } from '../weights/WeightsNotHere.tsx';
import { AttentionLines } from './AttentionLines.tsx';
import { AttentionMatrix } from './AttentionMatrix.tsx';
import { AttentionOverview } from './AttentionOverview.tsx';
import styles from './attention.module.css';
import { headMap, largest, meanMap, type ShownMap, shownTokens } from './attentionMaps.ts';

const views = ['Matrix', 'Lines'] as const;
type View = (typeof views)[number];

const kindNames: Record<ProbabilityKind, string> = { linear: 'Linear', sqrt: 'Square root', log: 'Logarithmic' };

const lead = (
  <>
    <dfn>Attention</dfn> is how tokens learn of each other: each token, as a <dfn>query</dfn> (a row), takes in a share
    of every token that it may see, the <dfn>keys</dfn> (columns), and its shares, the probabilities, sum to 1. Each
    layer does this several times over, in its <dfn>heads</dfn>, which look for different things. Choose a head in the
    small pictures.
  </>
);

/** Shows what each token of the chunk on show attends to. */
export function Attention() {
  const now = useFacts(shownEncoded);
  const encoded = useLast(now);
  const stale = !now;
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  const heads = useFacts((s) => shownConfig(s).numAttentionHeads);
  const layer = useFacts(shownLayer);
  const head = useFacts(shownHead);
  const show = useFacts((s) => s.show);
  const hasModel = useFacts((s) => s.model !== null);
  const [view, setView] = useState<View>('Matrix');
  const [kind, setKind] = useState<ProbabilityKind>('linear');
  const [bos, setBos] = useState(true);
  const [pad, setPad] = useState(false);
  const [mean, setMean] = useState(false);

  return (
    <section className={`panel ${styles.view}`} id="attention" aria-labelledby="attention-title">
      <ViewHeader view="attention" lead={lead}>
        <Segmented
          legend="Drawn as"
          name="attention-view"
          choices={views.map((name) => ({ value: name, label: name }))}
          value={view}
          onChange={setView}
        />
      </ViewHeader>
      <div className={styles.attentionControls}>
        <Slider
          label="Layer"
          count={layers}
          value={layer}
          disabled={!hasModel}
          onChange={(value) => show({ layer: value })}
        />
        <Slider
          label="Head"
          count={heads}
          value={head}
          disabled={!hasModel || mean}
          onChange={(value) => show({ head: value })}
        />
        <div className={styles.checks}>
          <label className="check">
            <input type="checkbox" checked={!bos} onChange={(event) => setBos(!event.target.checked)} /> Hide BOS
          </label>
          <label className="check">
            <input type="checkbox" checked={!pad} onChange={(event) => setPad(!event.target.checked)} /> Hide PAD
          </label>
          <label className="check">
            <input type="checkbox" checked={mean} onChange={(event) => setMean(event.target.checked)} /> Mean over heads
          </label>
          <div className="field">
            <label htmlFor="colour-scale">Colour scale</label>
            <select id="colour-scale" value={kind} onChange={(event) => setKind(event.target.value as ProbabilityKind)}>
              {probabilityKinds.map((name) => (
                <option key={name} value={name}>
                  {kindNames[name]}
                </option>
              ))}
            </select>
          </div>
        </div>
      </div>
      {encoded ? (
        <Maps encoded={encoded} stale={stale} {...{ view, kind, bos, pad, mean, layer, head }} />
      ) : (
        <Waiting />
      )}
      <WeightsNotHere what="attention" />
      <SkippedLayer layer={layer} />
    </section>
  );
}

/** Says where clip skip leaves a layer out, so that a change in it changes nothing. */
function SkippedLayer({ layer }: { readonly layer: number }) {
  const skip = useFacts(shownClipSkip);
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  const last = layers + 1 - skip;
  return layer >= last ? (
    <p className="help">
      Clip skip {skip} takes the rows {last > 0 ? `after layer ${last}` : 'before layer 1'}, so that nothing in this
      layer reaches the U-Net.
    </p>
  ) : null;
}

interface MapsProps {
  readonly encoded: EncodedChunk;
  readonly stale: boolean;
  readonly view: View;
  readonly kind: ProbabilityKind;
  readonly bos: boolean;
  readonly pad: boolean;
  readonly mean: boolean;
  readonly layer: number;
  readonly head: number;
}

function Maps({ encoded, stale, view, kind, bos, pad, mean, layer, head }: MapsProps) {
  const show = useFacts((s) => s.show);
  const tokenizer = useFacts(tokenizerOf);
  const { config, chunk, pass, output, ready } = encoded;
  const { numAttentionHeads: h, numHiddenLayers: N, maxPositionEmbeddings: L } = config;
  const { tokens } = chunk;
  const { attentions } = output;
  // While a new model's first output is missing, the picture on show is of the old one, which may have fewer layers or
  // heads.
  const at = { layer: Math.min(layer, N - 1), head: Math.min(head, h - 1) };
  const labels = tokenizer ? tokenLabels(tokens, tokenizer) : [];
  const mask = useMemo(() => attentionMask(pass), [pass]);
  // Kinds are compared by value, because a change of weights alone must not redraw 144 maps.
  const kinds = tokens.map(({ kind }) => kind).join(' ');
  const shown = useMemo(
    () => shownTokens(kinds.split(' '), { bos, pad }, ready ?? undefined),
    [kinds, bos, pad, ready],
  );
  const map = useMemo(() => {
    if (!attentions) return null;
    return mean ? meanMap(attentions, at.layer, h, L) : headMap(attentions, at.layer, at.head, h, L);
  }, [attentions, mean, at.layer, at.head, h, L]);
  // With BOS on show, every causal map has a probability of 1: one scale fits all of them.
  const most = useMemo(() => (bos || !map ? 1 : largest(map, L, shown, shown)), [bos, map, L, shown]);
  const mostOfAll = useMemo(
    () => (bos || !attentions ? 1 : largest(attentions, L, shown, shown)),
    [bos, attentions, L, shown],
  );
  const scale = useMemo(() => probabilityScale(kind, most), [kind, most]);
  const overviewScale = useMemo(() => probabilityScale(kind, mostOfAll), [kind, mostOfAll]);
  if (!attentions || !map) return null;

  const hidden = tokens.length - shown.length;
  const props: ShownMap = { map, mask, L, shown, labels };
  const title = mean ? `Layer ${at.layer + 1}, mean over ${h} heads` : `Layer ${at.layer + 1}, head ${at.head + 1}`;
  return (
    <div className={styles.attention} aria-busy={stale} data-stale={stale || undefined}>
      <AttentionOverview
        attentions={attentions}
        mask={mask}
        config={config}
        shown={shown}
        scale={overviewScale}
        layer={at.layer}
        head={mean ? null : at.head}
        onSelect={(selection) => show(selection)}
      />
      <div className={styles.attentionMap}>
        <h3>{title}</h3>
        {shown.length === 0 ? (
          <p className="muted">Every token is hidden.</p>
        ) : view === 'Matrix' ? (
          <AttentionMatrix {...props} title={title} scale={scale} />
        ) : (
          <AttentionLines {...props} title={title} most={most} />
        )}
        <p className="help">
          In trained encoders BOS, the mark at the beginning, takes most of the attention: it is a sink, where shares go
          that no word needs. {!bos && `With it hidden, colours run up to the largest share left, ${rough(most)}. `}
          {hidden > 0 &&
            `${hidden} of ${tokens.length} tokens are hidden here, not from the encoder: what they take is missing to 1 in a row.`}
        </p>
      </div>
    </div>
  );
}
