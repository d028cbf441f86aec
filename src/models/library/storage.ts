import { type ByteSource, SourceError } from '../../files/sources.ts';
import type { StorageFiles, StoragePlace, StorageWriter } from './storageFiles.ts';
import { cacheFiles, memoryFiles, type OpfsDirectory, opfsFiles, type ResponseCache } from './storageFiles.ts';

export type StorageFault =
  | 'quota'
  /** Another tab, or another download here, is writing it. */
  | 'busy'
  | 'missing'
  /** Deleted while it was being written. */
  | 'deleted'
  | 'unavailable';

/** A stored model that cannot be written or read; one sentence that says why and what to do. */
export class StorageError extends SourceError {
  override name = 'StorageError';
  readonly fault: StorageFault;
  constructor(fault: StorageFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export interface StoredModel {
  readonly id: string;
  readonly name: string;
  /** The address it came from, or keptSource of the file it was copied from; empty if that is no longer known. */
  readonly source: string;
  /** Of the whole file; null if that is no longer known. */
  readonly bytes: number | null;
  /** Bytes that are here: fewer while the download is not finished. */
  readonly stored: number;
  /** Only what was verified counts as complete; the rest can be gone on with, or deleted. */
  readonly complete: boolean;
  /** Milliseconds since 1970. */
  readonly addedAt: number;
  /** Of the stored file, in hexadecimal; null until it is complete. */
  readonly sha256: string | null;
}

/** What a part of a file belongs to. */
export interface Part {
  /** Tells this version of the file from others; null if nothing does, and then a part cannot be gone on with. */
  readonly version: string | null;
  /** Of the whole. */
  readonly bytes: number;
}

/** One model being written. Each write is safe from what happens to others. Throws StorageError. */
export interface ModelSink {
  readonly id: string;
  /** What the bytes that are here belong to; null in an empty sink. */
  readonly part: Part | null;
  /** Bytes that are here. */
  readonly size: number;
  /** Throws away what is here and begins a file anew, if the browser has room for it. */
  begin(part: Part): Promise<void>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** What was written so far, to be read again. Writing goes on with the next write. */
  written(): Promise<ByteSource>;
  /** From here on the model is complete. */
  commit(made: { readonly sha256: string; readonly source: string }): Promise<StoredModel>;
  /** Ends the writing and keeps the part. */
  close(): Promise<void>;
}

export interface ModelStorage {
  readonly place: StoragePlace;
  /** Newest first. */
  list(): Promise<StoredModel[]>;
  /** Throws StorageError if it is missing, in words that call it `name`, or not complete. */
  open(id: string, name?: string): Promise<ByteSource>;
  /** To go on with the part that was begun from this source, or to begin a new one. */
  sink(model: { readonly name: string; readonly source: string }): Promise<ModelSink>;
  /** Whatever its state; a download of it that is running ends in StorageError "deleted". */
  delete(id: string): Promise<void>;
  /** Asks the browser to keep what is stored when the disk fills up; whether it will. Only a page may ask. */
  persist(): Promise<boolean>;
}

/** The part of StorageManager that is used; workers have no `persist`. */
export interface StorageQuota {
  estimate?(): Promise<{ usage?: number; quota?: number }>;
  persisted?(): Promise<boolean>;
  persist?(): Promise<boolean>;
}

/** What the storage is made of. The file names are `{id}.bin`, `{id}.part.json`, `{id}.json` (written last). */
interface Facts {
  readonly name: string;
  readonly source: string;
  readonly addedAt: number;
  readonly bytes: number;
  readonly version?: string | null;
  readonly sha256?: string;
}

/** "492.3 MB" */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

const errorName = (error: unknown) => (error instanceof Error || error instanceof DOMException ? error.name : '');

/** "A1111 model (v2)" → "a1111-model-v2" */
function slug(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 60) || 'model'
  );
}

/** The models in `files`; `now` in milliseconds since 1970. */
export function createModelStorage(
  files: StorageFiles,
  quota: StorageQuota = {},
  now: () => number = Date.now,
): ModelStorage {
  /** Sinks that are open here, by id. */
  const writing = new Map<string, { readonly source: string; size(): number; discard(): Promise<void> }>();

  async function noRoom(name: string, missing: number, cause?: unknown): Promise<StorageError> {
    const { usage, quota: most } = (await quota.estimate?.().catch(() => undefined)) ?? {};
    const known = usage !== undefined && most !== undefined;
    // What browsers estimate may be more than the disk has, and more than they then allow.
    const refused = `The browser takes no more than ${usage === undefined ? 'it has' : `the ${megabytes(usage)} it has`}`;
    const numbers =
      known && most - usage < missing
        ? `The browser has room for ${megabytes(Math.max(0, most - usage))} more (${megabytes(usage)} of ${megabytes(most)} are used)`
        : refused;
    return new StorageError(
      'quota',
      `${numbers}, but "${name}" needs another ${megabytes(missing)}; delete a stored model or free space on the disk, then try again.`,
      { cause },
    );
  }

  /** What the platform threw, in words. */
  async function explained(error: unknown, name: string, missing: number): Promise<unknown> {
    if (error instanceof SourceError) return error;
    switch (errorName(error)) {
      case 'QuotaExceededError':
      case 'RangeError': // No memory for so large an array.
        return noRoom(name, missing, error);
      case 'NoModificationAllowedError':
        return busy(name, error);
      case 'InvalidStateError':
      case 'NotFoundError':
        return new StorageError('missing', `"${name}" is no longer stored; was the browser's data cleared?`, {
          cause: error,
        });
      default:
        return new StorageError(
          'unavailable',
          `The browser cannot store "${name}" now; reload the page and try again.`,
          {
            cause: error,
          },
        );
    }
  }
  const busy = (name: string, cause?: unknown) =>
    new StorageError('busy', `"${name}" is being written by another download or tab; wait for it or stop it first.`, {
      cause,
    });

  async function readFacts(file: string): Promise<Facts | null> {
    try {
      const source = await files.open(file);
      return JSON.parse(new TextDecoder().decode(await source.read(0, source.size)));
    } catch {
      // A crash while it was written: the same as if it had never been.
      return null;
    }
  }
  async function writeFacts(file: string, facts: Facts): Promise<void> {
    const writer = await files.append(file);
    try {
      await writer.clear();
      await writer.write(new TextEncoder().encode(JSON.stringify(facts)));
    } finally {
      await writer.close();
    }
  }
  async function removeAll(id: string): Promise<void> {
    // The mark of completeness goes first, so that what remains after a crash is only a part.
    for (const suffix of ['.json', '.bin', '.part.json']) await files.remove(id + suffix);
  }

  async function describe(id: string): Promise<StoredModel> {
    const stored =
      writing.get(id)?.size() ??
      (await files.open(`${id}.bin`).then(
        ({ size }) => size,
        () => 0,
      ));
    const whole = await readFacts(`${id}.json`);
    const complete = whole !== null && whole.bytes === stored;
    const facts = complete ? whole : ((await readFacts(`${id}.part.json`)) ?? whole);
    return {
      id,
      name: facts?.name ?? id,
      source: facts?.source ?? '',
      bytes: facts?.bytes ?? null,
      stored,
      complete,
      addedAt: facts?.addedAt ?? 0,
      sha256: complete ? (whole.sha256 ?? null) : null,
    };
  }
  async function ids(): Promise<string[]> {
    const found = (await files.names()).map((name) => /^(.+?)(\.part\.json|\.json|\.bin)$/.exec(name)?.[1] ?? null);
    return [...new Set(found.filter((id) => id !== null))];
  }
  async function list(): Promise<StoredModel[]> {
    const models = await Promise.all((await ids()).map(describe));
    return models.toSorted((a, b) => b.addedAt - a.addedAt || (a.id < b.id ? -1 : 1));
  }

  /** Sinks that are being opened: id → source. */
  const opening = new Map<string, string>();

  async function openSink(id: string, name: string, source: string): Promise<ModelSink> {
    const bin = `${id}.bin`;
    const partFile = `${id}.part.json`;
    const facts = await readFacts(partFile);
    let part: Part | null = facts && { version: facts.version ?? null, bytes: facts.bytes };
    let addedAt = facts?.addedAt ?? now();
    let writer: StorageWriter | null = await files.append(bin);
    let size = writer.size;
    let state: 'open' | 'closed' | 'deleted' = 'open';
    if (!part && size > 0) {
      await writer.clear();
      size = 0;
    }

    // One thing at a time: a deletion waits for the write that is under way.
    let last: Promise<unknown> = Promise.resolve();
    function inTurn<T>(step: () => Promise<T>, signal?: AbortSignal): Promise<T> {
      const result = last.then(async () => {
        try {
          if (state === 'deleted')
            throw new StorageError('deleted', `"${name}" was deleted while it was being stored.`);
          return await step();
        } catch (error) {
          signal?.throwIfAborted();
          throw await explained(error, name, (part?.bytes ?? 0) - size);
        }
      });
      last = result.catch(() => {});
      return result;
    }
    async function closeWriter(): Promise<void> {
      const open = writer;
      writer = null;
      await open?.close();
    }
    async function openWriter(): Promise<StorageWriter> {
      if (state !== 'open') throw new StorageError('busy', `"${name}" is no longer open for writing.`);
      writer ??= await files.append(bin);
      return writer;
    }

    writing.set(id, {
      source,
      size: () => size,
      discard: () =>
        inTurn(async () => {
          state = 'deleted';
          await closeWriter().catch(() => {});
          await removeAll(id);
          writing.delete(id);
        }),
    });
    return {
      id,
      get part() {
        return part;
      },
      get size() {
        return size;
      },
      begin: (next) =>
        inTurn(async () => {
          const { usage, quota: most } = (await quota.estimate?.().catch(() => undefined)) ?? {};
          if (usage !== undefined && most !== undefined && most - usage + size < next.bytes)
            throw await noRoom(name, next.bytes - size);
          const open = await openWriter();
          // The old bytes go before the new note: no note ever stands for bytes of another file.
          await open.clear();
          size = 0;
          part = next;
          addedAt = now();
          await writeFacts(partFile, { name, source, addedAt, ...next });
        }),
      write: (bytes) =>
        inTurn(async () => {
          const open = await openWriter();
          try {
            await open.write(bytes);
          } finally {
            size = open.size;
          }
        }),
      written: () =>
        inTurn(async () => {
          await closeWriter();
          const source = await files.open(bin);
          const checked: ByteSource = {
            ...source,
            name,
            read: (start, end, signal) => inTurn(() => source.read(start, end, signal), signal),
          };
          return checked;
        }),
      commit: ({ sha256, source: from }) =>
        inTurn(async () => {
          await closeWriter();
          await writeFacts(`${id}.json`, { name, source: from, addedAt, bytes: size, sha256 });
          await files.remove(partFile);
          state = 'closed';
          writing.delete(id);
          return describe(id);
        }),
      async close() {
        if (state !== 'open') return;
        await inTurn(async () => {
          state = 'closed';
          try {
            await closeWriter();
            if (size === 0) await removeAll(id);
          } finally {
            writing.delete(id);
          }
        });
      },
    };
  }

  return {
    place: files.place,
    list,
    async open(id, name = id) {
      const model = await describe(id);
      if (!model.complete)
        throw new StorageError(
          'missing',
          model.stored > 0
            ? `"${model.name}" is not complete; go on with its download, or delete it.`
            : `"${name}" is no longer stored in this browser; download or open it again.`,
        );
      const source = await files.open(`${id}.bin`);
      return {
        name: model.name,
        size: source.size,
        read: (start, end, signal) =>
          source.read(start, end, signal).catch((error: unknown) => {
            if (!(error instanceof SourceError)) throw error;
            throw new StorageError(
              'missing',
              `"${model.name}" can no longer be read; was it deleted in another tab? Download or open it again.`,
              { cause: error },
            );
          }),
      };
    },
    async sink({ name, source }) {
      const models = await list();
      const unfinished = models.find((model) => !model.complete && model.source === source);
      const taken = new Set([...models.map(({ id }) => id), ...opening.keys()]);
      let id = unfinished?.id ?? slug(name);
      if (!unfinished) for (let n = 2; taken.has(id); n++) id = `${slug(name)}-${n}`;
      const sources = [...opening.values(), ...[...writing.values()].map((sink) => sink.source)];
      if (writing.has(id) || sources.includes(source)) throw busy(name);
      opening.set(id, source);
      try {
        return await openSink(id, unfinished?.name ?? name, source);
      } catch (error) {
        throw await explained(error, name, 0);
      } finally {
        opening.delete(id);
      }
    },
    async delete(id) {
      const open = writing.get(id);
      if (open) return open.discard();
      try {
        await removeAll(id);
      } catch (error) {
        throw await explained(error, (await describe(id)).name, 0);
      }
    },
    persist: async () => (await quota.persist?.()) ?? (await quota.persisted?.()) ?? false,
  };
}

/** Where a browser keeps files, as far as it has such places. */
export interface StorageSurroundings {
  readonly storage?: StorageQuota & { getDirectory?(): Promise<unknown> };
  readonly caches?: { open(name: string): Promise<ResponseCache> };
}

/** The first of OPFS, Cache API and memory that can really be written here; private windows often only seem to have one. */
export async function openModelStorage(
  { storage, caches }: StorageSurroundings,
  now: () => number = Date.now,
): Promise<ModelStorage> {
  const places = [
    async () => {
      const root = (await storage!.getDirectory!()) as {
        getDirectoryHandle(name: string, options: { create: boolean }): Promise<OpfsDirectory>;
      };
      return opfsFiles(await root.getDirectoryHandle('models', { create: true }));
    },
    async () => cacheFiles(await caches!.open('models')),
  ];
  for (const place of places)
    try {
      const files = await place();
      // A name that is no model's, and each tab's own.
      const probe = `probe-${Math.random()}`;
      const writer = await files.append(probe);
      await writer.write(Uint8Array.of(1));
      await writer.close();
      await files.open(probe);
      await files.remove(probe);
      return createModelStorage(files, storage, now);
    } catch {
      // Not there, or only seemingly: the next place.
    }
  return createModelStorage(memoryFiles(), {}, now);
}
