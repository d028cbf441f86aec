import { expectedTensors } from '../../clip/weights.ts';
import { safetensorsHeader, type TensorEntry } from '../../files/safetensors.ts';
import { dtypeBytes, type TensorDtype } from '../../files/tensorFile.ts';
import type { Checkpoint } from '../openCheckpoint.ts';
import { type DownloadProgress, type Hasher, hashedAtOnce, hashSource, progressReporter } from './download.ts';
import { type Clock, systemClock } from './httpSource.ts';
import type { ModelStorage, StoredModel } from './storage.ts';

export interface KeepOptions {
  readonly into: ModelStorage;
  /** Source to store the model under; see keptSource. If a complete model is stored under it, that one is returned. */
  readonly source: string;
  readonly sha256: () => Hasher;
  /** Cancels when aborted, and leaves nothing behind. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly clock?: Clock;
}

interface KeptTensor extends TensorEntry {
  read(signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** The encoder's tensors by their Hugging Face names, and those of its projection as they are stored, good or not. */
function keptTensors(encoder: Checkpoint): KeptTensor[] {
  const own = [...expectedTensors(encoder.config).keys()].map((name) => ({
    ...{ name, ...encoder.tensor(name) },
    read: (signal?: AbortSignal) => encoder.read(name, signal),
  }));
  const beside = encoder.beside
    .filter(({ tensor }) => Object.hasOwn(dtypeBytes, tensor.dtype))
    .map(({ bare, tensor }) => ({
      ...{ name: bare, dtype: tensor.dtype as TensorDtype, shape: tensor.shape },
      read: (signal?: AbortSignal) => tensor.read(signal),
    }));
  return [...own, ...beside];
}

/**
 * Stores an encoder, and the projection beside it, as a safetensors file of only their tensors, whatever file they are read
 * from. The weights stay the same to the bit. One tensor is in memory at a time. Throws StorageError, the signal's
 * reason, or what `encoder` throws; then nothing of it is stored.
 */
export async function keepEncoder(
  encoder: Checkpoint,
  { into, source, sha256, signal, onProgress, clock = systemClock }: KeepOptions,
): Promise<StoredModel> {
  const known = (await into.list()).find((model) => model.complete && model.source === source);
  if (known) return known;
  const { header, order, bytes } = safetensorsHeader(keptTensors(encoder), encoder.copiedMetadata);
  const report = progressReporter(onProgress, clock.now);
  const sink = await into.sink({ name: encoder.name, source });
  try {
    await sink.begin({ version: null, bytes });
    report(0, bytes);
    await sink.write(header);
    for (const { read } of order) {
      const data = await read(signal);
      for (let at = 0; at < data.length; at += hashedAtOnce) {
        signal?.throwIfAborted();
        await sink.write(data.subarray(at, at + hashedAtOnce));
        report(sink.size, bytes);
      }
    }
    // The bytes are read again from the storage, so that the hashed bytes are the ones that will be used.
    const hash = await hashSource(await sink.written(), sha256(), (done) => report(done, bytes, true), signal);
    signal?.throwIfAborted();
    return await sink.commit({ sha256: hash, source });
  } catch (error) {
    await into.delete(sink.id).catch(() => {});
    throw error;
  }
}
