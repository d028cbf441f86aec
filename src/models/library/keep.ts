import { expectedTensors } from '../../clip/weights.ts';
import { safetensorsHeader } from '../../files/safetensors.ts';
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

/**
 * Stores an encoder as a safetensors file of only its tensors, by their Hugging Face names, whatever file it is read
 * from. The weights stay the same to the bit. One tensor is in memory at a time. Throws StorageError, the signal's
 * reason, or what `encoder` throws; then nothing of it is stored.
 */
export async function keepEncoder(
  encoder: Checkpoint,
  { into, source, sha256, signal, onProgress, clock = systemClock }: KeepOptions,
): Promise<StoredModel> {
  const known = (await into.list()).find((model) => model.complete && model.source === source);
  if (known) return known;
  const specs = [...expectedTensors(encoder.config).keys()].map((name) => ({ name, ...encoder.tensor(name) }));
  const { header, order, bytes } = safetensorsHeader(specs, encoder.copiedMetadata);
  const report = progressReporter(onProgress, clock.now);
  const sink = await into.sink({ name: encoder.name, source });
  try {
    await sink.begin({ version: null, bytes });
    report(0, bytes);
    await sink.write(header);
    for (const { name } of order) {
      const data = await encoder.read(name, signal);
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
