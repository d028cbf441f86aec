import { decompress } from '../../files/compression.ts';
import { fileKind } from '../../files/fileKind.ts';
import { readFloats } from '../../files/floatTensor.ts';
import { joinedBytes } from '../../files/joinedBytes.ts';
import { jsonObject } from '../../files/jsonObject.ts';
import { type Npy, NpyError, readNpy, writeNpy } from '../../files/npy.ts';
import { openSafetensors, SafetensorsError, safetensorsPieces } from '../../files/safetensors.ts';
import type { ByteSource } from '../../files/sources.ts';
import { elementCount, excerpt, shapeText } from '../../files/tensorFile.ts';
import { entryStart, readZipDirectory, type ZipEntry } from '../../files/zipDirectory.ts';
import { writingZip, type ZipFile } from '../../files/zipWriter.ts';
import { type Slices, whole } from '../../prompt/slices.ts';
import { type ConditioningTensor, promptEmbedsTensor } from './exportConditioning.ts';

/** `npy` holds `prompt_embeds` alone, and no metadata. */
export const conditioningFormats = ['safetensors', 'npz', 'npy'] as const;
export type ConditioningFormat = (typeof conditioningFormats)[number];

/** Name of the entry with the metadata in an .npz; NumPy reads it as bytes. */
const metadataName = 'metadata.json';

/** The bytes of a file with these tensors; `npy` takes the prompt's alone and no metadata. */
export function writeConditioning(
  format: ConditioningFormat,
  tensors: readonly ConditioningTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  return joinedBytes(whole(writingConditioning(format, tensors, metadata)));
}

/** Does the work of `writeConditioning` in slices. Gives the bytes in pieces, among which may be those of the tensors themselves. */
export function* writingConditioning(
  format: ConditioningFormat,
  tensors: readonly ConditioningTensor[],
  metadata: Readonly<Record<string, string>>,
): Slices<Uint8Array<ArrayBuffer>[]> {
  switch (format) {
    case 'safetensors':
      return safetensorsPieces(tensors, metadata);
    case 'npz': {
      const files: ZipFile[] = [];
      for (const { name, shape, data } of tensors) {
        files.push({ name: `${name}.npy`, data: writeNpy(data, shape) });
        yield;
      }
      const text = new TextEncoder().encode(JSON.stringify(metadata, null, 1));
      return yield* writingZip([...files, { name: metadataName, data: text }]);
    }
    case 'npy': {
      const { data, shape } = promptEmbedsTensor(tensors);
      yield;
      return [writeNpy(data, shape)];
    }
    default:
      return format satisfies never;
  }
}

/** A conditioning out of a file, [rows, d]. */
export interface StoredConditioning {
  /** Name of the array in the file; the file's own name if the format has no names for arrays. */
  readonly name: string;
  readonly rows: number;
  readonly d: number;
  readonly data: Float32Array;
}

export interface ConditioningFile {
  readonly name: string;
  /** Empty where the file was made elsewhere. */
  readonly metadata: ReadonlyMap<string, string>;
  /** At least one. */
  readonly conditionings: readonly StoredConditioning[];
}

/** A file that seems to hold conditionings but does not. The message is one sentence. */
export class ConditioningFileError extends Error {
  override name = 'ConditioningFileError';
}

const embedsName = /(^|\.)(negative_)?prompt_embeds(\.\d+)?$/;
/** Rows of a chunk of CLIP and of Long-CLIP, by which a conditioning is known. */
const knownLengths = [77, 248];

/**
 * Rows, width and parts of [rows, d] or [parts, rows, d]; undefined for any other shape. Of a file that this page has written the rows may
 * be any; of others they are a multiple of a known length.
 */
function conditioningShape(shape: readonly number[], isOwn = false) {
  const [parts, rows, d] = shape.length === 2 ? [1, ...shape] : shape;
  const isMatrix = (shape.length === 2 || shape.length === 3) && parts > 0 && rows > 0 && d > 0;
  return isMatrix && (isOwn || knownLengths.some((L) => rows % L === 0)) ? { parts, rows, d } : undefined;
}

/** An array of a file. It is read only once the file is known to hold conditionings. */
interface FoundArray {
  readonly name: string;
  readonly shape: readonly number[];
  read(): Promise<Float32Array>;
}

/**
 * The conditionings in a file: arrays named `prompt_embeds` (with whatever comes before a dot, and the number of a part
 * after one), or the only array where it has the shape of one. Null where the file is something else, a checkpoint say.
 * Throws ConditioningFileError, or SourceError.
 */
export async function openConditioning(source: ByteSource, signal?: AbortSignal): Promise<ConditioningFile | null> {
  const kind = fileKind(await source.read(0, Math.min(64, source.size), signal));
  const fail = (why: string): never => {
    throw new ConditioningFileError(`"${source.name}" ${why}.`);
  };
  switch (kind) {
    case 'npy':
      return collected(source.name, [await npyArray(source, source.name, fail, signal)], new Map(), fail);
    case 'zip':
      return openNpz(source, fail, signal);
    case 'safetensors':
      return openSafetensorsFile(source, fail, signal);
    default:
      return null;
  }
}

async function openSafetensorsFile(
  source: ByteSource,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<ConditioningFile | null> {
  const file = await openSafetensors(source, signal).catch((error: unknown) => {
    // The file is opened as a checkpoint next, which reports the error.
    if (error instanceof SafetensorsError) return null;
    throw error;
  });
  if (!file) return null;
  const arrays = [...file.tensors].map(
    ([name, tensor]): FoundArray => ({
      name,
      shape: tensor.shape,
      read: () => readFloats(name, tensor, fail, signal),
    }),
  );
  const isOne = arrays.some(({ name }) => embedsName.test(name));
  if (!isOne && !(arrays.length === 1 && conditioningShape(arrays[0].shape))) return null;
  return collected(source.name, arrays, file.metadata, fail);
}

async function openNpz(
  source: ByteSource,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<ConditioningFile | null> {
  const entries = await readZipDirectory(source, fail, signal).catch((error: unknown) => {
    if (error instanceof ConditioningFileError) return null;
    throw error;
  });
  const names = [...(entries?.keys() ?? [])];
  if (!entries || !names.some((name) => name.endsWith('.npy'))) return null;
  const metadataEntry = entries.get(metadataName);
  const isShort = metadataEntry !== undefined && metadataEntry.unpacked <= longestMetadata;
  const metadata = isShort ? await entryBytes(source, metadataEntry, fail, signal) : undefined;
  const arrays = names.filter((name) => name.endsWith('.npy')).map((name) => name.slice(0, -4));
  const wanted = arrays.some((name) => embedsName.test(name))
    ? arrays.filter((name) => embedsName.test(name))
    : arrays.length === 1
      ? arrays
      : fail(`holds ${arrays.length} arrays and none is called prompt_embeds; save the one to compare by that name`);
  const own = wanted.map((name) => ({ name, entry: entries.get(`${name}.npy`)! }));
  const bytes = own.reduce((sum, { entry }) => sum + Math.max(entry.size, entry.unpacked), 0);
  if (bytes > longest) fail(`holds arrays of ${bytes} bytes, which no conditioning needs`);
  const found: FoundArray[] = [];
  for (const { name, entry } of own) found.push(arrayOf(await entryBytes(source, entry, fail, signal), name, fail));
  return collected(source.name, found, metadataOf(metadata), fail);
}

/** Most bytes of all arrays of a file together: 200 chunks of 77 rows of Stable Diffusion 1. */
const longest = 3 << 24;
/** Longest metadata that are read, in bytes and characters; longer ones are left out. */
const longestMetadata = 1 << 20;

async function entryBytes(
  source: ByteSource,
  entry: ZipEntry,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  // numpy.savez_compressed deflates.
  const start = await entryStart(source, { ...entry, method: 0 }, fail, signal);
  const bytes = await source.read(start, start + entry.size, signal);
  if (entry.method === 0) return bytes;
  const unpacked = entry.method === 8 ? await decompress(bytes, 'deflate-raw', entry.unpacked) : null;
  return unpacked ?? fail(`is an .npz archive whose ${excerpt(entry.name)} cannot be unpacked`);
}

async function npyArray(source: ByteSource, name: string, fail: (why: string) => never, signal?: AbortSignal) {
  if (source.size > longest) fail(`has ${source.size} bytes, which no conditioning needs`);
  return arrayOf(await source.read(0, source.size, signal), name, fail);
}

function arrayOf(bytes: Uint8Array, name: string, fail: (why: string) => never): FoundArray {
  const { shape, data } = openArray(bytes, fail);
  return {
    name,
    shape,
    async read() {
      const floats = data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>, Number);
      if (!floats.every(Number.isFinite))
        fail(`has a NaN or an infinity in ${excerpt(name)}; expected only finite numbers`);
      return floats;
    },
  };
}

function openArray(bytes: Uint8Array, fail: (why: string) => never): Npy {
  try {
    return readNpy(bytes);
  } catch (error) {
    if (!(error instanceof NpyError)) throw error;
    return fail(`cannot be read: ${error.message.replace(/^T/, 't').replace(/\.$/, '')}`);
  }
}

/** JSON of texts by name; nothing where it is anything else. */
function metadataOf(bytes: Uint8Array | undefined): Map<string, string> {
  const stored = jsonObject(new TextDecoder().decode(bytes)) ?? {};
  const isText = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === 'string';
  return new Map(Object.entries(stored).filter(isText));
}

async function collected(
  name: string,
  arrays: readonly FoundArray[],
  metadata: ReadonlyMap<string, string>,
  fail: (why: string) => never,
): Promise<ConditioningFile> {
  const named = arrays.filter((array) => embedsName.test(array.name));
  const wanted = named.length > 0 ? named : arrays;
  const numbers = wanted.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (numbers > longest / 4) fail(`holds ${numbers} numbers, which no conditioning needs`);
  const conditionings: StoredConditioning[] = [];
  const isOwn = [...metadata.keys()].some((key) => /(^|\.)clipscope$/.test(key));
  for (const array of wanted) {
    const shape = conditioningShape(array.shape, isOwn);
    if (!shape)
      return fail(
        `holds ${excerpt(array.name)} of shape ${shapeText(array.shape)}; a conditioning is [1, 77·n, d] or [77·n, d], or has 248·n rows`,
      );
    const { parts, rows, d } = shape;
    const data = await array.read();
    for (let part = 0; part < parts; part++)
      conditionings.push({
        name: parts > 1 ? `${array.name}.${part}` : array.name,
        rows,
        d,
        data: data.subarray(part * rows * d, (part + 1) * rows * d),
      });
  }
  const read = [...metadata].filter(([, text]) => text.length <= longestMetadata);
  return { name, metadata: new Map(read), conditionings };
}
