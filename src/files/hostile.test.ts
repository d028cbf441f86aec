import { expect, test } from 'vitest';
import { examine } from '../models/doctor.ts';
import { EmbeddingError, readEmbeddings } from '../models/embeddingFile.ts';
import { LoraError, readLora } from '../models/loraFile.ts';
import { CheckpointError, textEncoder } from '../models/openCheckpoint.ts';
import fc from '../properties.ts';
import { openTensorFile } from './openTensorFile.ts';
import { SafetensorsError, writeSafetensors } from './safetensors.ts';
import { dtypeBytes, elementCount, type TensorDtype } from './tensorFile.ts';
import { spySource } from './testing/faultySources.ts';
import { memorySource } from './testing/memorySource.ts';
import { archiveBytes, bytesOf, joined, op, pickled, TorchView, torchBytes, zipBytes } from './testing/torch.ts';
import { TorchFileError } from './torchFile.ts';

const typed = [SafetensorsError, TorchFileError, CheckpointError, LoraError, EmbeddingError];

/**
 * Uses a file in every way; returns the errors. Whatever the file holds, it must end in a typed error or in tensors
 * within it.
 */
async function treat(bytes: Uint8Array, readsAll = true): Promise<Error[]> {
  const source = spySource(memorySource(bytes, 'x'));
  const errors: Error[] = [];
  const attempt = async (use: () => unknown) => {
    try {
      await use();
    } catch (error) {
      if (!(error instanceof Error) || !typed.some((type) => error instanceof type)) throw error;
      errors.push(error);
    }
  };
  await attempt(async () => {
    const file = await openTensorFile(source);
    // Opening reads the end of the file, the directory, and little besides.
    expect(source.reads.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(3 * bytes.length + 1000);
    for (const { read, shape, dtype } of readsAll ? file.tensors.values() : [])
      await attempt(async () => {
        const { length } = await read();
        expect(length).toBe(elementCount(shape) * dtypeBytes[dtype as TensorDtype]);
        expect(length).toBeLessThanOrEqual(bytes.length);
      });
    await attempt(() => textEncoder(file));
    await attempt(() => examine(file));
    await attempt(() => readLora(file));
    await attempt(() => readEmbeddings(file));
  });
  for (const { message } of errors) {
    expect(message).toMatch(/^"x" [^\n]+\.$/);
    expect(message.length).toBeLessThan(600);
  }
  return errors;
}

const tensor = (shape = [2], view = {}) => new TorchView('0', 'F32', shape, { count: 2, ...view });
const eight = new Uint8Array(8);
/** Makes a file of one tensor "a", whose pickle or storage is wrong. */
const one = (value: unknown, storages: Record<string, Uint8Array> = { 0: eight }) =>
  archiveBytes(pickled(new Map([['a', value]])), storages);
const raw = (pickle: Uint8Array) => zipBytes([{ name: 'archive/data.pkl', data: pickle }]);
const steps = (...parts: Uint8Array[]) => raw(joined(op.proto, ...parts));
const good = torchBytes([
  { name: 'a', dtype: 'F32', shape: [2], data: eight },
  { name: 'b', dtype: 'F16', shape: [1, 3], data: new Uint8Array(6) },
]);

/** Returns `good` with a number written at `at`, which counts from the end if negative. */
function patched(bytes: Uint8Array, at: number, value: number, size: 1 | 2 | 4 | 8): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  const place = at < 0 ? bytes.length + at : at;
  if (size === 1) view.setUint8(place, value);
  else if (size === 2) view.setUint16(place, value, true);
  else if (size === 4) view.setUint32(place, value, true);
  else view.setBigUint64(place, BigInt(value), true);
  return out;
}

/** Finds the start of an archive's directory in its last record. */
const directory = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 22 + 16, true);
const wide = torchBytes([{ name: 'a', dtype: 'F32', shape: [2], data: eight }], { wide: true });

const call = (module: string, name: string, ...args: Uint8Array[]) =>
  joined(op.global(module, name), op.mark, ...args, op.tuple, op.reduce);
const repeated = (piece: Uint8Array, times: number) =>
  new Uint8Array(Buffer.alloc(piece.length * times, Buffer.from(piece)));
const storage = (type: Uint8Array, key: unknown, count: unknown) =>
  joined(op.mark, ...['storage', type, key, 'cpu', count].map(pickled), op.tuple, op.persistentId);
const rebuild = (...args: Uint8Array[]) => one(call('torch._utils', '_rebuild_tensor_v2', ...args));
const float = op.global('torch', 'FloatStorage');
const pair = joined(op.int(2), op.tuple1);
const single = joined(op.int(1), op.tuple1);

const harm = (name: string) =>
  `names "${name}", which can harm those who open it with Python and which no model needs; delete it`;
const outside = (name: string) => `is a zip archive whose "${name}" lies outside the file: it is cut off or damaged`;
const notThere = 'is a zip archive whose directory is not where it says: it is damaged';

test.each<[string, Uint8Array, string]>([
  // Zip archives.
  [
    'a zip without a directory',
    bytesOf(`PK\x03\x04${'\0'.repeat(60)}`),
    'is a zip archive without its directory: it is cut off',
  ],
  ['an empty zip', zipBytes([]), 'is a zip archive, but not one of PyTorch: it has no data.pkl'],
  [
    'a zip of something else',
    zipBytes([{ name: 'word/document.xml', data: eight }]),
    'is a zip archive, but not one of PyTorch: it has no data.pkl',
  ],
  [
    'two pickles',
    zipBytes(['a', 'b'].map((folder) => ({ name: `${folder}/data.pkl`, data: eight }))),
    'is a zip archive, but not one of PyTorch: it has more than one data.pkl',
  ],
  [
    'a name twice',
    zipBytes(['a/data.pkl', 'a/data.pkl'].map((name) => ({ name, data: eight }))),
    'is a zip archive that has "a/data.pkl" twice',
  ],
  [
    'a compressed pickle',
    zipBytes([{ name: 'a/data.pkl', data: eight, method: 8 }]),
    'is a zip archive whose "a/data.pkl" is compressed; PyTorch stores it as it is',
  ],
  [
    'an encrypted pickle',
    patched(good, directory(good) + 8, 1, 2),
    'is a zip archive whose "archive/data.pkl" is encrypted',
  ],
  ['a directory past the end', patched(good, -6, 0xfffffff0, 4), notThere],
  ['a directory of 4 GB', patched(good, -10, 0xfffffff0, 4), notThere],
  [
    'a directory that is elsewhere',
    patched(good, -6, 7, 4),
    'is a zip archive with a damaged directory: entry 1 of 5 is not there',
  ],
  [
    'a directory of too many entries',
    patched(good, -12, 6, 2),
    'is a zip archive with a damaged directory: entry 6 of 5 is not there'.replace('of 5', 'of 6'),
  ],
  [
    'an entry’s name past the directory',
    patched(good, directory(good) + 28, 0xffff, 2),
    'is a zip archive with a damaged directory: entry 1 of 5 is cut off',
  ],
  ['an entry of 4 GB', patched(good, directory(good) + 20, 0xfffffff0, 4), outside('archive/data.pkl')],
  ['an entry past the end', patched(good, directory(good) + 42, 0xfffffff0, 4), outside('archive/data.pkl')],
  ['an entry of two sizes', patched(good, directory(good) + 24, 1, 4), outside('archive/data.pkl')],
  [
    'an entry that is elsewhere',
    patched(good, directory(good) + 42, 1, 4),
    'is a zip archive whose "archive/data.pkl" is not where the directory says: it is damaged',
  ],
  [
    'an entry within another',
    patched(good, directory(good) + 42, 64, 4),
    'is a zip archive whose "archive/data.pkl" and "archive/byteorder" share bytes: it is damaged or made to harm',
  ],
  [
    'a wide size without its field',
    patched(good, directory(good) + 20, 0xffffffff, 4),
    'is a zip archive with a damaged directory: "archive/data.pkl" has no size',
  ],
  ['a zip64 record past the end', patched(wide, -22 - 20 + 8, 2 ** 52, 8), notThere],
  ['a zip64 record that is none', patched(wide, -22 - 20 + 8, 1, 8), notThere],
  ['a zip64 directory of 2⁵² bytes', patched(wide, -22 - 20 - 56 + 40, 2 ** 52, 8), notThere],
  [
    'a zip64 directory of 2⁵² entries',
    patched(wide, -22 - 20 - 56 + 32, 2 ** 52, 8),
    'is a zip archive with a damaged directory: entry 5 of 4503599627370496 is not there',
  ],
  [
    'a big-endian archive',
    zipBytes([
      { name: 'a/data.pkl', data: eight },
      { name: 'a/byteorder', data: bytesOf('big') },
    ]),
    'was written on a big-endian machine; save it again on another',
  ],
  // Pickles.
  ['no pickle', raw(new Uint8Array(0)), 'has a pickle that is cut off'],
  ['a pickle of zeros', raw(eight), 'has a pickle of protocol 0 or 1, or something else; PyTorch writes protocol 2'],
  ['a pickle of protocol 9', raw(Uint8Array.of(0x80, 9)), 'has a pickle of protocol 9; 2 to 5 can be read'],
  ['a pickle that does not stop', steps(op.none), 'has a pickle that is cut off'],
  ['a pickle that stops at nothing', steps(op.stop), 'has a pickle that takes more than it has made'],
  ['a text of 4 GB', steps(Uint8Array.of(0x58, 255, 255, 255, 255)), 'has a pickle that is cut off'],
  ['a text of 2⁶⁴ bytes', steps(Uint8Array.of(0x8d, ...Array(8).fill(255))), 'has a pickle that is cut off'],
  [
    'a whole number of 4 GB',
    steps(Uint8Array.of(0x8b, 255, 255, 255, 255)),
    'has a pickle with a whole number of 4294967295 bytes',
  ],
  ['os.system', steps(call('os', 'system', op.text('rm -rf /')), op.stop), harm('os.system')],
  ['posix.system, unused', steps(op.global('posix', 'system'), op.stop), harm('posix.system')],
  ['eval', one(call('builtins', 'eval', op.text('1'))), harm('builtins.eval')],
  ['exec of Python 2', one(call('__builtin__', 'execfile', op.text('x'))), harm('__builtin__.execfile')],
  ['a submodule', one(call('subprocess.inner', 'Popen', op.text('x'))), harm('subprocess.inner.Popen')],
  [
    'os.system, put together on the stack',
    steps(op.text('os'), op.text('system'), Uint8Array.of(0x93), op.stop),
    harm('os.system'),
  ],
  [
    'a call of a text',
    steps(op.text('os.system'), op.emptyTuple, op.reduce, op.stop),
    'has a pickle that calls what is not a class or function',
  ],
  [
    'a call without arguments',
    steps(op.global('collections', 'OrderedDict'), op.none, op.reduce, op.stop),
    'has a pickle that calls "collections.OrderedDict" without a list of arguments',
  ],
  [
    'a class whose name is a number',
    steps(op.int(1), op.int(2), Uint8Array.of(0x93), op.stop),
    'has a pickle with a class whose name is not one',
  ],
  [
    'a class whose name does not end',
    steps(bytesOf(`c${'a'.repeat(5000)}`)),
    'has a pickle with a name that does not end',
  ],
  [
    'items put into a text',
    steps(op.text('x'), op.none, op.none, op.setItem, op.stop),
    'has a pickle that puts items into what is not a dictionary',
  ],
  [
    'half an item',
    steps(op.emptyDict, op.mark, op.none, op.setItems, op.stop),
    'has a pickle that puts items into what is not a dictionary',
  ],
  [
    'a list of nothing',
    steps(op.none, op.mark, op.appends, op.stop),
    'has a pickle that appends to what is not a list',
  ],
  ['a mark never set', steps(op.tuple), 'has a pickle that goes back to a mark it never set'],
  ['a memory never kept', steps(op.get(3), op.stop), 'has a pickle that recalls what it never kept'],
  [
    'an opcode of protocol 0',
    steps(bytesOf('I1\n.')),
    'has a pickle with the opcode 0x49, which PyTorch does not write',
  ],
  ['a tensor', archiveBytes(pickled(tensor()), { 0: eight }), 'holds no dictionary of tensors'],
  ['an id from elsewhere', one(joined(op.none, op.persistentId)), 'refers to something that is not a storage'],
  ['a storage of a number', one(storage(float, 0, 2)), 'refers to something that is not a storage'],
  ['a storage of −2 elements', one(storage(float, '0', -2)), 'refers to something that is not a storage'],
  [
    'a storage of no elements in particular',
    one(storage(float, '0', 1.5)),
    'refers to something that is not a storage',
  ],
  ['a storage of another class', one(storage(op.text('x'), '0', 2)), 'refers to something that is not a storage'],
  ['a storage that is not there', one(tensor(), {}), 'lacks the storage "0": it is cut off or damaged'],
  [
    'a storage in another folder',
    one(storage(float, '../data.pkl', 2)),
    'lacks the storage "../data.pkl": it is cut off or damaged',
  ],
  [
    'a storage of 10 GB',
    one(tensor([2], { count: 2_500_000_000 })),
    'gives storage "0" 8 bytes, but 2500000000 elements of F32 take another number',
  ],
  [
    'a tensor past its storage',
    one(tensor([3])),
    'has a tensor of shape [3] that reaches past the end of its storage of 2 elements',
  ],
  [
    'a tensor that begins past its storage',
    one(tensor([1], { offset: 2 })),
    'has a tensor of shape [1] that reaches past the end of its storage of 2 elements',
  ],
  [
    'a tensor that strides past its storage',
    one(tensor([2], { strides: [2] })),
    'has a tensor of shape [2] that reaches past the end of its storage of 2 elements',
  ],
  [
    'a tensor of 2⁴⁰ times one element',
    one(tensor([2 ** 40], { strides: [0] })),
    'has a tensor of shape [1099511627776] in a storage of 2 elements',
  ],
  [
    'a tensor of 2¹²⁰ elements',
    one(tensor([2 ** 40, 2 ** 40, 2 ** 40], { strides: [0, 0, 0] })),
    'has a tensor of shape [1099511627776, 1099511627776, 1099511627776] in a storage of 2 elements',
  ],
  ['a tensor of negative size', one(tensor([-1])), 'has a tensor without a storage, a place, a shape and strides'],
  [
    'a tensor of a negative stride',
    one(tensor([2], { strides: [-1], offset: 1 })),
    'has a tensor without a storage, a place, a shape and strides',
  ],
  [
    'a tensor of nine dimensions',
    one(tensor([1, 1, 1, 1, 1, 1, 1, 1, 1])),
    'has a tensor without a storage, a place, a shape and strides',
  ],
  [
    'a tensor of fewer strides',
    one(tensor([1, 2], { strides: [1] })),
    'has a tensor without a storage, a place, a shape and strides',
  ],
  ['a tensor of nothing', rebuild(), 'has a tensor without a storage, a place, a shape and strides'],
  [
    'a tensor of a text',
    rebuild(op.text('0'), op.int(0), pair, single),
    'has a tensor without a storage, a place, a shape and strides',
  ],
  [
    'a tensor of no type',
    one(call('torch._utils', '_rebuild_tensor_v3', storage(float, '0', 2), op.int(0), pair, single)),
    'has a tensor of no type',
  ],
  [
    'a name twice, once in a dictionary',
    archiveBytes(
      pickled(
        new Map<string, unknown>([
          ['a.b', tensor()],
          ['a', new Map([['b', tensor()]])],
        ]),
      ),
      { 0: eight },
    ),
    'names "a.b" twice',
  ],
  [
    'a name like a book',
    archiveBytes(pickled(new Map([['x'.repeat(501), tensor()]])), { 0: eight }),
    'has a tensor whose name is longer than 500 letters',
  ],
  [
    'dictionaries within dictionaries',
    archiveBytes(
      pickled(Array.from({ length: 40 }).reduce<Map<string, unknown>>((map) => new Map([['a', map]]), new Map())),
    ),
    'has dictionaries nested too deeply',
  ],
])('%s is refused in one sentence', async (_, bytes, why) => {
  const [error, ...more] = await treat(bytes);
  expect(error).toBeInstanceOf(TorchFileError);
  expect(error.message).toBe(`"x" ${why}.`);
  expect(more).toEqual([]);
});

/** The longest pickle that is read. */
const mostBytes = 1 << 23;
const tooMany = 'has a pickle of more than 400000 steps, which no model needs';

test.each<[string, () => Uint8Array, string]>([
  ['8 MB of lists', () => steps(repeated(op.emptyList, mostBytes - 2)), tooMany],
  ['8 MB of dictionaries', () => steps(repeated(op.emptyDict, mostBytes - 2)), tooMany],
  ['8 MB of marks', () => steps(repeated(op.mark, mostBytes - 2)), tooMany],
  ['8 MB of copies', () => steps(op.text('x'.repeat(1000)), repeated(op.duplicate, mostBytes - 2000)), tooMany],
  ['tuples of tuples, each twice', () => steps(op.none, repeated(joined(op.duplicate, op.tuple2), 900_000)), tooMany],
  [
    'more than 8 MB',
    () => steps(op.text('x'.repeat(mostBytes))),
    `has a pickle of ${mostBytes + 7} bytes, which no model needs`,
  ],
  [
    'one large state for many objects',
    () =>
      steps(
        op.emptyDict,
        op.mark,
        ...Array.from({ length: 20_000 }, (_, i) => joined(op.int(i), op.none)),
        op.setItems,
        op.put(0),
        repeated(joined(op.global('a', 'B'), op.emptyTuple, op.newObject, op.get(0), op.build), 20_000),
        op.stop,
      ),
    tooMany,
  ],
  [
    'a dictionary of dictionaries, each twice, 30 deep',
    () =>
      steps(
        op.emptyDict,
        ...Array.from({ length: 30 }, () =>
          joined(
            op.put(0),
            ...[op.emptyDict, op.text('a'), op.get(0), op.setItem, op.text('b'), op.get(0), op.setItem],
          ),
        ),
        op.stop,
      ),
    'has no tensors',
  ],
])('a bomb of %s takes little time and memory', async (_, make, why) => {
  const bytes = make();
  const before = process.memoryUsage();
  const start = process.cpuUsage();
  const [{ message }] = await treat(bytes);
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1e6).toBeLessThan(5);
  const after = process.memoryUsage();
  expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(200e6);
  expect(message).toContain(why);
});

/** A safetensors file of this header and no data. */
function headed(json: string): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setBigUint64(0, BigInt(json.length), true);
  return joined(header, Buffer.from(json, 'latin1'));
}
const empty = '"dtype":"F32","shape":[0],"data_offsets":[0,0]';
const shared = (name: (i: number) => string, shape: readonly number[], count: number) =>
  archiveBytes(
    pickled(new Map(Array.from({ length: count }, (_, i) => [name(i), new TorchView('0', 'F32', shape)] as const))),
    { 0: new Uint8Array(4 * elementCount(shape)) },
  );
const loraLayer = (i: number) =>
  `lora_te_text_model_encoder_layers_${i >> 1}_mlp_fc1.lora_${i % 2 ? 'up' : 'down'}.weight`;

test.each<[string, () => Uint8Array, string]>([
  ['a header of 17 MB', () => headed(`{"a":{${empty}}${' '.repeat(17_000_000)}}`), 'claims a header of'],
  [
    'a million tensors',
    () => headed(`{${Array.from({ length: 200_000 }, (_, i) => `"${i}":{${empty}}`).join(',')}}`),
    'describes more than any model has',
  ],
  ['16 MB of empty lists', () => headed(`{"a":[${Array(5_000_000).fill('[]').join(',')}]}`), 'more than any model has'],
  ['16 MB of numbers', () => headed(`{"a":[${Array(8_000_000).fill('0').join(',')}]}`), 'more than any model has'],
  [
    'a shape of 450,000 sizes',
    () => headed(`{"a":{"dtype":"F32","shape":[${Array(450_000).fill('9').join(',')}],"data_offsets":[0,0]}}`),
    'gives tensor "a" 0 bytes',
  ],
  [
    'a zip of 300,000 files',
    () => {
      const entry = new Uint8Array(47);
      new DataView(entry.buffer).setUint32(0, 0x02014b50, true);
      new DataView(entry.buffer).setUint16(28, 1, true);
      const directory = repeated(entry, 300_000);
      return joined(Buffer.from('PK\x03\x04'.padEnd(64, '\0'), 'latin1'), directory, endOf(directory.length));
    },
    'is a zip archive of more than 200000 files, which no checkpoint needs',
  ],
  [
    'a LoRA whose matrices share their bytes',
    () => shared(loraLayer, [3072, 768], 24),
    'has tensors of 226492416 bytes for the text encoder in a file of',
  ],
  [
    'a thousand embeddings that share their bytes',
    () => shared((i) => `bundle_emb.${i}.emb_params`, [1024, 768], 1000),
    'has more than 20000 vectors',
  ],
])('%s is refused within a second and 200 MB', async (_, make, why) => {
  const bytes = make();
  const before = process.memoryUsage();
  const messages = (await treat(bytes, false)).map(({ message }) => message);
  const after = process.memoryUsage();
  expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(200e6);
  expect(messages.join('\n')).toContain(why);
});

/** The zip64 records of 300,000 entries. */
function endOf(directoryBytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(56 + 20 + 22));
  view.setUint32(0, 0x06064b50, true);
  view.setBigUint64(32, 300_000n, true);
  view.setBigUint64(40, BigInt(directoryBytes), true);
  view.setBigUint64(48, 64n, true);
  view.setUint32(56, 0x07064b50, true);
  view.setBigUint64(64, BigInt(64 + directoryBytes), true);
  view.setUint32(76, 0x06054b50, true);
  view.setUint16(76 + 10, 0xffff, true);
  view.setUint32(76 + 12, 0xffffffff, true);
  view.setUint32(76 + 16, 0xffffffff, true);
  return new Uint8Array(view.buffer);
}

const safetensors = writeSafetensors(
  [
    { name: 'a', dtype: 'F32', shape: [2], data: eight },
    { name: 'lora_te_text_model_encoder_layers_0_mlp_fc1.alpha', dtype: 'F16', shape: [], data: new Uint8Array(2) },
  ],
  { format: 'pt' },
);

test.each([
  ['safetensors', safetensors],
  ['PyTorch', good],
  ['wide PyTorch', wide],
])('%s cut off anywhere is refused', async (_, bytes) => {
  for (let length = 0; length < bytes.length; length++) {
    const [error] = await treat(bytes.subarray(0, length));
    expect(error, `${length}`).toBeInstanceOf(Error);
    expect(error instanceof SafetensorsError || error instanceof TorchFileError, `${length}`).toBe(true);
  }
});

const goodPickle = joined(
  op.proto,
  pickled(
    new Map<string, unknown>([
      ['state_dict', new Map([['a', tensor()]])],
      ['step', 70000],
      ['note', 'ü'],
      ['hook', joined(op.global('a', 'B'), op.emptyTuple, op.newObject, pickled(new Map([['x', 0.5]])), op.build)],
    ]),
  ),
  op.stop,
);
const withPickle = (pickle: Uint8Array) =>
  zipBytes([
    { name: 'a/data.pkl', data: pickle },
    { name: 'a/data/0', data: eight },
  ]);

test('a pickle cut off anywhere is refused', async () => {
  for (let length = 0; length < goodPickle.length; length++) {
    const [error] = await treat(withPickle(goodPickle.subarray(0, length)));
    expect(error, `${length}`).toBeInstanceOf(TorchFileError);
  }
});

test.each([
  ['archive', good, (bytes: Uint8Array) => bytes],
  ['wide archive', wide, (bytes: Uint8Array) => bytes],
  ['pickle', goodPickle, withPickle],
] as const)('bytes of a PyTorch %s changed at random end in a typed error or in tensors', async (_, bytes, wrap) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 255, 0x28, 0x2e, 0x7d))), {
        minLength: 1,
        maxLength: 5,
      }),
      async (changes) => {
        const body = new Uint8Array(bytes);
        for (const [at, byte] of changes) body[at] = byte;
        await treat(wrap(body));
      },
    ),
    { numRuns: 1500 },
  );
});

test('opcodes in any order end in a typed error or in tensors', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...[op.mark, op.emptyTuple, op.emptyList, op.emptyDict, op.tuple, op.tuple1, op.tuple2, op.appends, op.setItem],
      ...[op.setItems, op.reduce, op.newObject, op.build, op.persistentId, op.none, op.duplicate, float],
      ...[op.put(0), op.get(0), op.put(1), op.get(1), op.text('storage'), op.text('0'), op.text('a'), op.int(2)],
      op.global('torch._utils', '_rebuild_tensor_v2'),
      op.global('torch._tensor', '_rebuild_from_type_v2'),
      op.global('collections', 'OrderedDict'),
      storage(float, '0', 2),
      pickled(tensor()),
      pickled(new Map([['a', tensor()]])),
    ),
    fc.nat(255).map((byte) => Uint8Array.of(byte)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
      await treat(withPickle(joined(op.proto, ...pieces, op.stop)));
    }),
    { numRuns: 3000 },
  );
});

test('names and shapes of LoRAs and embeddings at random end in a typed error or in what they are', async () => {
  const module = fc.constantFrom(
    'lora_te_text_model_encoder_layers_0_mlp_fc1',
    'lora_te1_text_model_encoder_layers_99999999999999999999_self_attn_q_proj',
    'text_encoder.text_model.encoder.layers.0.self_attn.q_proj',
    'lora_unet_x',
    'bundle_emb.x',
    'string_to_param',
    '',
  );
  const part = fc.constantFrom(
    ...['lora_down.weight', 'lora_up.weight', 'alpha', 'dora_scale', 'lora_A.weight', 'lora_B.weight', 'hada_w1_a'],
    ...['string_to_param.*', 'clip_l', 'clip_g', 'emb_params', '*', '__proto__', 'weight'],
  );
  const shape = fc.array(fc.constantFrom(0, 1, 2, 4, 768, 3072), { maxLength: 4 });
  const spec = fc.tuple(module, part, shape, fc.constantFrom('F32', 'F16', 'I64', 'U8') as fc.Arbitrary<'F32'>);
  await fc.assert(
    fc.asyncProperty(fc.array(spec, { maxLength: 6 }), fc.boolean(), async (specs, torch) => {
      const named = new Map(specs.map((spec) => [[spec[0], spec[1]].filter(Boolean).join('.'), spec]));
      const tensors = [...named]
        .map(([name, [, , shape, dtype]]) => ({ name, dtype, shape }))
        .filter(({ shape }) => elementCount(shape) <= 4 * 3072)
        .map((spec) => ({ ...spec, data: new Uint8Array(elementCount(spec.shape) * dtypeBytes[spec.dtype]) }));
      await treat(torch ? torchBytes(tensors) : writeSafetensors(tensors));
    }),
    { numRuns: 500 },
  );
});
