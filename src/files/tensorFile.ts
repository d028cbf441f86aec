import type { ByteSource } from './sources.ts';

/** Bytes of one element, by safetensors' dtype names. Two elements of F4 share a byte, four of F6 three. */
export const dtypeBytes = {
  F4: 0.5,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
  C64: 8,
} as const;

export type TensorDtype = keyof typeof dtypeBytes;

/** Half-open range along the first dimension. */
export interface Rows {
  readonly start: number;
  readonly end: number;
}

/** A tensor in its file, not yet read. */
export interface StoredTensor {
  /** A TensorDtype, or a name that only the file's writer knows: such a tensor stands in nobody's way until it is read. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes of all elements, as stored. */
  readonly bytes: number;
  /** Reads the elements, or some rows: row-major, little-endian, as stored. The caller owns the bytes. */
  read(signal?: AbortSignal, rows?: Rows): Promise<Uint8Array<ArrayBuffer>>;
}

/** A file of named tensors, whatever its format. Opening one reads its directory, never its data. */
export interface TensorFile {
  readonly source: ByteSource;
  readonly format: 'safetensors' | 'torch';
  /** Bytes after the last tensor that were passed over because the caller said so. */
  readonly trailingBytes?: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Number of elements; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** "[2, 3]" */
export const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

/** Row-major index of element i: [row, column]. */
export function unravel(i: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  for (const size of shape.toReversed()) {
    index.unshift(i % size);
    i = Math.floor(i / size);
  }
  return index;
}

/** Quotes a name or value from a file as JSON, cut to a length that fits a message. */
export function excerpt(value: unknown): string {
  const longest = 100;
  if (typeof value === 'string') return JSON.stringify(value.length > longest ? `${value.slice(0, longest)}…` : value);
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > longest ? `${json.slice(0, longest)}…` : json;
}

/**
 * Returns the byte range of `rows` (default: all) of a dense tensor, relative to its first byte. Throws RangeError if
 * it lacks those rows.
 */
export function rowBytes(
  { bytes, shape }: Pick<StoredTensor, 'bytes' | 'shape'>,
  rows?: Rows,
): { start: number; end: number } {
  if (!rows) return { start: 0, end: bytes };
  const count = shape[0] ?? 0;
  if (!(rows.start >= 0 && rows.start <= rows.end && rows.end <= count))
    throw new RangeError(`Rows ${rows.start} to ${rows.end} were asked for of a tensor of ${count} rows.`);
  const perRow = count === 0 ? 0 : bytes / count;
  return { start: rows.start * perRow, end: rows.end * perRow };
}
