import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import type { GpuDevice } from '../gpu/device.ts';
import type { KernelTuning } from '../gpu/tuning.ts';

const tuneKernels = vi.hoisted(() => vi.fn<() => Promise<KernelTuning>>());
vi.mock('../gpu/tuning.ts', async (actual) => ({ ...(await actual<object>()), tuneKernels }));

const adapter = { description: 'an adapter', software: false, support: { subgroups: false } };
const { tuneKernels: actual } = await vi.importActual<typeof import('../gpu/tuning.ts')>('../gpu/tuning.ts');
/** Of so small a width nothing is measured, and no device needed. */
const tuning = await actual({ ...adapter, device: {} as GPUDevice }, clipTiny);

const gpuWith = (lost: Promise<unknown>) => ({ ...adapter, device: { lost } as GPUDevice }) satisfies GpuDevice;
const gpu = gpuWith(new Promise(() => {}));
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What cache storage holds. */
let stored: string | undefined;

/** The page opened anew. */
async function visit() {
  vi.resetModules();
  return (await import('./tunings.ts')).tuningOf;
}

beforeEach(() => {
  stored = undefined;
  tuneKernels.mockReset().mockResolvedValue(tuning);
  const cache = {
    match: async () => (stored === undefined ? undefined : new Response(stored)),
    put: async (_: string, response: Response) => {
      stored = await response.text();
    },
  };
  vi.stubGlobal('caches', { open: async () => cache });
});

afterEach(() => vi.unstubAllGlobals());

test('what was measured is remembered, in this visit and the next', async () => {
  const tuningOf = await visit();
  expect(await tuningOf(gpu, clipTiny)).toEqual(tuning);
  expect(await tuningOf(gpu, clipTiny)).toEqual(tuning);
  await settled();
  expect(await (await visit())(gpu, clipTiny)).toEqual(tuning);
  expect(tuneKernels).toHaveBeenCalledTimes(1);
});

test('two loads at once measure once', async () => {
  let finish = (_: KernelTuning) => {};
  tuneKernels.mockReturnValue(
    new Promise((resolve) => {
      finish = resolve;
    }),
  );
  const tuningOf = await visit();
  const first = tuningOf(gpu, clipTiny);
  await settled();
  const second = tuningOf(gpu, clipTiny);
  await settled();
  expect(tuneKernels).toHaveBeenCalledTimes(1);
  finish(tuning);
  expect(await Promise.all([first, second])).toEqual([tuning, tuning]);
  await settled();
  expect(JSON.parse(stored!)).toEqual([tuning]);
});

test('what failed is told to all who wait for it, and tried again', async () => {
  tuneKernels.mockRejectedValueOnce(new Error('Out of memory.'));
  const tuningOf = await visit();
  const both = await Promise.allSettled([tuningOf(gpu, clipTiny), tuningOf(gpu, clipTiny)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(stored).toBeUndefined();
  expect(await tuningOf(gpu, clipTiny)).toEqual(tuning);
});

test('what was measured while the device was lost is not remembered', async () => {
  const tuningOf = await visit();
  let lose = () => {};
  const lost = new Promise<void>((resolve) => {
    lose = resolve;
  }).then(() => ({ reason: 'unknown', message: 'The driver was reset.' }));
  tuneKernels.mockImplementationOnce(async () => {
    lose();
    await settled();
    return tuning;
  });
  await tuningOf(gpuWith(lost), clipTiny);
  await settled();
  expect(stored).toBeUndefined();
  await tuningOf(gpu, clipTiny);
  expect(tuneKernels).toHaveBeenCalledTimes(2);
});

test.each([
  ['missing', undefined],
  ['forbidden', { open: () => Promise.reject(new DOMException('Not here.', 'SecurityError')) }],
  ['damaged', { open: async () => ({ match: async () => new Response('{'), put: () => Promise.reject(new Error()) }) }],
])('cache storage that is %s costs a measurement a visit', async (_, caches) => {
  vi.stubGlobal('caches', caches);
  for (const visits of [1, 2]) {
    const tuningOf = await visit();
    expect(await tuningOf(gpu, clipTiny)).toEqual(tuning);
    expect(await tuningOf(gpu, clipTiny)).toEqual(tuning);
    expect(tuneKernels).toHaveBeenCalledTimes(visits);
  }
});
