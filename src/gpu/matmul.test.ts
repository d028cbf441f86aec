import { expect, test } from 'vitest';
import { chooseMatmul, type MatmulTuning, matmulKernels, rememberedTuning, tuneMatmul } from './matmul.ts';
import { testAdapters, testGpu } from './testing/adapters.ts';

const support = { subgroups: true, subgroupSize: 32 };
const shape = (M: number, K = 768) => ({ M, K, N: 768 });

test('eight rows or fewer go to the kernel for few, all others to the one for many', () => {
  const kernelFor = (M: number, few?: 'matmul') =>
    chooseMatmul({ kernel: 'matmul_quad', few, support }, shape(M)).kernel;
  expect([1, 8, 9, 77].map((M) => kernelFor(M))).toEqual(['matmul_few', 'matmul_few', 'matmul_quad', 'matmul_quad']);
  expect([1, 8, 9].map((M) => kernelFor(M, 'matmul'))).toEqual(['matmul', 'matmul', 'matmul_quad']);
  expect(chooseMatmul({ kernel: 'matmul_quad', support: { subgroups: false } }, shape(2)).kernel).toBe('matmul');
  expect(chooseMatmul({ kernel: 'matmul_subgroup', support }, shape(2, 68)).kernel).toBe('matmul');
});

test.each(['matmul_subgroup', 'matmul_quad'] as const)(
  '%s computes no more rows past the end than it has lanes',
  (kernel) => {
    for (let M = 9; M <= 77; M++) {
      const { constants, grid } = chooseMatmul({ kernel, support: { ...support, subgroupSize: 8 } }, shape(M));
      expect(constants.ROWS).toBeLessThanOrEqual(7);
      const computed = grid[0] * constants.ROWS * 8;
      expect(computed).toBeGreaterThanOrEqual(M);
      expect(computed - M).toBeLessThan(grid[0] * 8);
    }
  },
);

test('a tuning is remembered for its adapter, width and kernels, and for nothing else', () => {
  const adapter = { description: 'an adapter', support };
  const tuning: MatmulTuning = {
    adapter: 'an adapter',
    hiddenSize: 768,
    among: matmulKernels,
    kernel: 'matmul_quad',
    few: 'matmul_few',
  };
  const stored: unknown = JSON.parse(JSON.stringify([{ ...tuning, hiddenSize: 64 }, null, 'x', tuning]));
  expect(rememberedTuning(stored, adapter, { hiddenSize: 768 })).toEqual(tuning);
  expect(rememberedTuning(stored, adapter, { hiddenSize: 1024 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, description: 'another' }, { hiddenSize: 768 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, support: { subgroups: false } }, { hiddenSize: 768 })).toBeUndefined();
  const damaged: unknown[] = [
    null,
    undefined,
    'text',
    {},
    [{ ...tuning, few: 'matmul_gone' }],
    [{ ...tuning, among: [] }],
  ];
  for (const data of damaged) expect(rememberedTuning(data, adapter, { hiddenSize: 768 })).toBeUndefined();
});

test.each(testAdapters)('what is measured on %s can be stored and is found again', async (name) => {
  const gpu = await testGpu(name);
  const tuning = await tuneMatmul(gpu, { hiddenSize: 256 });
  expect(rememberedTuning(JSON.parse(JSON.stringify([tuning])), gpu, { hiddenSize: 256 })).toEqual(tuning);
  expect(await tuneMatmul(gpu, { hiddenSize: 64 })).toMatchObject({ kernel: 'matmul', few: 'matmul' });
});
