import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import type { WeightDtype } from '../../files/dtypes.ts';
import { SourceError } from '../../files/sources.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { type Checkpoint, openCheckpoint } from '../openCheckpoint.ts';
import { fakeCache, fakeOpfs } from '../testing/browserStorage.ts';
import { checkpointBytes, type LayoutName, layouts, torchCheckpointBytes } from '../testing/checkpoints.ts';
import { weightsHash } from '../weightsHash.ts';
import type { DownloadProgress } from './download.ts';
import { type KeepOptions, keepEncoder } from './keep.ts';
import { isKept, keptSource } from './modelSources.ts';
import { createModelStorage } from './openStorage.ts';
import { type ModelStorage, StorageError, type StorageQuota } from './storage.ts';
import { cacheFiles, memoryFiles, opfsFiles, type StorageFiles } from './storageFiles.ts';

const places: [string, () => StorageFiles][] = [
  ['OPFS', () => opfsFiles(fakeOpfs())],
  ['the cache', () => cacheFiles(fakeCache(), 100_000)],
  ['memory', memoryFiles],
];

const source = 'weights:ab';
const keep = (encoder: Checkpoint, into: ModelStorage, options: Partial<KeepOptions> = {}) =>
  keepEncoder(encoder, { into, source, sha256: () => createHash('sha256'), ...options });

const big = { name: 'model.diffusion_model.big', dtype: 'F16' as const, shape: [4e6], data: () => new Uint8Array(8e6) };

async function opened(layout: LayoutName, dtype: WeightDtype = 'F16', isTorch = false) {
  const options = { config: clipTiny, dtype, layout, ...(layout === 'ldm' && { extra: [big] }) };
  const bytes = await (isTorch ? torchCheckpointBytes(options) : checkpointBytes(options));
  return openCheckpoint(memorySource(bytes, 'model.ckpt'));
}

test.each([
  ['a whole checkpoint', 'ldm', 'F16', false],
  ['a whole .ckpt', 'ldm', 'F16', true],
  ['an encoder of its own', 'hf-bare', 'F32', false],
  ['OpenCLIP, which joins q, k and v', 'openclip', 'BF16', false],
] as const)('of %s the encoder alone is kept, and its weights are the same', async (_, layout, dtype, isTorch) => {
  const encoder = await opened(layout, dtype, isTorch);
  const storage = createModelStorage(memoryFiles());
  const model = await keep(encoder, storage);
  const kept = await openCheckpoint(await storage.open(model.id));
  expect(kept.name).toBe('model.ckpt');
  expect(await weightsHash(kept)).toBe(await weightsHash(encoder));
  expect(model.bytes).toBeLessThan(dtype === 'F32' ? 14e6 : 7e6);
  expect(isKept(model)).toBe(true);
});

test.each([
  ['text_projection.weight', 'hf', [5, clipTiny.hiddenSize]],
  ['text_projection', 'openclip-text', [clipTiny.hiddenSize, 5]],
] as const)('%s and the temperature beside an encoder are kept, as they are stored', async (bare, name, shape) => {
  const dtype = 'F16' as const;
  const start = layouts[name].prefix.replace('text_model.', '');
  const halves = (count: number, first: number) =>
    new Uint8Array(Uint16Array.from({ length: count }, (_, i) => first + i).buffer);
  const extra = [
    { name: `${start}${bare}`, dtype, shape, data: () => halves(5 * clipTiny.hiddenSize, 0x3c00) },
    { name: `${start}logit_scale`, dtype, shape: [], data: () => halves(1, 0x4480) },
  ];
  const bytes = await checkpointBytes({ config: clipTiny, dtype, layout: { ...layouts[name] }, extra });
  const encoder = await openCheckpoint(memorySource(bytes, 'clip.safetensors'));
  const storage = createModelStorage(memoryFiles());
  const kept = await openCheckpoint(await storage.open((await keep(encoder, storage)).id));
  expect(await kept.projection!()).toMatchObject({ E: 5, logScale: 4.5 });
  expect(await kept.projection!()).toEqual(await encoder.projection!());
  expect(await weightsHash(kept)).toBe(await weightsHash(encoder));
});

test.each(places)('what is kept in %s is told of as it grows, hashed as stored, and kept once', async (_, make) => {
  const encoder = await opened('ldm');
  const storage = createModelStorage(make());
  const told: DownloadProgress[] = [];
  let time = 0;
  const clock = { now: () => (time += 1000), wait: async () => {} };
  const model = await keep(encoder, storage, { onProgress: (progress) => told.push(progress), clock });
  const whole = await storage.open(model.id);
  const bytes = await whole.read(0, whole.size);
  expect(model).toMatchObject({
    name: 'model.ckpt',
    source,
    complete: true,
    stored: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  expect(told[0]).toMatchObject({ done: 0, total: bytes.length, verifying: false });
  expect(told.filter(({ verifying }) => !verifying).at(-1)?.done).toBe(bytes.length);
  expect(told.at(-1)).toMatchObject({ done: bytes.length, total: bytes.length, verifying: true });
  expect(await keep(encoder, storage)).toEqual(model);
  expect(await storage.list()).toEqual([model]);
});

/** Calls `step` after so many tensors were read. */
function after(count: number, encoder: Checkpoint, step: () => void): Checkpoint {
  let read = 0;
  return {
    ...encoder,
    async read(name, signal) {
      if (read++ === count) step();
      signal?.throwIfAborted();
      return encoder.read(name, signal);
    },
  };
}

test.each(places)('what ends before its end leaves nothing in %s', async (_, make) => {
  const files = make();
  const storage = createModelStorage(files);
  const encoder = await opened('hf');
  const abort = new AbortController();
  const cancelled = keep(
    after(3, encoder, () => abort.abort()),
    storage,
    { signal: abort.signal },
  );
  await expect(cancelled).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  expect(await files.names()).toEqual([]);

  const gone = keep(
    after(3, encoder, () => {
      throw new SourceError('"model.ckpt" can no longer be read.');
    }),
    storage,
  );
  await expect(gone).rejects.toThrow('can no longer be read');
  expect(await files.names()).toEqual([]);

  const checking = new AbortController();
  const onProgress = ({ verifying }: DownloadProgress) => {
    if (verifying) checking.abort();
  };
  await expect(keep(encoder, storage, { signal: checking.signal, onProgress })).rejects.toThrow(
    expect.objectContaining({ name: 'AbortError' }),
  );
  expect(await files.names()).toEqual([]);
});

test.each([
  ['is known to be missing', Number.POSITIVE_INFINITY, { estimate: async () => ({ usage: 0, quota: 1e6 }) }],
  ['runs out', 1e6, {}],
] as const)('where room %s, one sentence says so and nothing stays', async (_, bytes, quota: StorageQuota) => {
  const opfs = fakeOpfs({ bytes });
  const storage = createModelStorage(opfsFiles(opfs), quota);
  const error = await keep(await opened('hf'), storage).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(StorageError);
  expect(error).toMatchObject({ fault: 'quota', message: expect.stringMatching(/^The browser .*"model\.ckpt" needs/) });
  expect(opfs.files.size).toBe(0);
});

test('two tabs do not keep one encoder at once, and one that is deleted meanwhile is not kept', async () => {
  const opfs = fakeOpfs();
  const [tab, otherTab] = [createModelStorage(opfsFiles(opfs)), createModelStorage(opfsFiles(opfs))];
  const encoder = await opened('hf');
  let other: Promise<unknown> = Promise.resolve();
  const model = await keep(
    after(3, encoder, () => {
      other = keep(encoder, otherTab).catch((error: StorageError) => error.fault);
    }),
    tab,
  );
  expect(await other).toBe('busy');
  expect(await otherTab.list()).toEqual([model]);
  await otherTab.delete(model.id);

  let deletion: Promise<void> = Promise.resolve();
  const deleted = keep(
    after(3, encoder, () => {
      deletion = tab.delete('model-ckpt');
    }),
    tab,
  );
  await expect(deleted).rejects.toMatchObject({ fault: 'deleted' });
  await deletion;
  expect(opfs.files.size).toBe(0);
});

test('what a crash left of one is begun anew', async () => {
  const opfs = fakeOpfs();
  const crashed = await createModelStorage(opfsFiles(opfs)).sink({ name: 'model.ckpt', source });
  await crashed.begin({ version: null, bytes: 100 });
  await crashed.write(new Uint8Array(50));
  await crashed.close();
  const storage = createModelStorage(opfsFiles(opfs));
  const model = await keep(await opened('hf'), storage);
  expect(await storage.list()).toEqual([model]);
});

test('the weights tell kept encoders apart, or else the file', () => {
  const file = { name: 'a b.safetensors', size: 5, lastModified: 7 };
  expect(keptSource(file, 'ab')).toBe(keptSource({ ...file, name: 'c.safetensors' }, 'ab'));
  // An encoder with a projection has more to keep than the same one without.
  expect(keptSource(file, 'ab', true)).not.toBe(keptSource(file, 'ab'));
  const sources = [file, { ...file, size: 6 }, { ...file, lastModified: 8 }, { ...file, name: 'b' }];
  expect(new Set(sources.map((one) => keptSource(one, undefined))).size).toBe(4);
});
