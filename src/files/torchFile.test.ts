import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { float16ToNumber, toFloat32, uint16View } from './dtypes.ts';
import { openTensorFile } from './openTensorFile.ts';
import type { StoredTensor } from './tensorFile.ts';
import { spySource } from './testing/faultySources.ts';
import { memorySource } from './testing/memorySource.ts';
import { archiveBytes, joined, op, pickled, TorchView, torchBytes, zipBytes } from './testing/torch.ts';
import { openTorchFile, TorchFileError } from './torchFile.ts';

const recorded = (name: string) => readFile(new URL(`recorded/torch/${name}`, import.meta.url));
const open = (bytes: Uint8Array, name = 'model.ckpt') => openTorchFile(memorySource(bytes, name));

/** Reads elements as numbers; null for a type that JavaScript has no array for. */
async function numbers(tensor: StoredTensor): Promise<number[] | null> {
  const bytes = await tensor.read();
  switch (tensor.dtype) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return Array.from(toFloat32(bytes, tensor.dtype));
    case 'F64':
      return Array.from(new Float64Array(bytes.buffer));
    case 'I64':
      return Array.from(new BigInt64Array(bytes.buffer), Number);
    case 'U16':
      return Array.from(uint16View(bytes));
    default:
      return null;
  }
}

const tensorsOf = JSON.parse(String(await recorded('tensors.json'))) as Record<
  string,
  Record<string, { dtype: string; shape: number[]; values: number[] }>
>;

const dtypeOf: Record<string, string> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  float64: 'F64',
  int64: 'I64',
  uint16: 'U16',
  float8_e4m3fn: 'F8_E4M3',
};

test.each(Object.keys(tensorsOf))('PyTorch’s own %s is read as PyTorch reads it', async (name) => {
  const { tensors, format } = await openTensorFile(memorySource(await recorded(name), name));
  expect(format).toBe('torch');
  const expected = tensorsOf[name];
  expect([...tensors.keys()].toSorted()).toEqual(Object.keys(expected).toSorted());
  for (const [key, { dtype, shape, values }] of Object.entries(expected)) {
    const tensor = tensors.get(key)!;
    expect(tensor, key).toMatchObject({ dtype: dtypeOf[dtype], shape });
    const read = await numbers(tensor);
    if (read) expect(read, key).toEqual(values);
    else expect(await tensor.read()).toEqual(Uint8Array.of(0x38, 0x40));
  }
});

test('texts and numbers beside the tensors are metadata', async () => {
  const { metadata } = await open(await recorded('nested.ckpt'));
  expect(Object.fromEntries(metadata)).toEqual({
    epoch: '3',
    global_step: '840000',
    'pytorch-lightning_version': '1.4.2',
  });
});

test('rows are read by themselves, of a tensor that does not lie in order, too', async () => {
  const { tensors } = await open(await recorded('plain.pt'));
  const rows = async (name: string, start: number, end: number) =>
    Array.from(toFloat32(await tensors.get(name)!.read(undefined, { start, end }), 'F32'));
  expect(await rows('f32', 1, 2)).toEqual([0.5, 0.625, 0.75, 0.875]);
  expect(await rows('transposed', 1, 3)).toEqual([0.125, 0.625, 1.125, 0.25, 0.75, 1.25]);
  expect(await rows('transposed', 2, 2)).toEqual([]);
  await expect(rows('f32', 0, 4)).rejects.toThrow(RangeError);
});

test('opening reads the directory and the pickle, no storage', async () => {
  const data = new Float32Array(1 << 18);
  const source = spySource(memorySource(torchBytes([{ name: 'a', dtype: 'F32', shape: [1 << 18], data }])));
  const { tensors } = await openTorchFile(source);
  expect(source.reads.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(70_000);
  expect((await tensors.get('a')!.read()).length).toBe(1 << 20);
});

test('zip64 fields are read', async () => {
  const data = Float32Array.of(1, 2, 3);
  const { tensors } = await open(torchBytes([{ name: 'a', dtype: 'F32', shape: [3], data }], { wide: true }));
  expect(await numbers(tensors.get('a')!)).toEqual([1, 2, 3]);
});

test('the archive may have any folder, a comment, or none', async () => {
  const pickle = joined(op.proto, pickled(new Map([['a', new TorchView('0', 'F16', [1])]])), op.stop);
  for (const folder of ['', 'v1-5/', 'Modell ü/']) {
    const bytes = zipBytes([
      { name: `${folder}data.pkl`, data: pickle },
      { name: `${folder}data/0`, data: Uint8Array.of(0, 0x3c) },
      { name: `${folder}code/__torch__.py`, data: Uint8Array.of(1, 2), method: 8 },
    ]);
    const commented = joined(bytes.subarray(0, -2), Uint8Array.of(4, 0), new TextEncoder().encode('note'));
    for (const file of [bytes, commented]) {
      const { tensors } = await open(file);
      expect(float16ToNumber(uint16View(await tensors.get('a')!.read())[0])).toBe(1);
    }
  }
});

test('an empty tensor may lie anywhere, and reads as nothing', async () => {
  const view = new TorchView('0', 'F16', [0, 2], { offset: 700, count: 1 });
  const pickle = joined(op.proto, pickled(new Map([['a', view]])), op.stop);
  const data = Uint8Array.of(0, 0x3c);
  const { tensors } = await open(
    zipBytes([
      { name: 'archive/data.pkl', data: pickle },
      { name: 'archive/data/0', data },
    ]),
  );
  expect(await tensors.get('a')!.read()).toEqual(new Uint8Array(0));
});

test('classes that nobody knows stand for themselves, with what they hold, and are never called', async () => {
  const callback = joined(
    op.global('pytorch_lightning.callbacks', 'ModelCheckpoint'),
    op.emptyTuple,
    op.newObject,
    pickled(
      new Map<string, unknown>([
        ['best', new TorchView('0', 'F16', [1])],
        ['path', 'x'],
      ]),
    ),
    op.build,
  );
  const values = new Map<string, unknown>([
    ['hook', callback],
    ['w', new TorchView('0', 'F16', [1])],
  ]);
  const { tensors } = await open(archiveBytes(pickled(values), { 0: Uint8Array.of(0, 0x3c) }));
  expect([...tensors.keys()]).toEqual(['hook.best', 'w']);
});

test('names of objects are names like any other', async () => {
  const names = ['__proto__', 'constructor', 'toString', '', 'a.b'];
  const { tensors } = await open(
    torchBytes(names.map((name) => ({ name, dtype: 'U8', shape: [1], data: Uint8Array.of(7) }))),
  );
  expect([...tensors.keys()]).toEqual(names);
  expect(({} as Record<string, unknown>).dtype).toBeUndefined();
});

test('a dictionary that holds itself is read once', async () => {
  const loop = joined(
    op.emptyDict,
    op.put(0),
    ...[op.text('again'), op.get(0), op.setItem],
    ...[op.text('w'), pickled(new TorchView('0', 'U8', [2])), op.setItem],
  );
  const { tensors } = await open(archiveBytes(loop, { 0: Uint8Array.of(1, 2) }));
  expect([...tensors.keys()]).toEqual(['w']);
});

test('reading can be aborted', async () => {
  const reason = new Error('another file was chosen');
  const bytes = await recorded('plain.pt');
  await expect(openTorchFile(memorySource(bytes), AbortSignal.abort(reason))).rejects.toBe(reason);
  const { tensors } = await open(bytes);
  await expect(tensors.get('f32')!.read(AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('the format before PyTorch 1.6 is named', async () => {
  const error = await open(await recorded('legacy.pt')).catch((e) => e);
  expect(error).toBeInstanceOf(TorchFileError);
  expect(error.message).toBe(
    `"model.ckpt" is a PyTorch file from before version 1.6, which can't be read; load and save it with a newer PyTorch.`,
  );
});
