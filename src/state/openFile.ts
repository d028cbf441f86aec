import type { Embedding } from '../checkpoint/embeddingFile.ts';
import { isPng, readPngText } from '../checkpoint/pngText.ts';
import { type ByteSource, blobSource } from '../checkpoint/sources.ts';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { type Infotext, parseInfotext } from '../prompt/infotext.ts';
import type { ConditioningFile } from '../weighting/conditioningFile.ts';
import { readSharedFile, type Shared, SharedError } from './shared.ts';

/** What a file holds: a picture made by A1111, a saved prompt, conditionings, textual inversions, or else weights. */
export type Opened =
  | { readonly kind: 'infotext'; readonly infotext: Infotext }
  | { readonly kind: 'shared'; readonly shared: Shared }
  | { readonly kind: 'conditioning'; readonly file: ConditioningFile }
  | { readonly kind: 'embeddings'; readonly embeddings: readonly Embedding[] }
  | { readonly kind: 'checkpoint' };

const headSize = 16;
/** Of the encoders that can be loaded, so that an embedding can be opened before its model. */
const widths = [clipVitL14.hiddenSize, clipTiny.hiddenSize];

/** Throws SharedError, ConditioningFileError, EmbeddingError, or SourceError where the file cannot be read. */
export async function readOpened(file: File): Promise<Opened> {
  const source = blobSource(file);
  const head = await source.read(0, Math.min(source.size, headSize));
  if (isPng(head)) {
    const texts = await readPngText(source);
    if (texts.has('sd-ti-embedding')) {
      const { openEmbeddings } = await import('../checkpoint/embeddingFile.ts');
      return { kind: 'embeddings', embeddings: await openEmbeddings(source, { hiddenSize: widths }) };
    }
    const text = texts.get('parameters');
    if (!text) throw new SharedError('is a picture without the generation data that A1111 writes into its own');
    const infotext = parseInfotext(text) ?? { prompt: text.trim(), negativePrompt: '', parameters: new Map() };
    return { kind: 'infotext', infotext };
  }
  if (/^\s*\{/.test(new TextDecoder().decode(head))) return { kind: 'shared', shared: await readSharedFile(file) };
  const { openConditioning } = await import('../weighting/conditioningFile.ts');
  const conditioning = await openConditioning(source);
  if (conditioning) return { kind: 'conditioning', file: conditioning };
  const embeddings = await readEmbeddings(source);
  return embeddings ? { kind: 'embeddings', embeddings } : { kind: 'checkpoint' };
}

/** Null where the file holds something else, or cannot be read: that is told by whoever opens it as a checkpoint. */
async function readEmbeddings(source: ByteSource): Promise<readonly Embedding[] | null> {
  const [{ isEmbeddingFile, readEmbeddings }, { openTensorFile }] = await Promise.all([
    import('../checkpoint/embeddingFile.ts'),
    import('../checkpoint/openTensorFile.ts'),
  ]);
  const file = await openTensorFile(source).catch(() => null);
  return file && isEmbeddingFile(file.tensors) ? readEmbeddings(file, { hiddenSize: widths }) : null;
}
