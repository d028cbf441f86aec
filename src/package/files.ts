/** `clipscope/files`: checkpoints, embeddings and tensors in files, in browsers and workers. */
import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import type { WeightSource } from '../clip/weights.ts';
import { SourceError } from '../files/sources.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { Checkpoint } from '../models/openCheckpoint.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { type FileInput, fileOpeners, type LoraOptions, type OpenedLora, type OpenOptions } from './fileOpening.ts';

export { SafetensorsError, TrailingBytesError, writeSafetensors } from '../files/safetensors.ts';
export { type ByteSource, SourceError } from '../files/sources.ts';
export type { StoredTensor, TensorDtype, TensorFile } from '../files/tensorFile.ts';
export { TorchFileError } from '../files/torchFile.ts';
export { type Embedding, EmbeddingError } from '../models/embeddingFile.ts';
export { LoraError } from '../models/loraFile.ts';
export { type Checkpoint, CheckpointError } from '../models/openCheckpoint.ts';
export type { FileInput, LoraOptions, OpenedLora, OpenOptions };

const opening = fileOpeners((path) => {
  throw new SourceError(`"${path}" is a path, which only Node opens: give a File, a Blob or the file's bytes.`);
});

/**
 * Opens a file of named tensors, safetensors or PyTorch's (no code in it is run). Its directory is read, tensors when they are
 * asked for. Rejects with SafetensorsError, TrailingBytesError, TorchFileError or SourceError: one sentence that names the file.
 */
export function openTensors(input: FileInput, options?: OpenOptions): Promise<TensorFile> {
  return opening.openTensors(input, options);
}

/**
 * Finds the text encoder in a checkpoint, whatever its tensors are called there, and checks every name, shape and type. Rejects
 * with CheckpointError, too.
 */
export function openCheckpoint(input: FileInput, options?: OpenOptions): Promise<Checkpoint> {
  return opening.openCheckpoint(input, options);
}

/** Reads textual inversions; `hiddenSize` is the width of the encoder that they are for. Rejects with EmbeddingError, too. */
export function openEmbeddings(
  input: FileInput,
  options?: OpenOptions & { readonly hiddenSize?: number },
): Promise<Embedding[]> {
  return opening.openEmbeddings(input, options);
}

/**
 * Reads the text encoder's part of a LoRA of any kind, for a checkpoint or an encoder, whose sizes it is checked against.
 * `updates` is empty where it changes only the U-Net; `leftOut` says what cannot be merged. Rejects with LoraError, too.
 */
export function openLora(
  input: FileInput,
  model: { readonly config: ClipTextConfig },
  options?: LoraOptions,
): Promise<OpenedLora> {
  return opening.openLora(input, model, options);
}

/** Makes a model of random weights, the same everywhere to the bit: to test with, without a download. */
export function syntheticCheckpoint(size: 'tiny' | 'full' = 'tiny'): WeightSource {
  return syntheticWeights(size === 'tiny' ? clipTiny : clipVitL14);
}
