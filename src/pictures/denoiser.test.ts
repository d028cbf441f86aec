import { beforeAll, describe, expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { createRandom, normal } from '../models/seededRandom.ts';
import { weightedSum } from '../training/testing/differences.ts';
import { createDenoiser, crossAttention, type Denoiser, denoise, denoiseBackward } from './denoiser.ts';
import type { DenoiserConfig } from './denoiserConfig.ts';
import { float64PictureKernels } from './pictureKernels.ts';
import { createFastDenoiser } from './wasmPictureKernels.ts';

/** Every kind of block and step, in sizes that finite differences can walk through. */
const small: DenoiserConfig = {
  pictureSize: 8,
  contextWidth: 8,
  timeWidth: 8,
  headDim: 4,
  levels: [
    { channels: 8, down: 1, up: 1, self: false, cross: true, mlp: 3 },
    { channels: 12, down: 1, up: 0, self: true, cross: true, mlp: 2 },
  ],
};
const room = { B: 2, T: 5 };

/** Two pictures, whose conditions differ in length. */
const random = createRandom(1);
const numbers = (length: number) => Float32Array.from({ length }, () => normal(random));
const x = numbers(2 * 4 * 64);
const context = numbers(8 * 8);
const lengths = [5, 3];
const times = [0.3, 0.8];
/** Gradient of the predicted pictures, and of where pixels look: the same in each layer. */
const upstream = numbers(2 * 4 * 64);
const dlooks = numbers(3 * 16 * 5);
const looksGradient = (probabilities: ArrayLike<number>) => dlooks.subarray(0, probabilities.length);

let exact: Denoiser;
let fast: Denoiser;
let predicted: Float64Array;
beforeAll(async () => {
  exact = createDenoiser(float64PictureKernels, small, room);
  fast = await createFastDenoiser(await compileKernels(false), small, room);
  const drawn = createRandom(2);
  for (let i = 0; i < exact.parameters.values.length; i++) {
    exact.parameters.values[i] = Math.fround(0.3 * normal(drawn));
    fast.parameters.values[i] = exact.parameters.values[i];
  }
  predicted = Float64Array.from(denoise(exact, x, times, context, lengths));
  denoiseBackward(exact, upstream, looksGradient);
});

/** Σ upstream · predicted, and Σ dlooks · probabilities of each layer and picture. */
function loss(): number {
  const pictures = denoise(exact, x, times, context, lengths);
  const looks = lengths.flatMap((_, b) => crossAttention(exact, b));
  const ofLooks = looks.reduce((sum, { probabilities }) => sum + weightedSum(dlooks, probabilities), 0);
  return upstream.reduce((sum, gradient, i) => sum + gradient * pictures[i], ofLooks);
}

describe('gradients', () => {
  test('of every tensor are those of finite differences', () => {
    const { places, values, gradients } = exact.parameters;
    const analytic = Float64Array.from(gradients);
    const step = 1e-4;
    for (const { name, offset, length } of places.values()) {
      // A few elements of each tensor, the first and the last among them.
      for (const i of [0, Math.floor(length / 3), Math.floor((2 * length) / 3), length - 1]) {
        const at = offset + i;
        const before = values[at];
        values[at] = before + step;
        const above = loss();
        values[at] = before - step;
        const below = loss();
        values[at] = before;
        const difference = (above - below) / (2 * step);
        expect(Math.abs(difference - analytic[at]), `${name}[${i}]: ${difference}`).toBeLessThan(
          1e-5 * (1 + Math.abs(difference)),
        );
      }
    }
  });
});

/** Largest difference, as a share of the largest magnitude. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(a[i]));
  }
  return difference / largest;
}

describe('the fast kernels', () => {
  test('predict and learn as the plain loops do', () => {
    expect(distance(predicted, denoise(fast, x, times, context, lengths))).toBeLessThan(1e-5);
    denoiseBackward(fast, upstream, looksGradient);
    for (const { name, offset, length } of exact.parameters.places.values()) {
      const part = ({ gradients }: Denoiser['parameters']) => gradients.subarray(offset, offset + length);
      expect(distance(part(exact.parameters), part(fast.parameters)), name).toBeLessThan(1e-4);
    }
  });

  test('give a picture the same bits alone and in a batch', () => {
    const both = Float32Array.from(denoise(fast, x, times, context, lengths));
    const alone = denoise(fast, x.subarray(256), times.slice(1), context.subarray(5 * 8), lengths.slice(1));
    expect(alone).toEqual(both.subarray(256));
  });
});

test('each pixel looks at its own prompt with probabilities that sum to 1', () => {
  denoise(fast, x, times, context, lengths);
  const layers = crossAttention(fast, 1);
  expect(layers.map(({ name, side, T }) => [name, side, T])).toEqual([
    ['down.0.blocks.0.cross', 4, 3],
    ['down.1.blocks.0.cross', 2, 3],
    ['up.0.blocks.0.cross', 4, 3],
  ]);
  for (const { probabilities, side, heads, T } of layers) {
    expect(probabilities.length).toBe(heads * side * side * T);
    for (let row = 0; row < heads * side * side; row++) {
      let sum = 0;
      for (let key = 0; key < T; key++) sum += probabilities[row * T + key];
      expect(sum).toBeCloseTo(1, 6);
    }
  }
});

test('a batch larger than the room is refused', () => {
  expect(() => denoise(exact, x, [0, 0, 0], context, [1, 1, 1])).toThrow('room for 2 of 5 each');
});
