import { useMemo, useState } from 'react';
import type { RowEffects } from '../../../clip/maskEffects.ts';
import { attentionMask, maskModes } from '../../../clip/masks.ts';
import { encoderStatus } from '../../../state/encoderStatus.ts';
import { type MaskTrial, maskLab } from '../../../state/maskLab.ts';
import { shownChunk } from '../../../state/reading.ts';
import { tokenizerOf, tokenLabels } from '../../../state/tokenLabels.ts';
import type { Tokenizer } from '../../../tokens/tokenizer.ts';
import { useDark, useFacts } from '../../page/useFacts.ts';
import { useNeeded } from '../../page/useNeeded.ts';
import { ViewHeader } from '../../page/ViewHeader.tsx';
import { Waiting } from '../../page/Waiting.tsx';
import { Heatmap, tokenCells } from '../../pictures/Heatmap.tsx';
import { maskPixels, range } from '../../pictures/pixels.ts';
import { masks } from '../../prompts/choices.ts';
import { WeightsNotHere } from '../../weights/WeightsNotHere.tsx';
import styles from './maskLab.module.css';
import { changesText, keysText, reachText } from './maskTexts.ts';
import { movedKeys } from './movedKeys.ts';
import { type LabColumn, RowChanges } from './RowChanges.tsx';

const lead = (
  <>
    A <dfn>mask</dfn> says which tokens may look at which. How far does each row of the encoder’s output move when
    another one is used, as a share of its length (‖Δz‖ / ‖z‖)? Masks are compared with “{masks.causal.name}”, which
    Stable Diffusion 1.5 uses; and a token that you hide from all others is compared with the mask chosen in the
    options.
  </>
);

const noKeys: readonly number[] = [];

/** The mask lab, and how to read it. */
export function MaskLab() {
  const ids = useFacts((s) => shownChunk(s)?.chunk.inputIds);
  // Each chunk has keys of its own; they are kept with the ids that they were chosen among.
  const place = useFacts((s) => `${s.side} ${s.chunk}`);
  const [masked, setMasked] = useState<Readonly<Record<string, { keys: readonly number[]; of: ArrayLike<number> }>>>(
    {},
  );
  const own = masked[place];
  const keys = useMemo(() => (own && ids ? movedKeys(own.keys, own.of, ids) : noKeys), [own, ids]);
  return (
    <section className="panel" id="mask-lab" aria-labelledby="mask-lab-title">
      <ViewHeader view="mask-lab" lead={lead} />
      <MaskTrials keys={keys} onKeys={(keys) => ids && setMasked({ ...masked, [place]: { keys, of: ids } })} />
    </section>
  );
}

interface MaskTrialsProps {
  /** Tokens that are masked as keys, ascending. */
  readonly keys: readonly number[];
  onKeys(keys: readonly number[]): void;
}

/** Shows what each mask does to the encoder's output, row by row, and what masking tokens as keys does. */
export function MaskTrials(props: MaskTrialsProps) {
  const tokenizer = useFacts(tokenizerOf);
  return tokenizer ? <Lab {...props} tokenizer={tokenizer} /> : <p className="muted">Loading the vocabulary</p>;
}

function Lab({ tokenizer, keys, onKeys }: MaskTrialsProps & { readonly tokenizer: Tokenizer }) {
  const chunk = useFacts(shownChunk);
  const lab = useFacts((s) => maskLab(s, keys));
  const mode = useFacts((s) => s.options.mask);
  const hasModel = useFacts((s) => s.model !== null);
  useNeeded('masks', lab?.next);

  if (!lab || !chunk) return null;
  const { tokens } = chunk.chunk;
  const labels = tokenLabels(tokens, tokenizer);
  const names = labels.map((label, i) => (tokens[i].kind === 'text' ? `“${label}”` : label));
  const shownKeys = keys.filter((key) => key < tokens.length);
  const toggle = (key: number) =>
    onKeys(keys.includes(key) ? keys.filter((other) => other !== key) : [...keys, key].sort((a, b) => a - b));
  const maskedName = (most: number) => (shownKeys.length > 0 ? keysText(shownKeys, names, most) : 'A key masked');
  const columns: readonly LabColumn[] = [
    ...maskModes.map((id) => ({
      id,
      name: masks[id].name,
      against: id === 'causal' ? 'the reference' : '',
      effects: lab.modes[id].effects,
    })),
    { id: 'masked', name: maskedName(1), against: `against ${masks[mode].name}`, effects: lab.masked?.effects },
  ];

  return (
    <div className={styles.maskLab}>
      <div className={styles.trials}>
        {maskModes.map((id) => (
          <Trial key={id} id={id} name={masks[id].name} isShown={id === mode} trial={lab.modes[id]}>
            <p className="help">{masks[id].help}</p>
            <Finding effects={lab.modes[id].effects} names={names} isReference={id === 'causal'} />
          </Trial>
        ))}
        <Trial id="masked" name={maskedName(4)} trial={lab.masked ?? { pass: chunk.pass, effects: undefined }}>
          {lab.masked ? (
            <>
              <p className="help">{reachText(shownKeys, chunk.pass.causal, chunk.pass.keyMask)}</p>
              <Finding effects={lab.masked.effects} names={names} />
            </>
          ) : (
            <p className="help">Click a token in the table, or press Enter on it: nothing attends to it any more.</p>
          )}
          <button type="button" className="small" disabled={keys.length === 0} onClick={() => onKeys([])}>
            Clear
          </button>
        </Trial>
      </div>
      {hasModel ? <Progress encoded={lab.encoded} total={lab.total} /> : <Waiting />}
      <RowChanges
        columns={columns}
        tokens={tokens}
        labels={labels}
        most={lab.most}
        masked={shownKeys}
        onToggle={toggle}
      />
      <WeightsNotHere what="these numbers" />
    </div>
  );
}

interface TrialProps {
  readonly id: LabColumn['id'];
  readonly name: string;
  readonly isShown?: boolean;
  readonly trial: MaskTrial;
  readonly children: React.ReactNode;
}

/** Shows a mask as a picture, with text about it. */
function Trial({ id, name, isShown = false, trial: { pass }, children }: TrialProps) {
  const dark = useDark();
  const { L, pixels, cells, visible } = useMemo(() => {
    const L = pass.inputIds.length;
    const mask = attentionMask(pass);
    const all = range(L);
    const visible = mask.reduce((count, bit) => count + bit, 0);
    return { L, pixels: maskPixels(mask, L, dark), cells: tokenCells(all, all), visible };
  }, [pass, dark]);
  return (
    <figure className={styles.trial} data-part={id}>
      <figcaption>
        <b>{name}</b>
        {isShown && <span className="muted">in use</span>}
      </figcaption>
      <Heatmap
        pixels={pixels}
        rows={L}
        columns={L}
        name={name}
        summary={`${name}: ${visible} of ${L * L} cells are visible.`}
        {...cells}
      />
      <div className={styles.text}>{children}</div>
    </figure>
  );
}

interface FindingProps {
  readonly effects: RowEffects | undefined;
  readonly names: readonly string[];
  readonly isReference?: boolean;
}

function Finding({ effects, names, isReference = false }: FindingProps) {
  if (isReference) return <p className={styles.finding}>The reference.</p>;
  return <p className={styles.finding}>{effects ? changesText(effects, names) : 'Not encoded yet.'}</p>;
}

function Progress({ encoded, total }: { encoded: number; total: number }) {
  const failure = useFacts((s) => {
    const { phase, text } = encoderStatus(s);
    return phase === 'failed' ? text : null;
  });
  return (
    <p className={`${styles.progress} muted`} role="status" aria-label="Mask lab">
      {encoded} of {total} runs of the encoder done
      {failure && `. ${failure}`}
    </p>
  );
}
