import { beforeAll, describe, expect, test } from 'vitest';
import { type CompiledKernels, compileKernels } from '../cpu/kernels.ts';
import { float64Products, type Products } from './products.ts';
import { numbers } from './testing/differences.ts';
import { countFloats, createWasmProducts } from './wasmProducts.ts';

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels(false);
});

/** The three products of random matrices; outputs hold `before` at first. */
function threeProducts(products: Products, rows: number, K: number, N: number) {
  const filled = (values: Float64Array) => {
    const array = products.allocate(values.length);
    array.set(values.map(Math.fround));
    return array;
  };
  const [x, w, dy] = [filled(numbers(rows * K, 1)), filled(numbers(N * K, 2)), filled(numbers(rows * N, 3))];
  const [y, dx] = [products.allocate(rows * N).fill(Number.NaN), products.allocate(rows * K).fill(Number.NaN)];
  const dweight = products.allocate(N * K).fill(0.5);
  products.forward(y, x, w, rows, K, N);
  products.inputGradient(dx, dy, w, rows, K, N);
  products.weightGradient(dweight, dy, x, rows, K, N);
  return { y, dx, dweight };
}

describe.each([
  ['one row', 1, 4, 8],
  ['sizes that are no multiples of tiles', 7, 13, 11],
  ['more rows than a block', 1600, 24, 20],
])('%s', (_, rows, K, N) => {
  test('are the products in float64 but for rounding', async () => {
    const floats = countFloats(({ allocate }) => {
      for (const length of [rows * K, N * K, rows * N, rows * N, rows * K, N * K]) allocate(length);
    });
    const actual = threeProducts(await createWasmProducts(compiled, floats, Math.max(K, N)), rows, K, N);
    const expected = threeProducts(float64Products, rows, K, N);
    for (const name of ['y', 'dx', 'dweight'] as const) {
      const terms = name === 'y' ? K : name === 'dx' ? N : rows;
      expect(actual[name].length).toBe(expected[name].length);
      for (const [i, value] of expected[name].entries())
        if (!(Math.abs(actual[name][i] - value) <= 2 ** -23 * terms))
          expect.fail(`${name}[${i}] is ${actual[name][i]}, expected ${value}`);
    }
  });
});

test('what does not fit is refused in words', async () => {
  const products = await createWasmProducts(compiled, 64, 4);
  const array = products.allocate(16);
  expect(() => products.forward(array, array, array, 1, 8, 2)).toThrow('A layer has 8 numbers in and 2 out');
  expect(() => products.forward(array, new Float32Array(16), array, 1, 4, 4)).toThrow('outside its memory');
  expect(() => products.allocate(1 << 20)).toThrow('count them first');
});
