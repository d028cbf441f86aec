import { expect, test } from 'vitest';
import { testAdapters, testGpu } from './testing/adapters.ts';
import { type KernelTuning, rememberedTuning, tuneKernels } from './tuning.ts';

const support = { subgroups: true, subgroupSize: 8 };

test('a tuning is remembered for its adapter, width and kernels, and for nothing else', async () => {
  const adapter = { description: 'an adapter', software: false, support };
  // Of a small width nothing is measured, and no device needed.
  const small = await tuneKernels({ ...adapter, device: {} as GPUDevice }, { hiddenSize: 64 });
  const tuning: KernelTuning = { ...small, hiddenSize: 768, kernel: 'matmul_quad', few: 'matmul_few' };
  const stored: unknown = JSON.parse(JSON.stringify([small, null, 'x', tuning]));
  expect(rememberedTuning(stored, adapter, { hiddenSize: 768 })).toEqual(tuning);
  expect(rememberedTuning(stored, adapter, { hiddenSize: 1024 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, description: 'another' }, { hiddenSize: 768 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, support: { subgroups: false } }, { hiddenSize: 768 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, software: true }, { hiddenSize: 768 })).toBeUndefined();
  const damaged: unknown[] = [
    null,
    undefined,
    'text',
    {},
    [{ ...tuning, few: 'matmul_gone' }],
    // A row would come out different by the last bit, whether it was done with few others or with many.
    [{ ...tuning, few: 'matmul_split' }],
    [{ ...tuning, attention: undefined }],
    [{ ...tuning, layerNormLanes: 0 }],
    [{ ...tuning, among: [] }],
    [{ ...tuning, among: tuning.among.map((kernel) => (kernel.startsWith('matmul_quad') ? 'matmul_quad 0' : kernel)) }],
  ];
  for (const data of damaged) expect(rememberedTuning(data, adapter, { hiddenSize: 768 })).toBeUndefined();
});

test.each(testAdapters)('what is measured on %s can be stored and is found again', async (name) => {
  // Measured as on a GPU, which has every kernel to choose from.
  const gpu = { ...(await testGpu(name)), software: false };
  const tuning = await tuneKernels(gpu, { hiddenSize: 256 });
  expect(rememberedTuning(JSON.parse(JSON.stringify([tuning])), gpu, { hiddenSize: 256 })).toEqual(tuning);
  expect(await tuneKernels(gpu, { hiddenSize: 64 })).toMatchObject({
    kernel: 'matmul',
    few: 'matmul',
    attention: 'attention',
  });
});
