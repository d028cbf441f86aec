import { useEffect, useMemo, useState } from 'react';
import { type EncoderPass, passKey } from '../../../clip/encoderPass.ts';
import type { TextProjection } from '../../../clip/weights.ts';
import { modelName } from '../../../state/encoderStatus.ts';
import type { Facts } from '../../../state/facts.ts';
import { pooledRow, startingTexts, textMatrix, textPass, usualLogScale } from '../../../state/lab/textMatrix.ts';
import { outputsOf } from '../../../state/passPlan.ts';
import { prepared } from '../../../state/reading.ts';
import { tokenizerOf } from '../../../state/tokenLabels.ts';
import { distinct } from '../../../weighting/method.ts';
import { FileButton } from '../../page/FileButton.tsx';
import { useFacts } from '../../page/useFacts.ts';
import { useNeeded } from '../../page/useNeeded.ts';
import { TextMatrixPicture } from './TextMatrixPicture.tsx';
import styles from './texts.module.css';

/** The most texts that are compared: each is a pass of its own through the encoder. */
const mostTexts = 16;

const linesOf = (text: string) => [
  ...new Set(
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  ),
];

/** The prompt on show without weights and other marks. */
function promptText(facts: Facts): string {
  const fragments = prepared(facts, facts.side)?.texts[0]?.fragments ?? [];
  const text = fragments.map((fragment) => fragment.text).join(' ');
  return text
    .replace(/\s+/g, ' ')
    .replace(/ ,/g, ',')
    .replace(/[\s,]+$/, '')
    .trim();
}

/** Texts against texts, by the projection and the temperature of the model in use. */
export function Texts({ isOpen }: { readonly isOpen: boolean }) {
  const prompt = useFacts(promptText);
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? startingTexts(prompt || 'a red circle left of a blue square').join('\n');
  const name = useFacts(modelName);
  const openFile = useFacts((s) => s.openFile);
  const lines = useMemo(() => linesOf(text), [text]);
  const projection = useProjection(isOpen);
  return (
    <div className={styles.texts}>
      <p className="help">
        The objective’s similarity of texts with texts, by the model in use, not by the lab’s: each text’s row at its
        EOS, times text_projection, brought to length 1. A model of transformers (CLIPModel,
        CLIPTextModelWithProjection) or of open_clip brings text_projection and logit_scale; Stable Diffusion’s own
        files leave them out.
      </p>
      <div className="toolbar">
        <span>{name || 'No model'}</span>
        <FileButton text="Open a checkpoint…" onChoose={(file, chosen) => void openFile(file, chosen)} />
        {typed !== null && (
          <button type="button" className="small" onClick={() => setTyped(null)}>
            Begin with the prompt again
          </button>
        )}
      </div>
      <label className="field">
        <span>Texts, one a line, {mostTexts} at most</span>
        <textarea rows={6} value={text} onChange={(event) => setTyped(event.target.value)} />
      </label>
      {lines.length > mostTexts && (
        <p className="warning">
          {lines.length} texts: the first {mostTexts} are compared.
        </p>
      )}
      {projection.phase === 'told' ? (
        <p className={projection.isFault ? 'warning' : 'muted'}>{projection.text}</p>
      ) : (
        <Compared texts={lines} projection={projection.projection} isOpen={isOpen} />
      )}
    </div>
  );
}

type Projection =
  | { readonly phase: 'told'; readonly text: string; readonly isFault: boolean }
  | { readonly phase: 'there'; readonly projection: TextProjection };

const told = (text: string, isFault = false): Projection => ({ phase: 'told', text, isFault });

/** Reads the projection of the model in use when somebody looks. */
function useProjection(isOpen: boolean): Projection {
  const model = useFacts((s) => s.model);
  const readProjection = useFacts((s) => s.readProjection);
  const [read, setRead] = useState<{ readonly model: typeof model; readonly projection: Projection } | null>(null);
  const isRead = read?.model === model;
  useEffect(() => {
    if (!isOpen || !model || isRead) return;
    let isOver = false;
    const put = (projection: Projection) => {
      if (!isOver) setRead({ model, projection });
    };
    readProjection().then(
      (projection) =>
        put(
          projection
            ? { phase: 'there', projection }
            : told(
                model.random
                  ? 'Made-up weights have no text_projection: open a checkpoint, or choose another model in another view.'
                  : 'This model has no text_projection, as Stable Diffusion’s files have none: the U-Net takes all rows, not the one that the objective compares. Open CLIP’s own model, of transformers or open_clip.',
                true,
              ),
        ),
      (error: unknown) => put(told(error instanceof Error ? error.message : String(error), true)),
    );
    return () => {
      isOver = true;
    };
  }, [isOpen, model, isRead, readProjection]);
  if (!model) return told('The texts need a model: it is being loaded, or has to be chosen in another view.');
  return isRead ? read.projection : told('Reading text_projection');
}

interface ComparedProps {
  readonly texts: readonly string[];
  readonly projection: TextProjection;
  readonly isOpen: boolean;
}

const none: readonly EncoderPass[] = [];

/** The texts' matrix, as soon as each of them is encoded. */
function Compared({ texts, projection, isOpen }: ComparedProps) {
  const tokenizer = useFacts(tokenizerOf);
  const outputs = useFacts(outputsOf);
  const shown = useMemo(
    () => (tokenizer ? texts.slice(0, mostTexts).map((text) => ({ text, pass: textPass(tokenizer, text) })) : []),
    [texts, tokenizer],
  );
  const passes = useMemo(() => distinct(shown.map(({ pass }) => pass)), [shown]);
  useNeeded('texts', isOpen ? passes : none);
  const logScale = projection.logScale ?? usualLogScale;
  const matrix = useMemo(() => {
    const pooled = shown.flatMap(({ pass }) => {
      const encoded = outputs.get(passKey(pass));
      return encoded ? [pooledRow(pass, encoded.output)] : [];
    });
    return pooled.length === shown.length && shown.length > 0 ? textMatrix(pooled, projection, logScale) : null;
  }, [shown, outputs, projection, logScale]);
  const temperature = Math.exp(-logScale).toPrecision(3);
  return (
    <>
      <p className="small">
        {projection.logScale === null
          ? `The file has no logit_scale: τ is taken to be ${temperature}, which CLIP ViT-L/14 learned.`
          : `τ = ${temperature}, from the file’s logit_scale ${projection.logScale.toFixed(4)}. text_projection gives ${projection.E} numbers.`}
      </p>
      {matrix ? (
        <TextMatrixPicture matrix={matrix} texts={shown.map(({ text }) => text)} temperature={temperature} />
      ) : (
        <p className="muted">{shown.length === 0 ? 'Type a text.' : 'Encoding the texts'}</p>
      )}
    </>
  );
}
