import { beforeAll, describe, expect, test } from 'vitest';
import { type CompiledKernels, compileKernels } from '../cpu/kernels.ts';
import type { Floats } from './products.ts';
import { numbers } from './testing/differences.ts';
import { rowCount } from './tower.ts';
import { float64Kernels, type TrainingKernels } from './trainingKernels.ts';
import { createWasmKernels } from './wasmKernels.ts';

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels(false);
});

type Outputs = Record<string, Floats>;

/** A random array that is the same in float32 and in float64. */
function filled(kernels: TrainingKernels, count: number, seed: number, range = 1): Floats {
  const array = kernels.allocate(count);
  array.set(numbers(count, seed).map((v) => Math.fround(range * v)));
  return array;
}

const unwritten = (kernels: TrainingKernels, count: number) => kernels.allocate(count).fill(Number.NaN);

/** Holds what `run` gives with WebAssembly to what it gives in float64; `tolerances` are absolute. */
async function compare(run: (kernels: TrainingKernels) => Outputs, widest: number, tolerances: Record<string, number>) {
  const wasm = await createWasmKernels(compiled, 1 << 18, { widest, longest: 80 });
  const [actual, expected] = [run(wasm), run(float64Kernels)];
  for (const [name, tolerance] of Object.entries(tolerances)) {
    expect(actual[name].length).toBe(expected[name].length);
    for (const [i, value] of expected[name].entries())
      if (!(Math.abs(actual[name][i] - value) <= tolerance))
        expect.fail(`${name}[${i}] is ${actual[name][i]}, expected ${value}`);
  }
}

describe('the kernels in float32 are those in float64 but for rounding', () => {
  test.each([
    ['one row', 1, 4, 8],
    ['sizes that are no multiples of tiles', 7, 13, 11],
    ['more rows than a block', 1600, 24, 20],
  ])('products of %s', async (_, rows, K, N) => {
    const run = (kernels: TrainingKernels) => {
      const [x, w, dy] = [filled(kernels, rows * K, 1), filled(kernels, N * K, 2), filled(kernels, rows * N, 3)];
      const [y, plain, dx] = [rows * N, rows * N, rows * K].map((count) => unwritten(kernels, count));
      const dweight = kernels.allocate(N * K).fill(0.5);
      kernels.forward(plain, x, w, null, rows, K, N);
      kernels.forward(y, x, w, filled(kernels, N, 4), rows, K, N);
      kernels.inputGradient(dx, dy, w, rows, K, N);
      kernels.weightGradient(dweight, dy, x, rows, K, N);
      return { y, plain, dx, dweight };
    };
    const unit = 2 ** -23;
    await compare(run, Math.max(K, N), { y: K * unit, plain: K * unit, dx: N * unit, dweight: rows * unit });
  });

  test('QuickGELU', async () => {
    const run = (kernels: TrainingKernels) => {
      const [x, dx, y] = [filled(kernels, 400, 1, 20), filled(kernels, 400, 2), unwritten(kernels, 400)];
      kernels.quickGelu(y, x, 400);
      kernels.quickGeluBackward(dx, x, 400);
      return { y, dx };
    };
    await compare(run, 8, { y: 1e-5, dx: 2e-6 });
  });

  test.each([
    ['full', false, [5, 5], 8],
    ['full, of unequal lengths', false, [3, 6, 2], 4],
    ['causal, of unequal lengths', true, [77, 30, 30, 2], 20],
    ['causal, of one row', true, [1, 1], 4],
  ])('attention, %s', async (_, causal, lengths, headDim) => {
    const sizes = { lengths, h: 3, headDim, causal };
    const d = 3 * headDim;
    const rows = rowCount(lengths);
    const run = (kernels: TrainingKernels) => {
      const heads = filled(kernels, rows * 3 * d, 1, 2);
      const [attended, dheads] = [unwritten(kernels, rows * d), unwritten(kernels, rows * 3 * d)];
      const probabilities = unwritten(kernels, 3 * lengths.reduce((sum, L) => sum + L * L, 0));
      kernels.selfAttention(attended, probabilities, heads, sizes);
      kernels.selfAttentionBackward(dheads, filled(kernels, rows * d, 2), probabilities, heads, sizes);
      return { attended, probabilities, dheads };
    };
    await compare(run, 8, { attended: 2e-6, probabilities: 1e-6, dheads: 1e-5 });
  });
});

test('what does not fit is refused in words', async () => {
  const kernels = await createWasmKernels(compiled, 64, { widest: 4, longest: 2 });
  const array = kernels.allocate(16);
  expect(() => kernels.forward(array, array, array, null, 1, 8, 2)).toThrow('A layer has 8 numbers in and 2 out');
  expect(() => kernels.forward(array, new Float32Array(16), array, null, 1, 4, 4)).toThrow('outside the kernels');
  expect(() => kernels.quickGelu(array, array, 3)).toThrow('no multiple of 4');
  const sizes = { lengths: [2, 3], h: 1, headDim: 4, causal: true };
  expect(() => kernels.selfAttention(array, array, array, sizes)).toThrow('has 3 rows; there is room for 2');
  expect(() => kernels.allocate(1 << 20)).toThrow('count them first');
  const tooMany = createWasmKernels(compiled, 2e9, { widest: 4, longest: 2 });
  await expect(tooMany).rejects.toThrow(/^There are no 80\d\d MB of memory to train with; choose smaller batches\.$/);
});
