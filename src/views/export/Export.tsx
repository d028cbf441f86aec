import { use, useEffect, useId, useMemo, useState } from 'react';
import { sides } from '../../prompt/side.ts';
import { type Slices, whole } from '../../prompt/slices.ts';
import { linesAtOnce, writingCsv } from '../../road/export/conditioningCsv.ts';
import {
  type ConditioningFormat,
  conditioningFormats,
  writingConditioning,
} from '../../road/export/conditioningFile.ts';
import { whyNotFinite } from '../../road/export/exportConditioning.ts';
import {
  checkedFiles,
  type Exported,
  exportedMetadata,
  exportedNetworks,
  exportedPair,
  exportedShapes,
  exportWork,
  isSessionWhole,
  snippetFor,
  snippetWith,
  whyUnchecked,
  writeSession,
} from '../../state/exporting.ts';
import { inSlices } from '../../state/inSlices.ts';
import { isBeingRead } from '../../state/reading.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { tokenizerOf, tokenLabel } from '../../state/tokenLabels.ts';
import { contextLength } from '../../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { CopyButton } from '../page/CopyButton.tsx';
import { bytes } from '../page/numbers.ts';
import { StoreContext, useFacts } from '../page/useFacts.ts';
import { useSliced } from '../page/useSliced.ts';
import { saveFile } from '../pictures/saveFile.ts';
import check from './check.py?raw';
import bareSnippet from './diffusers.py?raw';
import styles from './export.module.css';
import { useEncoded } from './useEncoded.ts';

const formats = [...conditioningFormats, 'csv', 'json'] as const;
type Format = (typeof formats)[number];
/** A format of a file that holds the numbers. */
type NumbersFormat = Exclude<Format, 'json'>;

const formatNames: Record<Format, string> = {
  safetensors: 'safetensors',
  npz: 'NumPy, all arrays (.npz)',
  npy: 'NumPy, prompt_embeds alone (.npy)',
  csv: 'Spreadsheet (.csv)',
  json: 'The session, without numbers (.json)',
};

const helps: Record<Format, string> = {
  safetensors: 'For diffusers and PyTorch. Prompts, options, ids and weights are in its metadata.',
  npz: 'For NumPy: numpy.load. Prompts, options, ids and weights are in its metadata.json.',
  npy: 'One array and nothing else. The parts of an AND are stacked.',
  csv: 'A line a token: its id, weight and norm, then its values.',
  json: 'Prompts, options, tokens, ids, weights and selection. Opens here again, as a saved prompt does.',
};

/** Lets the person choose a format, shows what the file will hold, and saves it. */
export function Export() {
  const [format, setFormat] = useState<Format>('safetensors');
  const id = useId();
  return (
    <div className={styles.export} id="export-file">
      <div className="field">
        <label htmlFor={id}>Format</label>
        <select
          id={id}
          value={format}
          aria-describedby={`${id}-help`}
          onChange={(event) => setFormat(event.target.value as Format)}
        >
          {formats.map((name) => (
            <option key={name} value={name}>
              {formatNames[name]}
            </option>
          ))}
        </select>
        <p className="help" id={`${id}-help`}>
          {helps[format]}
        </p>
      </div>
      {format === 'json' ? <SaveSession /> : <SaveNumbers format={format} />}
      <Diffusers format={format} />
      <Check />
    </div>
  );
}

function SaveSession() {
  const store = use(StoreContext);
  const hasAll = useFacts(isSessionWhole);
  const isReading = useFacts((s) => sides.some((side) => isBeingRead(s, side)));
  return (
    <div className="row">
      <button
        type="button"
        className="primary"
        disabled={!store || !hasAll}
        onClick={() => store && saveFile('session.json', writeSession(store.getState()), 'application/json')}
      >
        Download session.json
      </button>
      <p className="muted small" role="status" aria-label="Session">
        {isReading && 'A long prompt is still being read: the session waits for its tokens.'}
      </p>
    </div>
  );
}

/** Name of the saved file, which the check script and the snippet use. */
const nameOf = (format: Format) => `conditioning.${format}`;

function SaveNumbers({ format }: { format: NumbersFormat }) {
  const { done, total } = useEncoded('export');
  const shapes = useFacts(exportedShapes);
  const work = useFacts(exportWork);
  const { value, isStale } = useSliced(work, work?.isLong ?? false);
  const exported = isStale ? undefined : value;
  const metadata = useFacts(exportedMetadata);
  const tokenizer = useFacts(tokenizerOf);
  const hasModel = useFacts((s) => s.model !== null);
  const isMissing = useFacts((s) => s.noEngine !== null);
  const finite = exported?.isFinite ?? true;
  const contents = useMemo(
    () => (exported && metadata && tokenizer ? { format, exported, metadata, tokenizer } : null),
    [format, exported, metadata, tokenizer],
  );
  const writing = useWriting(contents, work?.isLong ?? false);
  const kept = (shapes ?? []).filter(({ name, dtype }) => {
    if (format === 'npy') return name.startsWith('prompt_embeds');
    return format !== 'csv' || dtype === 'F32';
  });
  const sizes = kept.map(({ shape, dtype }) => shape.reduce((a, b) => a * b, 1) * (dtype === 'F32' ? 4 : 8));

  return (
    <>
      <table className={styles.tensors} aria-label="What the file will hold">
        <thead>
          <tr>
            <th scope="col">Array</th>
            <th scope="col">Shape</th>
            <th scope="col" className={styles.number}>
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {kept.map(({ name, dtype, shape }, i) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                [{shape.join(', ')}] <span className="muted">{dtype}</span>
              </td>
              <td className={styles.number}>{format === 'csv' ? `${shape[1]} lines` : bytes(sizes[i])}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Length />
      {!finite && (
        <p className="warning">
          {(exported && whyNotFinite(exported.pair)) ??
            'With these weights the method divides by zero or multiplies by infinity, so some numbers are not finite.'}{' '}
          Change the weights to save the file.
        </p>
      )}
      <div className="row">
        <button
          type="button"
          className="primary"
          disabled={!contents || !finite || writing.isUnderway}
          onClick={writing.begin}
        >
          Download {nameOf(format)}
        </button>
        <p className="muted small" role="status" aria-label="Export">
          {isMissing
            ? 'The numbers come from the encoder, which cannot run here.'
            : !hasModel
              ? 'The numbers need a model.'
              : exported
                ? readyText(metadata !== undefined, writing.isUnderway, writing.share)
                : work
                  ? 'Computing the numbers'
                  : `Encoding: ${done} of ${total} runs of the encoder`}
        </p>
      </div>
    </>
  );
}

/** Says what programs make of a file whose chunks are not as long as Stable Diffusion's. */
function Length() {
  const L = useFacts((s) => shownConfig(s).maxPositionEmbeddings);
  if (L === contextLength) return null;
  return (
    <p className="help">
      The chunks have {L} rows, as this encoder has {L} positions. The U-Net takes any number of rows, so diffusers uses
      the file as it is; a program that encodes the prompt itself with {contextLength} positions makes chunks of{' '}
      {contextLength} rows, or cuts it off, and has other numbers.
    </p>
  );
}

function readyText(hasMetadata: boolean, isWriting: boolean, share: number): string {
  if (!hasMetadata) return 'The weights are being hashed for the file’s metadata.';
  if (!isWriting) return 'Ready';
  return share > 0 ? `Writing the file: ${Math.floor(100 * share)} %` : 'Writing the file';
}

/** A file that is to be written. */
interface Contents {
  readonly format: NumbersFormat;
  readonly exported: Exported;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tokenizer: Tokenizer;
}

/** Gives the pieces of a file. Lines of a spreadsheet go to the browser as they are written, because they are too many for the page. */
function* writingFile(
  { format, exported: { tensors }, metadata, tokenizer }: Contents,
  onPiece?: (pieces: number) => void,
): Slices<BlobPart[]> {
  if (format !== 'csv') return yield* writingConditioning(format, tensors, metadata);
  const pieces: BlobPart[] = [];
  yield* writingCsv(
    tensors,
    (token) => tokenLabel(token, tokenizer),
    (text) => {
      pieces.push(new Blob([text]));
      onPiece?.(pieces.length);
    },
  );
  return pieces;
}

/** Writes a file and saves it when asked to: at once, or where it is long in slices, until other numbers or another format are on show. */
function useWriting(contents: Contents | null, isLong: boolean) {
  const [asked, setAsked] = useState<Contents | null>(null);
  const [share, setShare] = useState(0);
  const isUnderway = asked !== null && asked === contents;
  const save = ({ format }: Contents, pieces: readonly BlobPart[]) =>
    saveFile(nameOf(format), pieces, format === 'csv' ? 'text/csv' : 'application/octet-stream');
  useEffect(() => {
    if (!asked || !isUnderway) return;
    const rows = asked.exported.tensors.reduce((sum, tensor) => sum + (tensor.rows?.length ?? 0), 0);
    const onPiece = (pieces: number) => setShare((pieces * linesAtOnce) / rows);
    return inSlices(writingFile(asked, onPiece), (pieces) => {
      save(asked, pieces);
      setAsked(null);
    });
  }, [asked, isUnderway]);
  return {
    isUnderway,
    /** How much of a spreadsheet is written, from 0 to 1; 0 of other formats, which are quickly done. */
    share,
    begin() {
      if (!contents) return;
      setShare(0);
      if (isLong) setAsked(contents);
      else save(contents, whole(writingFile(contents)));
    },
  };
}

const isNumeric = (format: Format): format is ConditioningFormat => conditioningFormats.some((name) => name === format);

function Diffusers({ format }: { readonly format: Format }) {
  if (isNumeric(format)) return <Snippet format={format} />;
  return (
    <div className={styles.script}>
      <h3>Use it with diffusers</h3>
      <p className="help">
        {format === 'csv'
          ? 'A spreadsheet is for looking at. diffusers takes the numbers as safetensors, .npz or .npy: choose one of these.'
          : 'The session holds no numbers: it opens here again. diffusers takes safetensors, .npz or .npy: choose one of these.'}
      </p>
    </div>
  );
}

function Snippet({ format }: { readonly format: ConditioningFormat }) {
  const parts = useFacts((s) => exportedPair(s)?.positive.conditionings.length ?? 1);
  const networks = useFacts(exportedNetworks);
  const read = snippetFor(format, bareSnippet);
  const snippet = networks ? snippetWith(read, networks) : read;
  return (
    <div className={styles.script}>
      <header>
        <h3>Use it with diffusers</h3>
        <CopyButton text={snippet} label="Snippet" />
      </header>
      {parts > 1 && (
        <p className="warning">
          diffusers has no AND: it takes one of prompt_embeds.0 to prompt_embeds.{parts - 1}, and this snippet names
          none of them.
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll, and the keyboard must reach them */}
      <section tabIndex={0} aria-label="Snippet for diffusers">
        <pre>{snippet}</pre>
      </section>
    </div>
  );
}

function Check() {
  const pair = useFacts(exportedPair);
  const random = useFacts((s) => s.model?.random);
  const isSmall = useFacts((s) => s.model?.knownIds !== undefined);
  const networks = useFacts(exportedNetworks);
  const why = pair ? whyUnchecked(pair) : null;
  const files = networks ? checkedFiles(networks) : null;
  return (
    <div className={styles.script}>
      <header>
        <h3>Check it with transformers</h3>
        <button type="button" className="small" onClick={() => saveFile('check.py', check, 'text/x-python')}>
          Download check.py
        </button>
      </header>
      <p className="help">
        <code>python check.py conditioning.safetensors MODEL</code> recomputes the safetensors file with transformers’{' '}
        <code>CLIPTextModel</code>, from the ids and weights in it, and prints the largest difference. MODEL is a
        folder, a name on Hugging Face, or a .safetensors checkpoint.
      </p>
      {why ? <p className="warning">{why}</p> : files && <p className="help">{files}</p>}
      {random && !why && (
        <p className="help">It needs a real model: with made-up weights there is nothing to check against.</p>
      )}
      {isSmall && !why && (
        <p className="help">
          It needs Stable Diffusion’s encoder: the small model of shapes in use has no rows for most of CLIP’s ids.
        </p>
      )}
    </div>
  );
}
