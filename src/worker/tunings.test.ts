import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { GpuDevice } from '../gpu/device.ts';
import { compared, type KernelTuning } from '../gpu/tuning.ts';

const measureKernels = vi.hoisted(() => vi.fn<() => Promise<KernelTuning>>());
vi.mock('../gpu/tuning.ts', async (actual) => ({ ...(await actual<object>()), measureKernels }));

const adapter = { description: 'an adapter', software: false };
const tuning: KernelTuning = {
  adapter: adapter.description,
  compared: compared(),
  matmul: 'matmul_tile',
  attention: 'attention_group',
};

const gpuWith = (lost: Promise<unknown>) => ({ ...adapter, device: { lost } as GPUDevice }) satisfies GpuDevice;
const gpu = gpuWith(new Promise(() => {}));

/** Cache storage in memory, which tells when the page has written to it. */
function fakeCaches() {
  const written: string[] = [];
  let tellWritten = () => {};
  const cache = {
    match: async () => (written.length === 0 ? undefined : new Response(written.at(-1))),
    put: async (_: string, response: Response) => {
      written.push(await response.text());
      tellWritten();
    },
  };
  const nextWrite = () =>
    new Promise<void>((resolve) => {
      tellWritten = resolve;
    });
  return { open: async () => cache, written, nextWrite };
}

let storage: ReturnType<typeof fakeCaches>;

/** Opens the page anew. */
async function visit() {
  vi.resetModules();
  return (await import('./tunings.ts')).tuningOf;
}

beforeEach(() => {
  measureKernels.mockReset().mockResolvedValue(tuning);
  storage = fakeCaches();
  vi.stubGlobal('caches', storage);
});

afterEach(() => vi.unstubAllGlobals());

test('what was measured is remembered, in this visit and the next', async () => {
  const tuningOf = await visit();
  const written = storage.nextWrite();
  expect(await tuningOf(gpu)).toEqual(tuning);
  expect(await tuningOf(gpu)).toEqual(tuning);
  await written;
  expect(await (await visit())(gpu)).toEqual(tuning);
  expect(measureKernels).toHaveBeenCalledTimes(1);
});

test('two loads at once measure once', async () => {
  let finish = (_: KernelTuning) => {};
  const measurement = new Promise<KernelTuning>((resolve) => {
    finish = resolve;
  });
  const tuningOf = await visit();
  const started = new Promise<void>((resolve) => {
    measureKernels.mockImplementation(() => {
      resolve();
      return measurement;
    });
  });
  const written = storage.nextWrite();
  const both = Promise.all([tuningOf(gpu), tuningOf(gpu)]);
  await started;
  finish(tuning);
  expect(await both).toEqual([tuning, tuning]);
  expect(measureKernels).toHaveBeenCalledTimes(1);
  await written;
  expect(storage.written.map((text) => JSON.parse(text))).toEqual([[tuning]]);
});

test('what failed is told to all who wait for it, and tried again', async () => {
  measureKernels.mockRejectedValueOnce(new Error('Out of memory.'));
  const tuningOf = await visit();
  const both = await Promise.allSettled([tuningOf(gpu), tuningOf(gpu)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(storage.written).toEqual([]);
  expect(await tuningOf(gpu)).toEqual(tuning);
});

test('what was measured while the device was lost is not remembered', async () => {
  const tuningOf = await visit();
  let lose = () => {};
  const lost = new Promise<void>((resolve) => {
    lose = resolve;
  }).then(() => ({ reason: 'unknown', message: 'The driver was reset.' }));
  measureKernels.mockImplementationOnce(async () => {
    lose();
    await lost;
    return tuning;
  });
  const written = storage.nextWrite();
  await tuningOf(gpuWith(lost));
  await tuningOf(gpu);
  expect(measureKernels).toHaveBeenCalledTimes(2);
  await written;
  expect(storage.written.map((text) => JSON.parse(text))).toEqual([[tuning]]);
});

test.each([
  ['missing', undefined],
  ['forbidden', { open: () => Promise.reject(new DOMException('Not here.', 'SecurityError')) }],
  ['damaged', { open: async () => ({ match: async () => new Response('{'), put: () => Promise.reject(new Error()) }) }],
])('cache storage that is %s costs a measurement a visit', async (_, caches) => {
  vi.stubGlobal('caches', caches);
  for (const visits of [1, 2]) {
    const tuningOf = await visit();
    expect(await tuningOf(gpu)).toEqual(tuning);
    expect(await tuningOf(gpu)).toEqual(tuning);
    expect(measureKernels).toHaveBeenCalledTimes(visits);
  }
});
