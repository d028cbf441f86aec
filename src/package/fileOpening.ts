/** Opening of files, by whatever names the surroundings know them. */
import type { ClipTextConfig } from '../clip/config.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { type ByteSource, blobSource } from '../files/sources.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import { type Embedding, openEmbeddings as readEmbeddingFile } from '../models/embeddingFile.ts';
import { type Lora, readLora } from '../models/loraFile.ts';
import { type Checkpoint, textEncoder } from '../models/openCheckpoint.ts';

/** A file: one that a person chose, its bytes, a path or file: address in Node, or anything that reads bytes in pieces. */
export type FileInput = Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | string | URL | ByteSource;

export interface OpenOptions {
  /** The file's name, for messages and for the names of embeddings; by default that of the file, or "file". */
  readonly name?: string;
  readonly signal?: AbortSignal;
  /** Passes over bytes after the last tensor, as ComfyUI does; otherwise TrailingBytesError is thrown, as A1111 refuses them. */
  readonly passTrailingBytes?: boolean;
}

export interface LoraOptions extends OpenOptions {
  /** Text of the `adapter_config.json` beside a LoRA of PEFT, in which its alpha stands. */
  readonly adapterConfig?: string;
}

/** A LoRA, and the encoder that it was opened for. */
export interface OpenedLora extends Lora {
  readonly config: ClipTextConfig;
}

/** The functions of `clipscope/files` that open something. */
export interface FileOpeners {
  openTensors(input: FileInput, options?: OpenOptions): Promise<TensorFile>;
  openCheckpoint(input: FileInput, options?: OpenOptions): Promise<Checkpoint>;
  openEmbeddings(input: FileInput, options?: OpenOptions & { readonly hiddenSize?: number }): Promise<Embedding[]>;
  openLora(input: FileInput, model: { readonly config: ClipTextConfig }, options?: LoraOptions): Promise<OpenedLora>;
}

/** Makes the functions that open files; `pathSource` opens a path or an address. */
export function fileOpeners(pathSource: (path: string | URL) => ByteSource): FileOpeners {
  function sourceOf(input: FileInput, name: string | undefined): ByteSource {
    if (typeof input === 'string' || input instanceof URL) return named(pathSource(input), name);
    if (input instanceof Blob) return blobSource(input, name);
    if (input instanceof ArrayBuffer || ArrayBuffer.isView(input)) return blobSource(new Blob([input]), name);
    return named(input, name);
  }
  const openTensors: FileOpeners['openTensors'] = async (input, { name, signal, ...options } = {}) =>
    openTensorFile(sourceOf(input, name), signal, options);
  return {
    openTensors,
    async openCheckpoint(input, options) {
      return textEncoder(await openTensors(input, options));
    },
    async openEmbeddings(input, { name, ...options } = {}) {
      return readEmbeddingFile(sourceOf(input, name), options);
    },
    async openLora(input, { config }, { adapterConfig, ...options } = {}) {
      const file = await openTensors(input, options);
      return { ...(await readLora(file, { config, adapterConfig, signal: options.signal })), config };
    },
  };
}

function named(source: ByteSource, name: string | undefined): ByteSource {
  if (name === undefined) return source;
  return { name, size: source.size, read: (start, end, signal) => source.read(start, end, signal) };
}
