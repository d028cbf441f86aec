import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { fileKind } from '../files/fileKind.ts';
import { type PictureFormat, pictureFormat, pictureHeadSize } from '../files/pictureFormat.ts';
import { type ByteSource, blobSource } from '../files/sources.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { ConditioningFile } from '../road/export/conditioningFile.ts';
import type { WrittenPrompts } from '../road/writtenPrompts.ts';
import { readShared, readSharedFile, type Shared, SharedError } from './shared.ts';

/** The contents of a file: prompts that a program wrote, a saved prompt or a picture with one in it, conditionings, textual inversions, a LoRA, a U-Net, or else weights. */
export type Opened =
  | { readonly kind: 'prompts'; readonly written: WrittenPrompts }
  | { readonly kind: 'shared'; readonly shared: Shared }
  | { readonly kind: 'conditioning'; readonly file: ConditioningFile }
  | { readonly kind: 'embeddings'; readonly embeddings: readonly Embedding[] }
  /** A LoRA may bring textual inversions; `problem` says in one sentence why they cannot be used. */
  | { readonly kind: 'lora'; readonly embeddings: readonly Embedding[]; readonly problem: string | null }
  /** PEFT's settings of a LoRA. */
  | { readonly kind: 'adapterConfig'; readonly json: string }
  /** A LoRA or embeddings with bytes that belong to nothing: what is wrong, and the file without them. */
  | { readonly kind: 'trailing'; readonly problem: string; readonly file: File }
  /** A U-Net without a text encoder. */
  | { readonly kind: 'unet' }
  | { readonly kind: 'checkpoint' };

/** Widths of the encoders that can be loaded, so that an embedding can be opened before its model. */
const widths = [clipVitL14.hiddenSize, clipTiny.hiddenSize];

/**
 * Finds out what a file is and reads it. Throws SharedError, NoPromptError, ConditioningFileError, EmbeddingError,
 * SafetensorsError or TorchFileError for one that is damaged or of no kind that is known, and SourceError where it cannot be
 * read.
 */
export async function readOpened(file: File): Promise<Opened> {
  const source = blobSource(file);
  const head = await source.read(0, Math.min(source.size, pictureHeadSize));
  const format = pictureFormat(head);
  if (format) return openPicture(source, format);
  // The length of a safetensors header may begin as JSON does.
  const isJson = fileKind(head) !== 'safetensors' && /^\s*\{/.test(new TextDecoder().decode(head));
  const isText = /\.txt$/i.test(file.name) || file.type === 'text/plain';
  if (isJson || isText) {
    const opened = isJson && (await openJson(file));
    if (opened) return opened;
    const { readGraphFile, readTextPrompts } = await import('../road/readPrompts.ts');
    const written = isText ? await readTextPrompts(source) : await readGraphFile(source);
    return written ? { kind: 'prompts', written } : { kind: 'shared', shared: await readSharedFile(file) };
  }
  const { openConditioning } = await import('../road/export/conditioningFile.ts');
  const conditioning = await openConditioning(source);
  if (conditioning) return { kind: 'conditioning', file: conditioning };
  const { openTensorFile } = await import('../files/openTensorFile.ts');
  let trailing: string | null = null;
  const tensors = await openTensorFile(source).catch((error) => {
    if (!(error instanceof Error && error.name === 'TrailingBytesError')) throw error;
    trailing = error.message;
    return openTensorFile(source, undefined, { passTrailingBytes: true });
  });
  const [{ hasLoraNames }, { bringsEmbeddings, EmbeddingError, isEmbeddingFile, readEmbeddings }] = await Promise.all([
    import('../models/loraFile.ts'),
    import('../models/embeddingFile.ts'),
  ]);
  if (trailing !== null && (hasLoraNames(tensors) || isEmbeddingFile(tensors.tensors))) {
    const whole = file.slice(0, file.size - (tensors.trailingBytes ?? 0));
    return { kind: 'trailing', problem: trailing, file: new File([whole], file.name) };
  }
  if (hasLoraNames(tensors)) {
    if (!bringsEmbeddings(tensors)) return { kind: 'lora', embeddings: [], problem: null };
    try {
      const embeddings = await readEmbeddings(tensors, { hiddenSize: widths });
      return { kind: 'lora', embeddings, problem: null };
    } catch (error) {
      if (!(error instanceof EmbeddingError)) throw error;
      return { kind: 'lora', embeddings: [], problem: error.message };
    }
  }
  if (!isEmbeddingFile(tensors.tensors)) return { kind: (await isUnetAlone(tensors)) ? 'unet' : 'checkpoint' };
  return { kind: 'embeddings', embeddings: await readEmbeddings(tensors, { hiddenSize: widths }) };
}

async function isUnetAlone(file: TensorFile): Promise<boolean> {
  const [{ hasUnet }, { findLayout }] = await Promise.all([
    import('../models/unetFile.ts'),
    import('../models/tensorNames.ts'),
  ]);
  return hasUnet(file) && !findLayout(file.tensors);
}

/**
 * Opens a picture: an embedding in its texts, a prompt saved by this page, the prompts that another program wrote into it,
 * or else an embedding in its pixels.
 */
async function openPicture(source: ByteSource, format: PictureFormat): Promise<Opened> {
  const [{ readPngTexts }, { NoPromptError, readPicturePrompts }] = await Promise.all([
    import('../files/pngText.ts'),
    import('../road/readPrompts.ts'),
  ]);
  const texts = format === 'PNG' ? (await readPngTexts(source)).texts : null;
  const own = texts?.get('clipscope');
  if (own !== undefined) return { kind: 'shared', shared: readShared(own) };
  const card = async () => {
    const { openEmbeddingCard } = await import('../models/embeddingFile.ts');
    return openEmbeddingCard(source, format, { hiddenSize: widths });
  };
  try {
    const embeddings = texts?.has('sd-ti-embedding') ? await card() : null;
    if (embeddings) return { kind: 'embeddings', embeddings };
    return { kind: 'prompts', written: await readPicturePrompts(source, format) };
  } catch (error) {
    const embeddings = error instanceof NoPromptError ? await card() : null;
    if (embeddings) return { kind: 'embeddings', embeddings };
    throw error;
  }
}

/** PEFT's settings are a few kilobytes, the index of a model some hundred. */
const longestJson = 1 << 20;

/** Reads the text of PEFT's settings; null for any other file. */
export async function readAdapterConfig(file: File): Promise<string | null> {
  if (file.size > longestJson) return null;
  const json = await file.text();
  const { isPeftConfig } = await import('../models/peftConfig.ts');
  return isPeftConfig(json) ? json : null;
}

/** Reads PEFT's settings; null for JSON of another program. Throws SharedError for JSON that lies beside a model's weights. */
async function openJson(file: File): Promise<Opened | null> {
  const json = await readAdapterConfig(file);
  if (json !== null) return { kind: 'adapterConfig', json };
  const { describeModelJson } = await import('../models/modelJson.ts');
  const description = file.size > longestJson ? null : describeModelJson(await file.text());
  if (description !== null) throw new SharedError(description);
  return null;
}
