import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { type CompiledKernels, compileKernels } from '../cpu/kernels.ts';
import { pictureModuleKernels } from '../cpu/pictureModule.ts';
import type { Floats } from '../training/products.ts';
import { numbers } from '../training/testing/differences.ts';
import { blockRows } from '../training/wasmKernels.ts';
import type { DenoiserConfig } from './denoiserConfig.ts';
import { float64PictureKernels, type PictureKernels } from './pictureKernels.ts';
import { createPictureKernels } from './wasmPictureKernels.ts';

/** The largest sizes of all tests: 20 × 20 pixels that look at each other, or at two chunks of a prompt. */
const config: DenoiserConfig = {
  pictureSize: 40,
  contextWidth: 32,
  timeWidth: 32,
  headDim: 32,
  levels: [{ channels: 32, down: 1, up: 0, self: true, cross: true, mlp: 0 }],
};
const room = { B: 1, T: 154 };
const unit = 2 ** -23;

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels(false);
});

type Outputs = Record<string, Floats>;

/** A random array that is the same in float32 and in float64. */
function filled(kernels: PictureKernels, count: number, seed: number, shift = 0): Floats {
  const array = kernels.allocate(count);
  array.set(numbers(count, seed).map((v) => Math.fround(v + shift)));
  return array;
}

const unwritten = (kernels: PictureKernels, count: number) => kernels.allocate(count).fill(Number.NaN);

/** Holds what `run` gives with WebAssembly to what it gives in float64; `tolerances` are absolute. */
async function compare(run: (kernels: PictureKernels) => Outputs, tolerances: Record<string, number>) {
  const wasm = await createPictureKernels(compiled, config, room, 1 << 20);
  const [actual, expected] = [run(wasm), run(float64PictureKernels)];
  for (const [name, tolerance] of Object.entries(tolerances))
    expectClose(name, actual[name], expected[name], tolerance);
}

describe('the kernels in float32 are those in float64 but for rounding', () => {
  test.each([
    ['one pixel', 2, 1, 4, 4],
    ['sizes that are no multiples of tiles', 3, 5, 12, 20],
    ['10 × 10 pixels', 3, 10, 20, 12],
    ['10 × 10 pixels, in two groups of pictures', 9, 10, 8, 4],
    ['20 × 20 pixels, each picture a group', 3, 20, 16, 32],
  ])('convolutions and their gradients: %s', async (name, B, side, K, N) => {
    const grid = { B, side };
    const rows = B * side * side;
    expect(rows > blockRows).toBe(name.includes('group'));
    const run = (kernels: PictureKernels) => {
      const [x, dy, bias] = [filled(kernels, rows * K, 1), filled(kernels, rows * N, 2), filled(kernels, N, 3)];
      const weight = filled(kernels, N * 9 * K, 4);
      const [y, dx] = [unwritten(kernels, rows * N), unwritten(kernels, rows * K)];
      const dweight = kernels.allocate(N * 9 * K).fill(0.5);
      kernels.convolution(y, x, weight, bias, grid, K, N);
      kernels.convolutionInputGradient(dx, dy, weight, grid, K, N);
      kernels.convolutionWeightGradient(dweight, dy, x, grid, K, N);
      return { y, dx, dweight };
    };
    await compare(run, { y: 9 * K * unit, dx: 9 * N * unit, dweight: rows * unit });
  });

  test.each([
    ['one row of four', 1, 4],
    ['sizes that are no multiples of tiles', 7, 20],
    ['a picture', 400, 32],
  ])('LayerNorm and its gradients: %s', async (_, rows, d) => {
    const run = (kernels: PictureKernels) => {
      // A mean that is large beside the differences.
      const [x, dy] = [filled(kernels, rows * d, 1, 20), filled(kernels, rows * d, 2)];
      const [scale, shift] = [filled(kernels, d, 3), filled(kernels, d, 4)];
      const y = unwritten(kernels, rows * d);
      const [dx, dscale, dshift] = [rows * d, d, d].map((count) => kernels.allocate(count).fill(0.5));
      kernels.layerNorm(y, x, scale, shift, rows, d);
      kernels.layerNormBackward(dx, dscale, dshift, dy, x, scale, rows, d);
      return { y, dx, dscale, dshift };
    };
    await compare(run, { y: 2e-5, dx: 1e-4, dscale: rows * 2e-5, dshift: rows * unit });
  });

  test.each([
    ['one pixel to one row', 1, 1, 1, 4],
    ['sizes that are no multiples of tiles', 7, 13, 3, 12],
    ['20 × 20 pixels to a prompt', 400, 77, 1, 32],
    ['10 × 10 pixels to a prompt', 100, 77, 3, 32],
    ['5 × 5 pixels to two chunks', 25, 154, 4, 8],
    ['20 × 20 pixels to each other', 400, 400, 2, 8],
  ])('attention and its gradients, of %s', async (_, Lq, Lk, h, headDim) => {
    const C = h * headDim;
    const sizes = { B: 1, Lq, Lk, h, headDim, queryStride: C, keyStride: 2 * C, causal: false };
    const run = (kernels: PictureKernels) => {
      const split = (q: Floats, kv: Floats) => ({ q, k: kv, v: kv.subarray(C) });
      const heads = split(filled(kernels, Lq * C, 1), filled(kernels, 2 * Lk * C, 2));
      const [probabilities, attended] = [unwritten(kernels, h * Lq * Lk), unwritten(kernels, Lq * C)];
      kernels.attention(attended, probabilities, heads, sizes);
      const [dattended, dlooks] = [filled(kernels, Lq * C, 3), filled(kernels, h * Lq * Lk, 4)];
      const gradients = (looks: Floats | null) => {
        const [dq, dkv] = [unwritten(kernels, Lq * C), unwritten(kernels, 2 * Lk * C)];
        kernels.attentionBackward(split(dq, dkv), dattended, probabilities, heads, sizes, looks);
        return [dq, dkv];
      };
      const [[dq, dkv], [dqLooked, dkvLooked]] = [gradients(null), gradients(dlooks)];
      return { probabilities, attended, dq, dkv, dqLooked, dkvLooked };
    };
    const back = 4e-6 * Math.sqrt(Lq);
    await compare(run, {
      ...{ probabilities: 1e-6, attended: 2e-6 },
      ...{ dq: 4e-6, dqLooked: 4e-6, dkv: back, dkvLooked: back },
    });
  });
});

describe('the module', () => {
  /** An array at each place of a memory, one after the other. */
  async function started(...counts: number[]) {
    const memory = new WebAssembly.Memory({ initial: 40 });
    let at = 0;
    const arrays = counts.map((count) => {
      const array = new Float32Array(memory.buffer, at, count).fill(Number.NaN);
      at += 16 * Math.ceil(count / 4);
      return array;
    });
    return { module: await pictureModuleKernels(memory), arrays };
  }

  test.each([
    [2, 1, 4],
    [3, 5, 12],
    [3, 10, 20],
    [2, 20, 16],
  ])('gathers the neighbours of %d pictures of %d² pixels of %d numbers', async (B, side, C) => {
    const rows = B * side * side;
    const {
      module,
      arrays: [x, gathered],
    } = await started(rows * C, rows * 9 * C);
    x.set(numbers(rows * C, 1));
    module.gatherNeighbours(x.byteOffset, gathered.byteOffset, B, side, C);
    const N = 2;
    const [weight, bias] = [numbers(N * 9 * C, 2), numbers(N, 3)];
    const [linear, expected] = [new Float64Array(rows * N), new Float64Array(rows * N)];
    float64PictureKernels.forward(linear, Float64Array.from(gathered), weight, bias, rows, 9 * C, N);
    float64PictureKernels.convolution(expected, Float64Array.from(x), weight, bias, { B, side }, C, N);
    expectClose('convolution', linear, expected, 1e-12);
  });

  test.each([
    [1, 1],
    [3, 3],
    [4, 25],
    [5, 77],
    [2, 154],
    [3, 400],
  ])('softmax of %d rows of %d scores, and its gradient', async (rows, columns) => {
    const count = rows * columns;
    const {
      module,
      arrays: [p, dp],
    } = await started(count, count);
    // Scores whose exp would overflow.
    p.set(numbers(count, 1).map((v) => 500 * v));
    dp.set(numbers(count, 2));
    const [scores, upstream, scale] = [Float64Array.from(p), Float64Array.from(dp), Math.fround(0.3)];
    module.softmax(p.byteOffset, rows, columns, scale);
    module.softmaxBackward(p.byteOffset, dp.byteOffset, rows, columns, scale);
    const [probabilities, gradient] = [new Float64Array(count), new Float64Array(count)];
    for (let row = 0; row < rows; row++) {
      const own = (array: Float64Array) => array.subarray(row * columns, (row + 1) * columns);
      const largest = Math.max(...own(scores));
      const powers = own(scores).map((score) => Math.exp(scale * (score - largest)));
      const sum = powers.reduce((total, power) => total + power);
      own(probabilities).set(powers.map((power) => power / sum));
      const mean = own(probabilities).reduce((total, share, i) => total + share * own(upstream)[i], 0);
      own(gradient).set(own(probabilities).map((share, i) => scale * share * (own(upstream)[i] - mean)));
    }
    expectClose('p', p, probabilities, 2e-6);
    expectClose('ds', dp, gradient, 2e-6);
  });
});
