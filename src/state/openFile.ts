import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { isPng, readPngText } from '../files/pngText.ts';
import { blobSource } from '../files/sources.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import { type Infotext, parseInfotext } from '../prompt/a1111/infotext.ts';
import type { ConditioningFile } from '../road/export/conditioningFile.ts';
import { readShared, readSharedFile, type Shared, SharedError } from './shared.ts';

/** The contents of a file: a picture made by A1111, a saved prompt or a picture with one in it, conditionings, textual inversions, a LoRA, or else weights. */
export type Opened =
  | { readonly kind: 'infotext'; readonly infotext: Infotext }
  | { readonly kind: 'shared'; readonly shared: Shared }
  | { readonly kind: 'conditioning'; readonly file: ConditioningFile }
  | { readonly kind: 'embeddings'; readonly embeddings: readonly Embedding[] }
  /** A LoRA may bring textual inversions; `problem` says in one sentence why they cannot be used. */
  | { readonly kind: 'lora'; readonly embeddings: readonly Embedding[]; readonly problem: string | null }
  | { readonly kind: 'checkpoint' };

const headSize = 16;
/** Widths of the encoders that can be loaded, so that an embedding can be opened before its model. */
const widths = [clipVitL14.hiddenSize, clipTiny.hiddenSize];

/** Finds out what a file is and reads it. Throws SharedError, ConditioningFileError, EmbeddingError, or SourceError where the file cannot be read. */
export async function readOpened(file: File): Promise<Opened> {
  const source = blobSource(file);
  const head = await source.read(0, Math.min(source.size, headSize));
  if (isPng(head)) {
    const texts = await readPngText(source);
    if (texts.has('sd-ti-embedding')) {
      const { openEmbeddings } = await import('../models/embeddingFile.ts');
      return { kind: 'embeddings', embeddings: await openEmbeddings(source, { hiddenSize: widths }) };
    }
    const own = texts.get('clipscope');
    if (own !== undefined) return { kind: 'shared', shared: readShared(own) };
    const text = texts.get('parameters');
    if (!text) throw new SharedError('is a picture without the generation data that A1111 writes into its own');
    const infotext = parseInfotext(text) ?? { prompt: text.trim(), negativePrompt: '', parameters: new Map() };
    return { kind: 'infotext', infotext };
  }
  if (/^\s*\{/.test(new TextDecoder().decode(head))) return { kind: 'shared', shared: await readSharedFile(file) };
  const { openConditioning } = await import('../road/export/conditioningFile.ts');
  const conditioning = await openConditioning(source);
  if (conditioning) return { kind: 'conditioning', file: conditioning };
  const { openTensorFile } = await import('../files/openTensorFile.ts');
  // The code that opens the file for good says what is wrong with it.
  const tensors = await openTensorFile(source).catch(() => null);
  if (!tensors) return { kind: 'checkpoint' };
  const [{ hasLoraNames }, { bringsEmbeddings, EmbeddingError, isEmbeddingFile, readEmbeddings }] = await Promise.all([
    import('../models/loraFile.ts'),
    import('../models/embeddingFile.ts'),
  ]);
  if (hasLoraNames(tensors)) {
    if (!bringsEmbeddings(tensors.tensors)) return { kind: 'lora', embeddings: [], problem: null };
    try {
      const embeddings = await readEmbeddings(tensors, { hiddenSize: widths });
      return { kind: 'lora', embeddings, problem: null };
    } catch (error) {
      if (!(error instanceof EmbeddingError)) throw error;
      return { kind: 'lora', embeddings: [], problem: error.message };
    }
  }
  if (!isEmbeddingFile(tensors.tensors)) return { kind: 'checkpoint' };
  return { kind: 'embeddings', embeddings: await readEmbeddings(tensors, { hiddenSize: widths }) };
}
