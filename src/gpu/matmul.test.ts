import { expect, test } from 'vitest';
import { chooseMatmul, matmulDispatch } from './matmul.ts';

const support = { subgroups: true, subgroupSize: 32 };
const shape = (M: number) => ({ M, K: 768, N: 768 });

test('eight rows or fewer go to the kernel for few, all others to the one for many', () => {
  const kernelFor = (M: number, few?: 'matmul') =>
    chooseMatmul({ kernel: 'matmul_quad', few, support }, shape(M)).kernel;
  expect([1, 8, 9, 77].map((M) => kernelFor(M))).toEqual(['matmul_few', 'matmul_few', 'matmul_quad', 'matmul_quad']);
  expect(chooseMatmul({ kernel: 'matmul_split', support }, shape(2)).kernel).toBe('matmul_split');
  expect([1, 8, 9].map((M) => kernelFor(M, 'matmul'))).toEqual(['matmul', 'matmul', 'matmul_quad']);
  expect(chooseMatmul({ kernel: 'matmul_quad', support: { subgroups: false } }, shape(2)).kernel).toBe('matmul');
  expect(chooseMatmul({ kernel: 'matmul_subgroup', support }, shape(77)).kernel).toBe('matmul');
});

test.each([
  ['matmul_subgroup', 8, 1, [1, 2, 3, 4, 5]],
  ['matmul_quad', 4, 2, [3, 4, 6, 8, 10, 12, 14]],
] as const)(
  '%s on subgroups of %i computes fewer rows past the end than lanes times %i, by few pipelines',
  (kernel, lanes, most, pipelines) => {
    const rows = new Set<number>();
    for (let M = kernel === 'matmul_quad' ? 9 : 1; M <= 77; M++) {
      const { constants, grid } = matmulDispatch(kernel, shape(M), { ...support, subgroupSize: lanes })!;
      rows.add(constants.ROWS);
      const computed = grid[0] * constants.ROWS * lanes;
      expect(computed).toBeGreaterThanOrEqual(M);
      expect(computed - M).toBeLessThan(grid[0] * lanes * most);
    }
    expect([...rows].toSorted((a, b) => a - b)).toEqual(pipelines);
  },
);
