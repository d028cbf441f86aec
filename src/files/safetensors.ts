import { describeKind, fileKind } from './fileKind.ts';
import { joinedBytes } from './joinedBytes.ts';
import type { ByteSource } from './sources.ts';
import {
  dtypeBytes,
  elementCount,
  excerpt,
  rowBytes,
  type StoredTensor,
  type TensorDtype,
  type TensorFile,
} from './tensorFile.ts';

/** The file is not safetensors, or not valid. The message is one sentence that names the file. */
export class SafetensorsError extends Error {
  override name = 'SafetensorsError';
}

/** A file that is whole but for bytes after its last tensor: some programs load it, others refuse it. */
export class TrailingBytesError extends SafetensorsError {
  override name = 'TrailingBytesError';
}

export interface OpenOptions {
  /** Passes over bytes after the last tensor, as ComfyUI does, instead of throwing TrailingBytesError. */
  readonly passTrailingBytes?: boolean;
}

/**
 * The format allows 100 MB, which would take a gigabyte to read. A model of a thousand tensors has 100 kB; trainers add their
 * notes and pictures of some MB.
 */
const longestHeader = 1 << 24;
/** Colons, commas and brackets: a tensor has about 14. Bounds what JSON.parse makes of the header to some 70 MB. */
const mostMarks = 500_000;

/** Objects and arrays nest no deeper in a header: {"name": {"shape": [ ]}}. */
const maxDepth = 3;

/**
 * Finds the first key that occurs twice in one object, or too deep a nesting; JSON.parse would silently keep the last
 * key.
 */
function headerFault(json: string): string | undefined {
  const keys: Set<string>[] = [];
  let depth = 0;
  let marks = 0;
  let text = '';
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '"') {
      const start = i;
      for (i++; i < json.length && json[i] !== '"'; i++) if (json[i] === '\\') i++;
      text = json.slice(start, i + 1);
      continue;
    }
    if ((c === ':' || c === ',' || c === '{' || c === '[') && ++marks > mostMarks)
      return 'describes more than any model has';
    if (c === ':') {
      // Two spellings of one key ("a" and "\u0061") are the same key.
      const key = text.includes('\\') ? JSON.parse(text) : text.slice(1, -1);
      if (keys[depth]?.has(key)) return `names ${excerpt(key)} twice`;
      keys[depth]?.add(key);
    } else if (c === '{' || c === '[') {
      if (++depth > maxDepth) return 'is nested too deeply';
      keys[depth] = new Set();
    } else if (c === '}' || c === ']') depth--;
  }
  return undefined;
}

function parseHeader(bytes: Uint8Array, fail: (why: string) => never): Record<string, unknown> {
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const fault = headerFault(json);
    if (fault) fail(`has a header that ${fault}`);
    // The text begins with '{', so it parses to an object.
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof TypeError) fail('has a header that is not UTF-8 text');
    if (error instanceof SyntaxError) fail('has a header that is not valid JSON');
    throw error;
  }
}

const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

interface Entry {
  /** Bytes of the data. */
  readonly bytes: number;
  /** A TensorDtype, or a type that came later. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Position relative to the end of the header. */
  readonly start: number;
  readonly end: number;
}

/** Checks one tensor's entry by itself. checkTiling then checks that the file has its bytes. */
function checkedEntry(name: string, value: unknown, fail: (why: string) => never): Entry {
  const tensor = `tensor ${excerpt(name)}`;
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !Array.isArray(offsets))
    fail(`describes ${tensor} without a dtype, a shape and data_offsets`);
  if (!/^\w{1,32}$/.test(dtype)) fail(`stores ${tensor} as ${excerpt(dtype)}, which is not a type`);
  if (!shape.every(isSize)) fail(`gives ${tensor} the shape ${excerpt(shape)}, which is not a list of sizes`);
  const [start, end] = offsets;
  if (offsets.length !== 2 || !isSize(start) || !isSize(end) || end < start)
    fail(`gives ${tensor} the data_offsets ${excerpt(offsets)}, which are not a start and an end`);
  const bytes = end - start;
  // How many bytes an unknown type takes is not known here: its tensor is as long as the file says.
  const expected = Object.hasOwn(dtypeBytes, dtype) ? elementCount(shape) * dtypeBytes[dtype as TensorDtype] : bytes;
  if (expected !== bytes) fail(`gives ${tensor} ${bytes} bytes, but ${dtype} ${excerpt(shape)} takes ${expected}`);
  return { dtype, shape, start, end, bytes };
}

/**
 * Checks that the tensors tile the data, as the format demands: no overlap, no hole. The format's other readers refuse such
 * files too: they were cut, joined, or made to smuggle something. Returns the number of bytes after the last tensor.
 */
function checkTiling(entries: readonly [string, Entry][], dataBytes: number, fail: (why: string) => never): number {
  let at = 0;
  let previous = '';
  for (const [name, { start, end }] of entries.toSorted(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (start < at) fail(`has overlapping tensors: ${excerpt(previous)} and ${excerpt(name)} share bytes`);
    if (start > at) fail(`has a hole of ${start - at} bytes before tensor ${excerpt(name)}`);
    at = end;
    previous = name;
  }
  if (at > dataBytes) fail(`is cut off: its tensors take ${at} bytes, but only ${dataBytes} are there`);
  return dataBytes - at;
}

/** Checks `__metadata__`: an object of texts, or null. */
function checkedMetadata(value: unknown, fail: (why: string) => never): Map<string, string> {
  if (typeof value !== 'object' || Array.isArray(value)) fail('has __metadata__ that is not an object');
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  for (const [key, text] of entries)
    if (typeof text !== 'string') fail(`has metadata ${excerpt(key)} that is not text`);
  return new Map(entries as [string, string][]);
}

/**
 * Reads and checks the header of a safetensors file: u64 length, JSON `{name: {dtype, shape, data_offsets}}`, data.
 * Allocates no more than the size of the header in the file. Throws SafetensorsError, TrailingBytesError.
 */
export async function openSafetensors(
  source: ByteSource,
  signal?: AbortSignal,
  { passTrailingBytes = false }: OpenOptions = {},
): Promise<TensorFile> {
  const fail: (why: string) => never = (why) => {
    throw new SafetensorsError(`"${source.name}" ${why}.`);
  };
  const head = await source.read(0, Math.min(64, source.size), signal);
  const kind = fileKind(head);
  if (kind !== 'safetensors' && kind !== 'unknown') fail(describeKind(kind));
  if (head.length < 8) fail(`is not a safetensors file: it has only ${head.length} bytes`);
  const headerBytes = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  if (headerBytes < 2n || (head.length > 8 && head[8] !== 0x7b)) fail('is not a safetensors file');
  if (headerBytes > longestHeader) fail(`claims a header of ${headerBytes} bytes, which no model needs`);
  const dataStart = 8 + Number(headerBytes);
  if (dataStart > source.size)
    fail(`is cut off: its header ends at byte ${dataStart}, but the file has only ${source.size} bytes`);

  const header = parseHeader(await source.read(8, dataStart, signal), fail);
  let metadata = new Map<string, string>();
  const entries: [string, Entry][] = [];
  for (const [name, value] of Object.entries(header))
    if (name === '__metadata__') metadata = checkedMetadata(value, fail);
    else entries.push([name, checkedEntry(name, value, fail)]);
  const trailingBytes = checkTiling(entries, source.size - dataStart, fail);
  if (trailingBytes > 0 && !passTrailingBytes)
    throw new TrailingBytesError(
      `"${source.name}" has ${trailingBytes} ${trailingBytes === 1 ? 'byte' : 'bytes'} after its last tensor that belong to none: ComfyUI passes over them, A1111 and diffusers refuse the file.`,
    );

  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of entries)
    tensors.set(name, {
      dtype: entry.dtype,
      shape: entry.shape,
      bytes: entry.bytes,
      read(signal, rows) {
        const { start, end } = rowBytes(entry, rows);
        return source.read(dataStart + entry.start + start, dataStart + entry.start + end, signal);
      },
    });
  return { source, format: 'safetensors', metadata, tensors, ...(trailingBytes > 0 && { trailingBytes }) };
}

/** A tensor to be written, without its bytes. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
}

/**
 * Makes the header of a file. Returns its bytes (a multiple of 8), the order in which the tensors' bytes must follow
 * it, and the length of the whole file. The widest types come first, as in Python's safetensors, so that every tensor
 * is aligned.
 */
export function safetensorsHeader<T extends TensorEntry>(
  specs: readonly T[],
  metadata: Readonly<Record<string, string>> = {},
): { header: Uint8Array<ArrayBuffer>; order: T[]; bytes: number } {
  const order = specs.toSorted(
    (a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let at = 0;
  for (const spec of order) {
    const end = at + elementCount(spec.shape) * dtypeBytes[spec.dtype];
    entries.push([spec.name, { dtype: spec.dtype, shape: spec.shape, data_offsets: [at, end] }]);
    at = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return { header, order, bytes: header.length + at };
}

/** Writes a whole safetensors file in memory. `data` is row-major, little-endian. */
export function writeSafetensors(
  tensors: readonly (TensorEntry & { readonly data: ArrayBufferView })[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  return joinedBytes(safetensorsPieces(tensors, metadata));
}

/** Gives the bytes of a safetensors file in pieces: the header, then those of the tensors themselves. */
export function safetensorsPieces(
  tensors: readonly (TensorEntry & { readonly data: ArrayBufferView })[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer>[] {
  const { header, order } = safetensorsHeader(tensors, metadata);
  const pieces = order.map(({ name, dtype, shape, data }) => {
    if (data.byteLength !== elementCount(shape) * dtypeBytes[dtype])
      throw new RangeError(
        `Tensor "${name}" has ${data.byteLength} bytes, but ${dtype} [${shape}] needs another number.`,
      );
    return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  });
  return [header, ...pieces];
}
