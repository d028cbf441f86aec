import { beforeAll, describe, expect, test, vi } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { compileKernels } from '../cpu/kernels.ts';
import { newGpu, testAdapters } from '../gpu/testing/adapters.ts';
import { createRandom, normal } from '../models/seededRandom.ts';
import { cpuDenoiser, createCpuDenoiser } from './cpuDenoiser.ts';
import { type CrossAttention, createDenoiser, denoise } from './denoiser.ts';
import type { DenoiserConfig } from './denoiserConfig.ts';
import { type DenoiserEngine, type NoisyPictures, withSubstitute } from './denoiserEngine.ts';
import { createGpuDenoiser } from './gpuDenoiser.ts';
import { float64PictureKernels } from './pictureKernels.ts';
import { createFastDenoiser } from './wasmPictureKernels.ts';

/** Every kind of block and step. Layers of one shape share a pipeline, so that software adapters compile few. */
const config: DenoiserConfig = {
  pictureSize: 16,
  contextWidth: 16,
  timeWidth: 32,
  headDim: 8,
  levels: [
    { channels: 16, down: 1, up: 1, self: false, cross: false, mlp: 0 },
    { channels: 16, down: 2, up: 1, self: false, cross: true, mlp: 0 },
    { channels: 16, down: 2, up: 0, self: true, cross: true, mlp: 2 },
  ],
};
const room = { B: 4, T: 7 };
const random = createRandom(1);
const numbers = (length: number) => Float32Array.from({ length }, () => normal(random));

const rowsOf = (length: number) => numbers(length * config.contextWidth);
const noisyOf = (times: readonly number[], contexts: readonly Float32Array[]): NoisyPictures => ({
  x: numbers(times.length * 4 * 16 * 16),
  times,
  contexts,
});
/** Conditions that differ in length, most of them shorter than there is room for, so that what is left from other calls must not count. */
const contexts = [5, 3, 7, 1, 2, 4, 5, 6, 1, 2, 7].map(rowsOf);
/**
 * Ten conditions are kept. Some batches have none but new ones, some have known ones, and one has the same for two pictures. The last one
 * takes the place of a condition of the first.
 */
const batches = [
  noisyOf([0.3, 1, 0.55, 0], contexts.slice(0, 4)),
  noisyOf([0.8, 0.1, 0.4], contexts.slice(4, 7)),
  noisyOf([0.7, 0.2, 0.6], contexts.slice(1, 4)),
  noisyOf([0.9, 0.5, 0.1], [contexts[7], contexts[7], contexts[0]]),
  noisyOf([0.2, 0.8, 0.3, 0.1], [...contexts.slice(8), contexts[2]]),
];
const lengthOf = (rows: ArrayLike<number>) => rows.length / config.contextWidth;

const exact = cpuDenoiser(float64PictureKernels, config, room);
const drawn = createRandom(2);
exact.parameters.values.forEach((_, i, values) => {
  values[i] = Math.fround(0.3 * normal(drawn));
});
const predictExactly = (noisy: NoisyPictures) =>
  exact.predict(noisy, true) as { clean: Float64Array; looks: CrossAttention[][] };

describe('on the CPU', () => {
  let fast: DenoiserEngine;
  const compiled = compileKernels(false);
  beforeAll(async () => {
    const engine = await createCpuDenoiser(await compiled, config, room);
    engine.parameters.values.set(exact.parameters.values);
    fast = engine;
  });

  test('the schedule gives what the pass that is trained gives, to the bit', async () => {
    const trained = [
      await createFastDenoiser(await compiled, config, room),
      createDenoiser(float64PictureKernels, config, room),
    ];
    for (const [i, model] of trained.entries()) {
      model.parameters.values.set(exact.parameters.values);
      for (const noisy of [...batches, ...batches]) {
        const context = noisy.contexts.flatMap((rows) => [...rows]);
        const expected = denoise(model, noisy.x, noisy.times, context, noisy.contexts.map(lengthOf));
        const { clean } = await (i === 0 ? fast : exact).predict(noisy);
        expect(clean).toEqual(expected);
      }
    }
  });

  test('the keys and values of a condition are computed once, until it is forgotten', () => {
    const forward = vi.fn(float64PictureKernels.forward);
    const engine = cpuDenoiser({ ...float64PictureKernels, forward }, config, room);
    const products = (noisy: NoisyPictures) => {
      forward.mockClear();
      engine.predict(noisy);
      return forward.mock.calls.length;
    };
    /** Five layers look at conditions. */
    const layers = 5;
    const [first, again] = [products(batches[0]), products(batches[0])];
    expect(first - again).toBe(4 * layers);
    expect([batches[2], batches[1], batches[3], batches[4]].map((noisy) => products(noisy) - again)).toEqual([
      0,
      3 * layers,
      layers,
      // Two slots were free: the condition that was used longest ago, the second of the first batch, gave its own.
      3 * layers,
    ]);
    expect(products(batches[0]) - again).toBe(layers);
  });

  test('each pixel looks at its own prompt with probabilities that sum to 1', async () => {
    for (const noisy of batches) {
      const { looks } = await fast.predict(noisy, true);
      for (const [b, layers] of looks.entries()) {
        expect(layers.map(({ name, side, heads, T }) => [name, side, heads, T])).toEqual(
          ['down.1.blocks.0', 'down.1.blocks.1', 'down.2.blocks.0', 'down.2.blocks.1', 'up.1.blocks.0'].map((name) => [
            `${name}.cross`,
            name.includes('down.2') ? 2 : 4,
            2,
            lengthOf(noisy.contexts[b]),
          ]),
        );
        for (const { probabilities, side, heads, T } of layers) {
          expect(probabilities.length).toBe(heads * side * side * T);
          for (let row = 0; row < heads * side * side; row++) {
            let sum = 0;
            for (let key = 0; key < T; key++) sum += probabilities[row * T + key];
            expect(sum).toBeCloseTo(1, 6);
          }
        }
      }
    }
  });

  test('a batch larger than the room is refused', () => {
    const [short, long] = [rowsOf(1), rowsOf(8)];
    expect(() => fast.predict(noisyOf([0, 0, 0, 0, 0], Array(5).fill(short)))).toThrow(
      'There are 5 pictures of up to 1 rows; there is room for 4 of 7.',
    );
    expect(() => fast.predict(noisyOf([0, 0], [short, long]))).toThrow(
      'There are 2 pictures of up to 8 rows; there is room for 4 of 7.',
    );
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  test('pictures and looks are those of the plain loops in float64, and go on where the GPU goes away', async () => {
    const { device } = await newGpu(adapter);
    const onGpu = await createGpuDenoiser(device, exact.parameters, config, room);
    const submits = vi.spyOn(device.queue, 'submit');
    const engine = withSubstitute(onGpu, async () => exact);
    const expectExact = async (noisy: NoisyPictures) => {
      const expected = predictExactly(noisy);
      const { clean, looks } = await engine.predict(noisy, true);
      expectClose('clean', clean, expected.clean, 1e-4);
      for (const [b, layers] of looks.entries())
        for (const [l, { name, probabilities }] of layers.entries())
          expectClose(`${name} of picture ${b}`, probabilities, expected.looks[b][l].probabilities, 1e-5);
    };
    for (const noisy of [...batches, batches[0]]) await expectExact(noisy);
    expect(submits).toHaveBeenCalledTimes(6);
    device.destroy();
    for (const noisy of batches) await expectExact(noisy);
    expect(submits).toHaveBeenCalledTimes(7);
  });
});
