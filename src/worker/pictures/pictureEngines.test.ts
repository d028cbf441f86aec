import { beforeAll, expect, test, vi } from 'vitest';
import { compileKernels } from '../../cpu/kernels.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { newGpu, testAdapters } from '../../gpu/testing/adapters.ts';
import { denoiserFacts } from '../../pictures/denoiserFile.ts';
import { drawnLength } from '../../pictures/drawnPicture.ts';
import { smallDenoiserFile } from '../../pictures/testing/smallDenoiser.ts';
import { createEngines, type DenoiserModel } from './pictureEngines.ts';

const room = { B: 1, T: 2 };
let model: DenoiserModel;
beforeAll(async () => {
  const file = await openSafetensors(memorySource(smallDenoiserFile(), 'small'));
  model = { file, config: denoiserFacts(file).config, compiled: await compileKernels(false) };
});

/** A GPU, or a processor in its place, and what it is asked for. */
async function startGpu(software: boolean) {
  const gpu = { ...(await newGpu(testAdapters[0])), software };
  const find = vi.fn(async () => gpu);
  return { device: gpu.device, made: vi.spyOn(gpu.device, 'createBuffer'), find, engineFor: createEngines(find) };
}

test('the CPU draws where no GPU is wanted, where there is none, and where a processor stands in its place', async () => {
  const { made, find, engineFor } = await startGpu(true);
  await engineFor(model, room, false);
  expect(find).toHaveBeenCalledTimes(0);
  await engineFor(model, room, true);
  expect(find).toHaveBeenCalledTimes(1);
  expect(made).toHaveBeenCalledTimes(0);
  const without = createEngines(() => Promise.reject(new Error('There is no GPU.')));
  expect((await without(model, room, true)).room).toEqual(room);
});

test('an engine stays until it has too little room; where its GPU goes away the CPU goes on, and the next engine asks for a GPU again', async () => {
  const { device, made, find, engineFor } = await startGpu(false);
  const engine = await engineFor(model, room, true);
  const buffers = made.mock.calls.length;
  expect(buffers).toBeGreaterThan(0);
  expect(await engineFor(model, { B: 1, T: 1 }, true)).toBe(engine);
  const long = await engineFor(model, { B: 1, T: 3 }, true);
  expect(long).not.toBe(engine);
  expect(made).toHaveBeenCalledTimes(2 * buffers);
  const roomy = await engineFor(model, { B: 2, T: 2 }, true);
  expect(roomy).not.toBe(long);
  expect(roomy.room).toEqual({ B: 2, T: 2 });
  device.destroy();
  const noisy = {
    x: new Float32Array(drawnLength).fill(0.5),
    times: [0.5],
    contexts: [new Float32Array(128).fill(1)],
  };
  const onCpu = await createEngines(find)(model, room, false);
  const expected = Float32Array.from((await onCpu.predict(noisy)).clean);
  expect(expected.every(Number.isFinite)).toBe(true);
  expect((await roomy.predict(noisy)).clean).toEqual(expected);
  expect(find).toHaveBeenCalledTimes(1);
  await engineFor(model, { B: 1, T: 4 }, true);
  expect(find).toHaveBeenCalledTimes(2);
});
