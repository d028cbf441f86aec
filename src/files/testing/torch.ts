import { crc32 } from 'node:zlib';
import { dtypeBytes, elementCount, type TensorDtype } from '../tensorFile.ts';

/** Bytes of single opcodes, by their names in `pickletools`. */
export const op = {
  proto: Uint8Array.of(0x80, 2),
  stop: bytesOf('.'),
  mark: bytesOf('('),
  emptyTuple: bytesOf(')'),
  emptyList: bytesOf(']'),
  emptyDict: bytesOf('}'),
  tuple: bytesOf('t'),
  tuple1: Uint8Array.of(0x85),
  tuple2: Uint8Array.of(0x86),
  appends: bytesOf('e'),
  setItem: bytesOf('s'),
  setItems: bytesOf('u'),
  reduce: bytesOf('R'),
  newObject: Uint8Array.of(0x81),
  build: bytesOf('b'),
  persistentId: bytesOf('Q'),
  none: bytesOf('N'),
  false: Uint8Array.of(0x89),
  true: Uint8Array.of(0x88),
  duplicate: bytesOf('2'),
  put: (key: number) => Uint8Array.of(0x71, key),
  get: (key: number) => Uint8Array.of(0x68, key),
  global: (module: string, name: string) => bytesOf(`c${module}\n${name}\n`),
  text(value: string): Uint8Array {
    const utf8 = new TextEncoder().encode(value);
    return joined(bytesOf('X'), u32(utf8.length), utf8);
  },
  int: (value: number) =>
    Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? joined(bytesOf('J'), u32(value)) : long(value),
  float(value: number): Uint8Array {
    const out = new Uint8Array(9);
    out[0] = 0x47;
    new DataView(out.buffer).setFloat64(1, value);
    return out;
  },
};

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setInt32(0, value | 0, true);
  return out;
}

function long(value: number): Uint8Array {
  const out = new Uint8Array(10).fill(0);
  out.set([0x8a, 8]);
  new DataView(out.buffer).setBigInt64(2, BigInt(value), true);
  return out;
}

/** A tensor to be pickled, as a view of a storage. */
export class TorchView {
  readonly key: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  /** Elements of the storage. */
  readonly count: number;
  constructor(
    key: string,
    dtype: TensorDtype,
    shape: readonly number[],
    view: { readonly strides?: readonly number[]; readonly offset?: number; readonly count?: number } = {},
  ) {
    this.key = key;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = view.strides ?? shape.map((_, i) => elementCount(shape.slice(i + 1)));
    this.offset = view.offset ?? 0;
    this.count = view.count ?? elementCount(shape);
  }
}

const storageNames: Partial<Record<TensorDtype, string>> = {
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  F64: 'DoubleStorage',
  I64: 'LongStorage',
  U8: 'ByteStorage',
};

const tupleOf = (values: readonly unknown[]) => joined(op.mark, ...values.map(pickled), op.tuple);

/** Pickles a value: null, a boolean, number, text, list, Map or tensor. Bytes are taken for opcodes already. */
export function pickled(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value === null) return op.none;
  if (typeof value === 'boolean') return value ? op.true : op.false;
  if (typeof value === 'number') return Number.isInteger(value) ? op.int(value) : op.float(value);
  if (typeof value === 'string') return op.text(value);
  if (Array.isArray(value)) return joined(op.emptyList, op.mark, ...value.map(pickled), op.appends);
  if (value instanceof Map)
    return joined(op.emptyDict, op.mark, ...[...value].flat().map((item) => pickled(item)), op.setItems);
  if (value instanceof TorchView) {
    const { key, dtype, shape, strides, offset, count } = value;
    const storage = op.global('torch', storageNames[dtype] ?? 'NoStorage');
    return joined(
      op.global('torch._utils', '_rebuild_tensor_v2'),
      op.mark,
      joined(op.mark, ...['storage', storage, key, 'cpu', count].map(pickled), op.tuple, op.persistentId),
      op.int(offset),
      tupleOf(shape),
      tupleOf(strides),
      op.false,
      joined(op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce),
      op.tuple,
      op.reduce,
    );
  }
  throw new TypeError(`${value} cannot be pickled.`);
}

export interface ZipFile {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  /** Bytes that the directory says it unpacks to; as many as `data` has by default. */
  readonly unpacked?: number;
}

/**
 * Makes a zip archive of stored files, each at a multiple of 64 bytes as PyTorch's; with `wide`, with zip64's fields.
 */
export function zipBytes(files: readonly ZipFile[], { wide = false } = {}): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const add = (...bytes: Uint8Array[]) => {
    for (const part of bytes) {
      parts.push(part);
      at += part.length;
    }
  };
  for (const { name, data, method = 0, unpacked = data.length } of files) {
    const utf8 = new TextEncoder().encode(name);
    const padding = (64 - ((at + 30 + utf8.length + 4) % 64)) % 64;
    const headerStart = at;
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(8, method, true);
    local.setUint32(14, crc32(data), true);
    local.setUint32(18, data.length, true);
    local.setUint32(22, data.length, true);
    local.setUint16(26, utf8.length, true);
    local.setUint16(28, 4 + padding, true);
    const extra = new Uint8Array(4 + padding).fill(0x5a);
    extra.set([0x46, 0x42, padding & 255, padding >> 8]);
    add(new Uint8Array(local.buffer), utf8, extra, data);

    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint16(10, method, true);
    entry.setUint32(16, crc32(data), true);
    entry.setUint32(20, wide ? 0xffffffff : data.length, true);
    entry.setUint32(24, wide ? 0xffffffff : unpacked, true);
    entry.setUint16(28, utf8.length, true);
    entry.setUint16(30, wide ? 28 : 0, true);
    entry.setUint32(42, wide ? 0xffffffff : headerStart, true);
    directory.push(new Uint8Array(entry.buffer), utf8);
    if (wide) {
      const field = new DataView(new ArrayBuffer(28));
      field.setUint16(0, 1, true);
      field.setUint16(2, 24, true);
      [data.length, data.length, headerStart].forEach((n, i) => {
        field.setBigUint64(4 + 8 * i, BigInt(n), true);
      });
      directory.push(new Uint8Array(field.buffer));
    }
  }
  const start = at;
  add(...directory);
  const bytes = at - start;
  if (wide) {
    const end64 = new DataView(new ArrayBuffer(56 + 20));
    end64.setUint32(0, 0x06064b50, true);
    end64.setBigUint64(4, 44n, true);
    end64.setBigUint64(24, BigInt(files.length), true);
    end64.setBigUint64(32, BigInt(files.length), true);
    end64.setBigUint64(40, BigInt(bytes), true);
    end64.setBigUint64(48, BigInt(start), true);
    end64.setUint32(56, 0x07064b50, true);
    end64.setBigUint64(64, BigInt(at), true);
    end64.setUint32(72, 1, true);
    add(new Uint8Array(end64.buffer));
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, wide ? 0xffff : files.length, true);
  end.setUint16(10, wide ? 0xffff : files.length, true);
  end.setUint32(12, wide ? 0xffffffff : bytes, true);
  end.setUint32(16, wide ? 0xffffffff : start, true);
  add(new Uint8Array(end.buffer));
  return joined(...parts);
}

/** Makes a torch.save archive of a pickle (the opcodes between PROTO and STOP) and its storages. */
export function archiveBytes(
  steps: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
  options?: { readonly wide?: boolean },
): Uint8Array<ArrayBuffer> {
  return zipBytes(
    [
      { name: 'archive/data.pkl', data: joined(op.proto, steps, op.stop) },
      { name: 'archive/byteorder', data: bytesOf('little') },
      ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data })),
      { name: 'archive/version', data: bytesOf('3\n') },
    ],
    options,
  );
}

export interface TorchSpec {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** Makes the file that `torch.save` writes for a dictionary of tensors, which `within` may nest in others. */
export function torchBytes(
  tensors: readonly TorchSpec[],
  options: { readonly wide?: boolean; readonly within?: (state: Map<string, TorchView>) => unknown } = {},
): Uint8Array<ArrayBuffer> {
  const storages: Record<string, Uint8Array> = {};
  const state = new Map(
    tensors.map(({ name, dtype, shape, data }, i) => {
      if (data.byteLength !== elementCount(shape) * dtypeBytes[dtype])
        throw new RangeError(`Tensor "${name}" has ${data.byteLength} bytes.`);
      storages[i] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return [name, new TorchView(String(i), dtype, shape)] as const;
    }),
  );
  return archiveBytes(pickled(options.within?.(state) ?? state), storages, options);
}
