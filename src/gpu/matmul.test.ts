import { expect, test } from 'vitest';
import { chooseMatmul } from './matmul.ts';

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
  ['matmul_subgroup', 5],
  ['matmul_quad', 14],
] as const)(
  '%s computes no more rows past the end than it has lanes, with at most %i rows a lane',
  (kernel, mostRows) => {
    for (let M = 9; M <= 77; M++) {
      const { constants, grid } = chooseMatmul({ kernel, support: { ...support, subgroupSize: 8 } }, shape(M));
      expect(constants.ROWS).toBeLessThanOrEqual(mostRows);
      const computed = grid[0] * constants.ROWS * 8;
      expect(computed).toBeGreaterThanOrEqual(M);
      expect(computed - M).toBeLessThan(grid[0] * 8);
    }
  },
);
