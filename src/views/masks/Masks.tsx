import { useMemo } from 'react';
import { attentionMask, causalMask } from '../../clip/masks.ts';
import { shownChunk } from '../../state/reading.ts';
import { tokenLabels } from '../../state/tokenLabels.ts';
import { useDark, useFacts } from '../page/useFacts.ts';
import { useReadAloud } from '../page/useReadAloud.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Heatmap, tokenCells } from '../pictures/Heatmap.tsx';
import legendStyles from '../pictures/legend.module.css';
import { maskPixels, range } from '../pictures/pixels.ts';
import { usePointedAmong } from '../pictures/pointed.ts';
import { masks } from '../prompts/choices.ts';
import { ChoiceHelp } from '../prompts/Options.tsx';
import { WeightsNotHere } from '../weights/WeightsNotHere.tsx';
import styles from './masks.module.css';

const lead = (
  <>
    Which tokens may see which, in every layer and head: row i is the token that looks (the query), column j the one
    that is looked at (the key), and a masked key gets no attention at all. The first mask, called <dfn>causal</dfn>,
    hides what comes later, the second <dfn>PAD</dfn>, which fills the chunk up (its mask bits are 0); a key has to pass
    both.
  </>
);

/** The masks of the chunk on show, and how to read them. */
export function Masks() {
  return (
    <section className="panel" id="masks" aria-labelledby="masks-title">
      <ViewHeader view="masks" lead={lead}>
        <div className={legendStyles.legend}>
          <span>
            <i className={legendStyles.maskVisible} /> visible
          </span>
          <span>
            <i className={legendStyles.hatch} /> masked
          </span>
        </div>
      </ViewHeader>
      <MaskPictures />
    </section>
  );
}

/** Shows the causal mask, the PAD mask as each query sees it, and their product, which is the mask of the attention. */
export function MaskPictures() {
  const pass = useFacts((s) => shownChunk(s)?.pass);
  const tokens = useFacts((s) => shownChunk(s)?.chunk.tokens);
  const tokenizer = useFacts((s) => s.tokenizer);
  const mode = useFacts((s) => s.options.mask);
  const dark = useDark();
  const pictures = useMemo(() => {
    if (!pass) return null;
    const L = pass.inputIds.length;
    const all = range(L);
    const draw = (mask: Uint8Array) => maskPixels(mask, L, dark);
    const causal = pass.causal ? causalMask(L) : new Uint8Array(L * L).fill(1);
    const pad = Uint8Array.from({ length: L * L }, (_, i) => pass.keyMask[i % L]);
    const product = attentionMask(pass);
    return {
      L,
      causal,
      product,
      pixels: { causal: draw(causal), pad: draw(pad), product: draw(product) },
      cells: tokenCells(all, all),
    };
  }, [pass, dark]);

  const labels = tokens && tokenizer.phase === 'ready' ? tokenLabels(tokens, tokenizer.tokenizer) : [];
  const hidden = pass ? pass.keyMask.reduce((count, bit) => count + 1 - bit, 0) : 0;
  const masked = pictures ? pictures.product.reduce((count, bit) => count + 1 - bit, 0) : 0;
  const figures = pictures &&
    pass && [
      {
        name: 'Causal',
        formula: pass.causal ? 'j ≤ i' : 'off',
        pixels: pictures.pixels.causal,
        summary: pass.causal
          ? 'Causal: query i sees keys j up to i, the lower triangle.'
          : 'Causal: off, every query sees every key.',
      },
      {
        name: 'PAD',
        formula: hidden === 0 ? 'off' : `${hidden} keys hidden`,
        pixels: pictures.pixels.pad,
        summary: hidden === 0 ? 'PAD: every key is visible.' : `PAD: ${hidden} keys are hidden from every query.`,
      },
      {
        name: 'Product',
        formula: `${masked} of ${pictures.L * pictures.L} masked`,
        pixels: pictures.pixels.product,
        summary: `Product: ${masked} of ${pictures.L * pictures.L} cells are masked, the others enter the softmax.`,
      },
    ];

  if (!figures || !pictures) return <p className="muted">Loading the vocabulary</p>;
  return (
    <>
      <ChoiceHelp choice={masks[mode]} />
      <div className={styles.maskFigures}>
        {figures.map(({ name, formula, pixels, summary }) => (
          <figure key={name} data-part={`${name.toLowerCase()}-mask`}>
            <figcaption>
              <b>{name}</b> <span className="muted">{formula}</span>
            </figcaption>
            <Heatmap
              pixels={pixels}
              rows={pictures.L}
              columns={pictures.L}
              name={name}
              summary={summary}
              axes={{ rows: 'query', columns: 'key' }}
              labels={{ rows: labels, columns: labels }}
              {...pictures.cells}
            />
          </figure>
        ))}
      </div>
      <MaskReadout labels={labels} causal={pictures.causal} keyMask={pass.keyMask} />
      <WeightsNotHere what="masks" />
      <p className="help">
        <a href="#view=mask-lab">Mask lab</a> shows what each mask does to the encoder’s output, and what happens to the
        rows when you mask a token of your choice.
      </p>
    </>
  );
}

interface MaskReadoutProps {
  readonly labels: readonly string[];
  readonly causal: Uint8Array;
  readonly keyMask: Uint8Array;
}

function MaskReadout({ labels, causal, keyMask }: MaskReadoutProps) {
  const { query, key } = usePointedAmong(keyMask.length);
  const readAloud = useReadAloud();
  if (query === null || key === null)
    return <p className="readout muted">Rows are queries i, columns keys j, {keyMask.length} each. Point at a cell.</p>;
  const byCausal = causal[query * keyMask.length + key] === 0;
  const byPad = keyMask[key] === 0;
  const verdict =
    byCausal && byPad
      ? 'masked: the key comes later, and its mask bit is 0'
      : byCausal
        ? 'masked: the key comes later'
        : byPad
          ? 'masked: the key’s mask bit is 0'
          : 'visible';
  return (
    <p className="readout" aria-live={readAloud}>
      Query <b className="query">{`${query} ${labels[query]}`}</b>, key <b className="key">{`${key} ${labels[key]}`}</b>
      : {verdict}
    </p>
  );
}
