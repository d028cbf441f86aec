import type { ByteSource } from '../../files/sources.ts';
import { describeModel, fileNames, readRecord, removeModel, writeRecord } from './modelRecords.ts';
import { type ModelSink, type Part, StorageError, type StorageQuota, type StoredModel } from './storage.ts';
import { noRoom, storageError, usage } from './storageErrors.ts';
import type { StorageFiles, StorageWriter } from './storageFiles.ts';

/** The storage that a sink writes into, as far as the sink needs it. */
export interface SinkSurroundings {
  readonly files: StorageFiles;
  readonly quota: StorageQuota;
  /** Milliseconds since 1970. */
  now(): number;
  /** Is called once, when the sink is committed, closed or discarded. */
  onEnd(): void;
}

/** Writes one model. `openFileSink` makes it. */
export class FileSink implements ModelSink {
  readonly id: string;
  readonly source: string;
  part: Part | null;
  size: number;
  private readonly name: string;
  private readonly surroundings: SinkSurroundings;
  private addedAt: number;
  private writer: StorageWriter | null;
  private state: 'open' | 'closed' | 'deleted' = 'open';
  /** Settles when the last step that was asked for is done. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    surroundings: SinkSurroundings,
    model: { readonly id: string; readonly name: string; readonly source: string; readonly addedAt: number },
    writer: StorageWriter,
    part: Part | null,
  ) {
    this.surroundings = surroundings;
    this.id = model.id;
    this.name = model.name;
    this.source = model.source;
    this.addedAt = model.addedAt;
    this.writer = writer;
    this.part = part;
    this.size = writer.size;
  }

  begin(part: Part): Promise<void> {
    const { files, quota, now } = this.surroundings;
    return this.inTurn(async () => {
      const { used, allowed } = await usage(quota);
      if (used !== undefined && allowed !== undefined && allowed - used + this.size < part.bytes)
        throw await noRoom(quota, this.name, part.bytes - this.size);
      const writer = await this.openWriter();
      // The old bytes go before the new record is written, so that no record ever describes bytes of another file.
      await writer.clear();
      this.size = 0;
      this.part = part;
      this.addedAt = now();
      const { name, source, addedAt } = this;
      await writeRecord(files, fileNames(this.id).part, { name, source, addedAt, ...part });
    });
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.inTurn(async () => {
      const writer = await this.openWriter();
      try {
        await writer.write(bytes);
      } finally {
        this.size = writer.size;
      }
    });
  }

  written(): Promise<ByteSource> {
    return this.inTurn(async () => {
      await this.closeWriter();
      const source = await this.surroundings.files.open(fileNames(this.id).bytes);
      return {
        ...source,
        name: this.name,
        read: (start: number, end: number, signal?: AbortSignal) =>
          this.inTurn(() => source.read(start, end, signal), signal),
      };
    });
  }

  commit({ sha256, source }: { readonly sha256: string; readonly source: string }): Promise<StoredModel> {
    const { files, onEnd } = this.surroundings;
    const names = fileNames(this.id);
    return this.inTurn(async () => {
      await this.closeWriter();
      const { name, addedAt, size } = this;
      await writeRecord(files, names.record, { name, source, addedAt, bytes: size, sha256 });
      await files.remove(names.part);
      this.state = 'closed';
      onEnd();
      return describeModel(files, this.id);
    });
  }

  async close(): Promise<void> {
    if (this.state !== 'open') return;
    await this.inTurn(async () => {
      this.state = 'closed';
      try {
        await this.closeWriter();
        if (this.size === 0) await removeModel(this.surroundings.files, this.id);
      } finally {
        this.surroundings.onEnd();
      }
    });
  }

  /** Ends the writing, after the step that is under way, and deletes the model. */
  discard(): Promise<void> {
    return this.inTurn(async () => {
      this.state = 'deleted';
      await this.closeWriter().catch(() => {});
      await removeModel(this.surroundings.files, this.id);
      this.surroundings.onEnd();
    });
  }

  /** Runs `step` after all steps before it. */
  private inTurn<T>(step: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const result = this.last.then(async () => {
      try {
        if (this.state === 'deleted')
          throw new StorageError('deleted', `"${this.name}" was deleted while it was being stored.`);
        return await step();
      } catch (error) {
        signal?.throwIfAborted();
        throw await storageError(error, this.surroundings.quota, this.name, (this.part?.bytes ?? 0) - this.size);
      }
    });
    this.last = result.catch(() => {});
    return result;
  }

  private async closeWriter(): Promise<void> {
    const { writer } = this;
    this.writer = null;
    await writer?.close();
  }

  private async openWriter(): Promise<StorageWriter> {
    if (this.state !== 'open') throw new StorageError('busy', `"${this.name}" is no longer open for writing.`);
    this.writer ??= await this.surroundings.files.append(fileNames(this.id).bytes);
    return this.writer;
  }
}

/** Opens a model for writing, at the end of the part that is stored of it. Throws errors of the platform. */
export async function openFileSink(
  surroundings: SinkSurroundings,
  model: { readonly id: string; readonly name: string; readonly source: string },
): Promise<FileSink> {
  const { files, now } = surroundings;
  const names = fileNames(model.id);
  const record = await readRecord(files, names.part);
  const writer = await files.append(names.bytes);
  const part = record && { version: record.version ?? null, bytes: record.bytes };
  // Bytes without a record could be of any file.
  if (!part && writer.size > 0) await writer.clear();
  return new FileSink(surroundings, { ...model, addedAt: record?.addedAt ?? now() }, writer, part);
}
