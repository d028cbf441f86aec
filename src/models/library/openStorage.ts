import { SourceError } from '../../files/sources.ts';
import { type FileSink, openFileSink } from './fileSink.ts';
import { describeModel, fileNames, modelIds, removeModel } from './modelRecords.ts';
import { type ModelStorage, StorageError, type StorageQuota, type StoredModel } from './storage.ts';
import { busy, storageError } from './storageErrors.ts';
import {
  cacheFiles,
  memoryFiles,
  type OpfsDirectory,
  opfsFiles,
  type ResponseCache,
  type StorageFiles,
} from './storageFiles.ts';

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

/** Returns a storage of the models in `files`. `now` is in milliseconds since 1970. */
export function createModelStorage(
  files: StorageFiles,
  quota: StorageQuota = {},
  now: () => number = Date.now,
): ModelStorage {
  /** Open sinks, by id. */
  const sinks = new Map<string, FileSink>();
  /** Sources of the sinks that are being opened, by id. */
  const opening = new Map<string, string>();

  const describe = (id: string) => describeModel(files, id, sinks.get(id)?.size);

  async function list(): Promise<StoredModel[]> {
    const models = await Promise.all((await modelIds(files)).map(describe));
    return models.toSorted((a, b) => b.addedAt - a.addedAt || (a.id < b.id ? -1 : 1));
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
      const source = await files.open(fileNames(id).bytes);
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
      const sources = [...opening.values(), ...[...sinks.values()].map((sink) => sink.source)];
      if (sinks.has(id) || sources.includes(source)) throw busy(name);
      opening.set(id, source);
      try {
        const surroundings = { files, quota, now, onEnd: () => sinks.delete(id) };
        const sink = await openFileSink(surroundings, { id, name: unfinished?.name ?? name, source });
        sinks.set(id, sink);
        return sink;
      } catch (error) {
        throw await storageError(error, quota, name, 0);
      } finally {
        opening.delete(id);
      }
    },
    async delete(id) {
      const sink = sinks.get(id);
      if (sink) return sink.discard();
      try {
        await removeModel(files, id);
      } catch (error) {
        throw await storageError(error, quota, (await describe(id)).name, 0);
      }
    },
  };
}

/** Writes a file, reads it and removes it. Rejects where one of these fails. */
async function tryToWrite(files: StorageFiles): Promise<void> {
  // No model has this name, and no other tab.
  const probe = `probe-${Math.random()}`;
  try {
    const writer = await files.append(probe);
    await writer.write(Uint8Array.of(1)).finally(() => writer.close());
    await files.open(probe);
  } finally {
    await files.remove(probe);
  }
}

/** The places where a browser can keep files, as far as it has them. */
export interface StorageSurroundings {
  readonly storage?: StorageQuota & { getDirectory?(): Promise<unknown> };
  readonly caches?: { open(name: string): Promise<ResponseCache> };
}

/**
 * Opens the first of OPFS, Cache API and memory that can be written. Each is tried by writing to it, because private
 * windows often seem to have a place that then fails.
 */
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
      // A place that has models is the one, though it may be full by now.
      if ((await modelIds(files)).length === 0) await tryToWrite(files);
      return createModelStorage(files, storage, now);
    } catch {
      // This place is missing or cannot be written; try the next.
    }
  return createModelStorage(memoryFiles(), {}, now);
}
