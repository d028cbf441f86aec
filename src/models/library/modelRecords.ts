import type { StoredModel } from './storage.ts';
import type { StorageFiles } from './storageFiles.ts';

/** The facts about a model that are stored beside its bytes, as JSON. */
export interface ModelRecord {
  readonly name: string;
  readonly source: string;
  readonly addedAt: number;
  readonly bytes: number;
  readonly version?: string | null;
  readonly sha256?: string;
}

/** Names of a model's files. The record of a complete model is written last; `part` is the record until then. */
export const fileNames = (id: string) => ({ bytes: `${id}.bin`, part: `${id}.part.json`, record: `${id}.json` });

/** Reads a record; null if there is none, or if a crash interrupted its writing. */
export async function readRecord(files: StorageFiles, file: string): Promise<ModelRecord | null> {
  try {
    const source = await files.open(file);
    return JSON.parse(new TextDecoder().decode(await source.read(0, source.size)));
  } catch {
    return null;
  }
}

export async function writeRecord(files: StorageFiles, file: string, record: ModelRecord): Promise<void> {
  const writer = await files.append(file);
  try {
    await writer.clear();
    await writer.write(new TextEncoder().encode(JSON.stringify(record)));
  } finally {
    await writer.close();
  }
}

/** Ids of all models that have a file. */
export async function modelIds(files: StorageFiles): Promise<string[]> {
  const ids = (await files.names()).map((name) => /^(.+?)(\.part\.json|\.json|\.bin)$/.exec(name)?.[1] ?? null);
  return [...new Set(ids.filter((id) => id !== null))];
}

/** Removes a model's files. The record goes first, so that a crash leaves a part and never a model without its end. */
export async function removeModel(files: StorageFiles, id: string): Promise<void> {
  const { record, bytes, part } = fileNames(id);
  for (const name of [record, bytes, part]) await files.remove(name);
}

/** Describes a model; `written` is its size where it is being written, since its file may not show that yet. */
export async function describeModel(files: StorageFiles, id: string, written?: number): Promise<StoredModel> {
  const names = fileNames(id);
  const stored =
    written ??
    (await files.open(names.bytes).then(
      ({ size }) => size,
      () => 0,
    ));
  const whole = await readRecord(files, names.record);
  const complete = whole !== null && whole.bytes === stored;
  const record = complete ? whole : ((await readRecord(files, names.part)) ?? whole);
  return {
    id,
    name: record?.name ?? id,
    source: record?.source ?? '',
    bytes: record?.bytes ?? null,
    stored,
    complete,
    addedAt: record?.addedAt ?? 0,
    sha256: complete ? (whole.sha256 ?? null) : null,
  };
}
