import { float16ToNumber, uint16View } from './dtypes.ts';
import { elementCount } from './tensorFile.ts';

/** NumPy's array file: one little-endian array in C order. */
export interface Npy {
  /** Dimensions; empty for a scalar. */
  readonly shape: readonly number[];
  /** Elements, row-major. float16 is widened to float32; booleans are 0 and 1. */
  readonly data: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
}

/** The bytes are not an array that this reader knows. */
export class NpyError extends Error {
  override name = 'NpyError';
}

const magic = '\x93NUMPY';
/** Longest header that is read; NumPy itself reads no longer one unless it is told to. */
const longestHeader = 10_000;

/** Bytes of one element, and a function that views the bytes of a whole buffer as elements. */
const dtypes: Readonly<Record<string, readonly [size: number, read: (bytes: Uint8Array<ArrayBuffer>) => Npy['data']]>> =
  {
    '<f4': [4, (bytes) => new Float32Array(bytes.buffer)],
    '<f8': [8, (bytes) => new Float64Array(bytes.buffer)],
    '<f2': [2, (bytes) => Float32Array.from(uint16View(bytes), float16ToNumber)],
    '<i4': [4, (bytes) => new Int32Array(bytes.buffer)],
    '<i8': [8, (bytes) => new BigInt64Array(bytes.buffer)],
    '|u1': [1, (bytes) => bytes],
    '|b1': [1, (bytes) => bytes],
  };

/**
 * Reads format version 1 or 2. Throws NpyError for anything else, another element type, Fortran order, or data of
 * another length than the shape asks for.
 */
export function readNpy(bytes: Uint8Array): Npy {
  const latin1 = (start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
  if (latin1(0, 6) !== magic) throw new NpyError('This is not an NPY file: it does not begin with \\x93NUMPY.');
  const version = bytes[6];
  if (version !== 1 && version !== 2)
    throw new NpyError(`The NPY file has format version ${version}; 1 and 2 can be read.`);
  const headerStart = version === 1 ? 10 : 12;
  if (bytes.length < headerStart) throw new NpyError('The NPY file ends before its header.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dataStart = headerStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataStart > bytes.length) throw new NpyError('The NPY file ends inside its header.');
  if (dataStart > longestHeader)
    throw new NpyError(`The NPY file has a header of ${dataStart - headerStart} bytes, which no array needs.`);
  const header = new TextDecoder('latin1').decode(bytes.subarray(headerStart, dataStart));

  const field = (key: string, value: string): string => {
    const match = new RegExp(`'${key}'\\s*:\\s*${value}`).exec(header);
    if (!match) throw new NpyError(`The NPY header has no usable '${key}': ${header.trim().slice(0, 200)}`);
    return match[1];
  };
  const descr = field('descr', "'([^']*)'");
  const dtype = Object.hasOwn(dtypes, descr) ? dtypes[descr] : undefined;
  if (!dtype)
    throw new NpyError(
      `The NPY file holds elements of type '${descr.slice(0, 100)}'; read are ${Object.keys(dtypes).join(', ')}.`,
    );
  if (field('fortran_order', '(True|False)') === 'True')
    throw new NpyError('The NPY file is in Fortran order; save it with numpy.ascontiguousarray.');
  const shape = field('shape', '\\(([\\d,\\s]*)\\)')
    .split(',')
    .filter((n) => n.trim() !== '')
    .map(Number);

  const [size, read] = dtype;
  const expected = elementCount(shape) * size;
  if (bytes.length - dataStart !== expected)
    throw new NpyError(
      `The NPY file has ${bytes.length - dataStart} bytes of data; its shape (${shape.slice(0, 8).join(', ')}) of '${descr}' takes ${expected}.`,
    );
  return { shape, data: read(new Uint8Array(bytes.subarray(dataStart))) };
}

/** Writes format version 1, float32 or int64. Throws RangeError if `shape` does not hold `data`. */
export function writeNpy(data: Float32Array | BigInt64Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  if (elementCount(shape) !== data.length)
    throw new RangeError(`An array of shape (${shape.join(', ')}) cannot hold ${data.length} elements.`);
  const descr = data instanceof Float32Array ? '<f4' : '<i8';
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
  // The data begins at a multiple of 64 bytes; the header ends in a newline.
  const dataStart = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const header = `${dictionary.padEnd(dataStart - 11)}\n`;
  const bytes = new Uint8Array(dataStart + data.byteLength);
  const prelude = `${magic}\x01\x00${String.fromCharCode(header.length & 255, header.length >> 8)}${header}`;
  for (let i = 0; i < dataStart; i++) bytes[i] = prelude.charCodeAt(i);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataStart);
  return bytes;
}
