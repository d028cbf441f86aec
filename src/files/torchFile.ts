import { describeKind, fileKind } from './fileKind.ts';
import { PickledGlobal, PickledObject, type PickleWorld, readPickle } from './pickle.ts';
import type { ByteSource } from './sources.ts';
import {
  dtypeBytes,
  elementCount,
  excerpt,
  rowBytes,
  type StoredTensor,
  shapeText,
  type TensorDtype,
  type TensorFile,
} from './tensorFile.ts';
import { entryStart, readZipDirectory, type ZipEntry } from './zipDirectory.ts';

/**
 * The file is not PyTorch's, is damaged, or tries to run something. The message is one sentence that names the file.
 */
export class TorchFileError extends Error {
  override name = 'TorchFileError';
}

/** Says what is wrong with the file, "is …", and throws. */
type Fail = (why: string) => never;

/** Longest pickle that is read. A checkpoint's has 0.2 kB a tensor; this leaves room for anything a trainer adds. */
const longestPickle = 1 << 23;
const mostTensors = 100_000;
const longestName = 500;
const mostDimensions = 8;
/** Deepest nesting of dictionaries and modules. OpenAI's CLIP has six levels. */
const mostLevels = 32;

/** Storage classes and their types, without `torch.` or `torch.cuda.`. */
const storageTypes: ReadonlyMap<string, TensorDtype> = new Map([
  ['FloatStorage', 'F32'],
  ['HalfStorage', 'F16'],
  ['BFloat16Storage', 'BF16'],
  ['DoubleStorage', 'F64'],
  ['LongStorage', 'I64'],
  ['IntStorage', 'I32'],
  ['ShortStorage', 'I16'],
  ['CharStorage', 'I8'],
  ['ByteStorage', 'U8'],
  ['BoolStorage', 'BOOL'],
  ['ComplexFloatStorage', 'C64'],
  ['storage.UntypedStorage', 'U8'],
]);

/** Types as `torch.…` names them, for tensors whose storage has no type. */
const torchDtypes: ReadonlyMap<string, TensorDtype> = new Map([
  ['torch.float8_e4m3fn', 'F8_E4M3'],
  ['torch.float8_e5m2', 'F8_E5M2'],
  ['torch.float8_e8m0fnu', 'F8_E8M0'],
  ['torch.float8_e4m3fnuz', 'F8_E4M3FNUZ'],
  ['torch.float8_e5m2fnuz', 'F8_E5M2FNUZ'],
  ['torch.uint16', 'U16'],
  ['torch.uint32', 'U32'],
  ['torch.uint64', 'U64'],
]);

/**
 * Python modules that run things, write files or reach the network, and that no model needs. Nothing in a pickle is run
 * here, but a file that names them was made to harm people who open it in Python.
 */
const dangerousModules = new Set(
  (
    'os posix nt ntpath posixpath subprocess sys shutil socket pty ctypes importlib imp pkgutil runpy code codeop ' +
    'commands webbrowser urllib http httplib requests asyncio multiprocessing signal pip venv tempfile ' +
    'pickle _pickle marshal shelve bdb pdb timeit profile cProfile trace doctest site smtplib ftplib telnetlib'
  ).split(' '),
);
const dangerousNames = new Set(
  (
    'eval exec execfile compile open input getattr setattr delattr apply __import__ globals locals vars breakpoint ' +
    'help exit quit memoryview'
  )
    .split(' ')
    .flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`])
    .concat([
      'torch.load',
      'torch.hub.load',
      'torch.serialization.load',
      'numpy.load',
      'operator.attrgetter',
      'operator.methodcaller',
      'operator.itemgetter',
      'functools.partial',
    ]),
);

/** A file of elements in the archive. */
class Storage {
  readonly entry: ZipEntry;
  /** A TensorDtype, or PyTorch's name for a type that is not known here. */
  readonly dtype: string;
  constructor(entry: ZipEntry, dtype: string) {
    this.entry = entry;
    this.dtype = dtype;
  }
}

/** Bytes of an element; undefined of a type that is not known. */
function elementBytes(dtype: string): number | undefined {
  return Object.hasOwn(dtypeBytes, dtype) ? dtypeBytes[dtype as TensorDtype] : undefined;
}

/** Makes a name for messages of a type that is not known. */
function typeName({ name }: PickledGlobal): string {
  return name.replace(/[^\w.]/g, '').slice(0, 60);
}

/** A view of a storage: element [i, j, …] is at offset + i·strides[0] + j·strides[1] + …, all in elements. */
interface View {
  readonly storage: Storage;
  readonly dtype: string;
  /** Bytes of an element; 0 of a type that is not known, whose elements are never read. */
  readonly size: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A tensor in a pickle. It is a class so that nothing else in the pickle can pass for one. */
class TorchTensor {
  readonly view: View;
  constructor(view: View) {
    this.view = view;
  }
}

const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
const areSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= mostDimensions && value.every(isSize);

/**
 * Whether the elements lie in row-major order without holes. The stride of a dimension of one element does not matter.
 */
function isContiguous({ shape, strides }: View): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== step) return false;
    step *= shape[i];
  }
  return true;
}

/** Number of elements from the first to the last of a tensor that is not empty. */
const spanOf = ({ shape, strides }: View) => 1 + shape.reduce((sum, size, i) => sum + (size - 1) * strides[i], 0);

/** Copies the elements of a view, in row-major order, out of the bytes that it spans. */
function gather(span: Uint8Array, { size, shape, strides }: View): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(elementCount(shape) * size);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to += size) {
    for (let b = 0; b < size; b++) out[to + b] = span[from * size + b];
    for (let i = shape.length - 1; i >= 0; i--) {
      from += strides[i];
      if (++index[i] < shape[i]) break;
      from -= shape[i] * strides[i];
      index[i] = 0;
    }
  }
  return out;
}

/** Gives PyTorch's pickles their meaning: storages in the archive, and tensors as views of them. */
function torchWorld(entries: ReadonlyMap<string, ZipEntry>, folder: string, fail: Fail): PickleWorld {
  const tensor = (args: readonly unknown[], type?: unknown): TorchTensor => {
    const [storage, offset, shape, strides] = args;
    if (
      !(storage instanceof Storage && isSize(offset) && areSizes(shape) && areSizes(strides)) ||
      shape.length !== strides.length
    )
      return fail('has a tensor without a storage, a place, a shape and strides');
    if (type !== undefined && !(type instanceof PickledGlobal)) return fail('has a tensor of no type');
    const dtype = type === undefined ? storage.dtype : (torchDtypes.get(type.name) ?? typeName(type));
    const size = elementBytes(dtype);
    const view: View = { storage, dtype, size: size ?? 0, offset, shape: [...shape], strides: [...strides] };
    if (size === undefined) return new TorchTensor(view);
    const elements = elementCount(shape);
    const room = Math.floor(storage.entry.size / size);
    if (elements > 0 && !(offset + spanOf(view) <= room))
      fail(`has a tensor of shape ${shapeText(shape)} that reaches past the end of its storage of ${room} elements`);
    // Repeated elements would let a small file ask for any amount of memory.
    if (!(elements <= room)) fail(`has a tensor of shape ${shapeText(shape)} in a storage of ${room} elements`);
    return new TorchTensor(view);
  };
  return {
    persistent(id) {
      const [kind, type, key, , count] = Array.isArray(id) ? id : [];
      if (kind !== 'storage' || !(type instanceof PickledGlobal) || typeof key !== 'string' || !isSize(count))
        return fail('refers to something that is not a storage');
      const dtype = storageTypes.get(type.name.replace(/^torch\.(cuda\.)?/, '')) ?? typeName(type);
      const entry = entries.get(`${folder}data/${key}`);
      if (!entry) return fail(`lacks the storage ${excerpt(key)}: it is cut off or damaged`);
      const size = elementBytes(dtype);
      if (size !== undefined && entry.size !== count * size)
        fail(
          `gives storage ${excerpt(key)} ${entry.size} bytes, but ${count} elements of ${dtype} take another number`,
        );
      return new Storage(entry, dtype);
    },
    global(name) {
      const module = name.slice(0, Math.max(0, name.indexOf('.')));
      if (dangerousModules.has(module) || dangerousNames.has(name))
        fail(
          `names ${excerpt(name)}, which can harm those who open it with Python and which no model needs; delete it`,
        );
    },
    call(name, args) {
      switch (name) {
        case 'torch._utils._rebuild_tensor':
        case 'torch._utils._rebuild_tensor_v2':
          return tensor(args);
        case 'torch._utils._rebuild_tensor_v3':
          return tensor(args, args[6] ?? null);
        case 'torch._utils._rebuild_parameter':
        case 'torch._utils._rebuild_parameter_with_state':
          return args[0];
        case 'torch._tensor._rebuild_from_type_v2': {
          // A tensor of a subclass; the arguments are function, type, arguments and state.
          const [callee, , inner] = args;
          if (
            callee instanceof PickledGlobal &&
            callee.name.startsWith('torch._utils._rebuild_') &&
            Array.isArray(inner)
          )
            return this.call(callee.name, inner);
          return new PickledObject();
        }
        case 'collections.OrderedDict':
        case 'collections.defaultdict':
        case 'builtins.dict':
        case '__builtin__.dict':
          return new Map();
        default:
          return new PickledObject();
      }
    },
  };
}

/** Returns the items of a dictionary, of an object's state, or of a list by their places. */
function itemsOf(value: unknown): Iterable<readonly [unknown, unknown]> | undefined {
  if (value instanceof Map) return value;
  if (Array.isArray(value)) return value.entries();
  return value instanceof PickledObject ? value.items : undefined;
}

/** Attributes in which a module keeps its parts. They do not appear in the names of tensors. */
const moduleParts = new Set(['_parameters', '_buffers', '_modules']);

/** Keys of a trainer's own state beside the model: an optimizer alone has twice as many tensors. */
const training = /^(optimi[sz]er.*|lr_schedulers|callbacks|loops)$/;

/** Collects tensors by name. Names of nested dictionaries, lists and modules are joined by dots, without `state_dict.`. */
function namedTensors(root: unknown, fail: Fail): Map<string, View> {
  const found = new Map<string, View>();
  // Each dictionary is visited once, so that sharing and loops cost nothing.
  const seen = new Set<unknown>();
  const walk = (container: unknown, prefix: string, level: number): void => {
    if (seen.has(container)) return;
    seen.add(container);
    if (level > mostLevels) fail('has dictionaries nested too deeply');
    for (const [key, value] of itemsOf(container) ?? []) {
      if (typeof key !== 'string' && typeof key !== 'number') continue;
      const isContainer = itemsOf(value) !== undefined;
      if (!(isContainer || value instanceof TorchTensor) || training.test(String(key))) continue;
      if (isContainer && (moduleParts.has(String(key)) || (level === 0 && key === 'state_dict'))) {
        walk(value, prefix, level + 1);
        continue;
      }
      const name = `${prefix}${key}`;
      if (name.length > longestName) fail(`has a tensor whose name is longer than ${longestName} letters`);
      if (isContainer) walk(value, `${name}.`, level + 1);
      else if (value instanceof TorchTensor) {
        if (found.has(name)) fail(`names ${excerpt(name)} twice`);
        if (found.size === mostTensors) fail(`has more than ${mostTensors} tensors`);
        found.set(name, value.view);
      }
    }
  };
  walk(root, '', 0);
  return found;
}

/** Collects texts and numbers beside the tensors, such as a training's step or an embedding's name. */
function plainValues(root: unknown): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of itemsOf(root) ?? [])
    if (typeof key === 'string' && ['string', 'number', 'boolean'].includes(typeof value))
      found.set(key, String(value));
  return found;
}

async function readText(source: ByteSource, entry: ZipEntry, fail: Fail, signal?: AbortSignal): Promise<string> {
  const start = await entryStart(source, entry, fail, signal);
  return new TextDecoder().decode(await source.read(start, start + Math.min(entry.size, 16), signal));
}

/**
 * Reads the directory of a file that `torch.save` wrote (a zip archive with `data.pkl` and `data/0`, `data/1`, …), or
 * TorchScript. The tensors are those in all dictionaries, lists and modules but a trainer's own, under their names joined by
 * dots, without `state_dict.`. The pickle is read as data and runs nothing. Throws TorchFileError.
 */
export async function openTorchFile(source: ByteSource, signal?: AbortSignal): Promise<TensorFile> {
  const fail: Fail = (why) => {
    throw new TorchFileError(`"${source.name}" ${why}.`);
  };
  const kind = fileKind(await source.read(0, Math.min(64, source.size), signal));
  if (kind === 'pickle')
    fail("is a PyTorch file from before version 1.6, which can't be read; load and save it with a newer PyTorch");
  if (kind === 'safetensors') fail('is a safetensors file, not one of PyTorch');
  if (kind !== 'zip') fail(kind === 'unknown' ? 'is not a PyTorch file' : describeKind(kind));

  const entries = await readZipDirectory(source, fail, signal);
  const pickles = [...entries.values()].filter(({ name }) => /^([^/]*\/)?data\.pkl$/.test(name));
  if (pickles.length !== 1)
    fail(`is a zip archive, but not one of PyTorch: it has ${pickles.length === 0 ? 'no' : 'more than one'} data.pkl`);
  const [pickle] = pickles;
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  if (pickle.size > longestPickle) fail(`has a pickle of ${pickle.size} bytes, which no model needs`);
  const byteOrder = entries.get(`${folder}byteorder`);
  if (byteOrder && (await readText(source, byteOrder, fail, signal)) !== 'little')
    fail('was written on a big-endian machine; save it again on another');

  const start = await entryStart(source, pickle, fail, signal);
  const bytes = await source.read(start, start + pickle.size, signal);
  const root = readPickle(bytes, torchWorld(entries, folder, fail), fail);
  if (!itemsOf(root)) return fail('holds no dictionary of tensors');

  const tensors = new Map<string, StoredTensor>();
  for (const [name, view] of namedTensors(root, fail)) {
    const { storage, dtype, offset, shape, size } = view;
    const bytes = elementCount(shape) * size;
    const read = async (start: number, end: number, signal?: AbortSignal) => {
      const at = (await entryStart(source, storage.entry, fail, signal)) + offset * size;
      return source.read(at + start, at + end, signal);
    };
    const contiguous = isContiguous(view);
    tensors.set(name, {
      dtype,
      shape,
      bytes,
      async read(signal, rows) {
        if (size === 0) fail(`stores tensor ${excerpt(name)} as ${dtype}, which cannot be read`);
        const { start, end } = rowBytes({ bytes, shape }, rows);
        // An empty tensor may lie anywhere, outside the file as well.
        if (start === end) return new Uint8Array(0);
        if (contiguous) return read(start, end, signal);
        const whole = gather(await read(0, spanOf(view) * size, signal), view);
        return start === 0 && end === whole.length ? whole : whole.slice(start, end);
      },
    });
  }
  return { source, format: 'torch', metadata: plainValues(root), tensors };
}
