import { afterEach, describe, expect, test, vi } from 'vitest';
import { attentionDispatch } from './attention.ts';
import { matmulDispatch, matmulFamilies } from './matmul.ts';
import { testAdapters, testGpu } from './testing/adapters.ts';
import { type KernelTuning, rememberedTuning, timeMatmuls, tuneKernels } from './tuning.ts';

vi.mock('./attention.ts', { spy: true });

const support = { subgroups: true, subgroupSize: 8 };

afterEach(() => {
  vi.restoreAllMocks();
  vi.mocked(attentionDispatch).mockReset();
});

test('a tuning is remembered for its adapter, width and kernels, and for nothing else', async () => {
  const adapter = { description: 'an adapter', software: false, support };
  // A small width is not measured, so that no device is needed.
  const small = await tuneKernels({ ...adapter, device: {} as GPUDevice }, { hiddenSize: 128 });
  const tuning: KernelTuning = { ...small, kernel: 'matmul_quad', few: 'matmul_few' };
  const stored: unknown = JSON.parse(JSON.stringify([{ ...small, hiddenSize: 64 }, null, 'x', tuning]));
  expect(rememberedTuning(stored, adapter, { hiddenSize: 128 })).toEqual(tuning);
  expect(rememberedTuning(stored, adapter, { hiddenSize: 192 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, description: 'another' }, { hiddenSize: 128 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, support: { subgroups: false } }, { hiddenSize: 128 })).toBeUndefined();
  expect(rememberedTuning(stored, { ...adapter, software: true }, { hiddenSize: 128 })).toBeUndefined();
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
    ...['matmul_quad', 'attention_group', 'layer_norm'].map((other) => [
      { ...tuning, among: tuning.among.map((kernel) => (kernel.startsWith(other) ? `${other} 0` : kernel)) },
    ]),
  ];
  for (const data of damaged) expect(rememberedTuning(data, adapter, { hiddenSize: 128 })).toBeUndefined();
});

test('the same kernels are measured again where they are dispatched otherwise', async () => {
  const adapter = { description: 'an adapter', software: false, support: { subgroups: true, subgroupSize: 32 } };
  const tuning = await tuneKernels({ ...adapter, device: {} as GPUDevice }, { hiddenSize: 128 });
  const remembered = (support = adapter.support) =>
    rememberedTuning([tuning], { ...adapter, support }, { hiddenSize: 128 });
  expect(remembered()).toEqual(tuning);
  expect(remembered({ subgroups: true, subgroupSize: 16 })).toBeUndefined();
  vi.mocked(attentionDispatch).mockReturnValueOnce({
    kernel: 'attention',
    constants: { WORKGROUP: 64 },
    grid: [2, 2, 1],
  });
  expect(remembered()).toBeUndefined();
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

describe.each(testAdapters)('on %s', (name) => {
  /** The adapter, where what is refused does not compile. */
  async function gpuThat(refuses: (label: string, constants?: Record<string, number>) => boolean) {
    const gpu = await testGpu(name);
    const compile = gpu.device.createComputePipelineAsync.bind(gpu.device);
    vi.spyOn(gpu.device, 'createComputePipelineAsync').mockImplementation((pipeline) =>
      refuses(pipeline.label!, pipeline.compute.constants)
        ? Promise.reject(new Error(`No ${pipeline.label} here.`))
        : compile(pipeline),
    );
    return { ...gpu, software: false };
  }

  test('what does not compile is not chosen, nor the family of a kernel that does not for few rows', async () => {
    const gpu = await gpuThat(
      (label, constants) => !['matmul', 'attention', 'layer_norm'].includes(label) && constants?.GROUPS !== 2,
    );
    const plain = { kernel: 'matmul', few: 'matmul', attention: 'attention' };
    expect(await tuneKernels(gpu, { hiddenSize: 256 })).toMatchObject(plain);
    const asked = vi.mocked(gpu.device.createComputePipelineAsync).mock.calls.map(([{ label }]) => label);
    // For many rows, and not again for few.
    expect(asked.filter((label) => label === 'matmul_quad')).toHaveLength(gpu.support.subgroups ? 1 : 0);
  });

  test('where the plain kernel does not compile there is no tuning', async () => {
    const gpu = await gpuThat((label) => label === 'matmul');
    await expect(tuneKernels(gpu, { hiddenSize: 256 })).rejects.toThrow('No matmul here.');
  });

  test('a kernel that comes out wrong is left out, and no other', async () => {
    const { device, support } = await testGpu(name);
    // On subgroups of another size matmul_subgroup takes weights from lanes that are not there.
    const claimed = { ...support, subgroupSize: 8 };
    const shape = { M: 9, K: 64, N: 64 };
    const kernels = matmulFamilies.inOneGo;
    const right = kernels.filter(
      (kernel) =>
        matmulDispatch(kernel, shape, claimed) && (kernel !== 'matmul_subgroup' || support.subgroupSize === 8),
    );
    expect([...(await timeMatmuls(device, claimed, shape, { kernels })).keys()]).toEqual(right);
  });

  test('attention that leaves queries out is fastest, and is not chosen', async () => {
    const { attentionDispatch: dispatched } = await vi.importActual<typeof import('./attention.ts')>('./attention.ts');
    vi.mocked(attentionDispatch).mockImplementation((kernel, ...of) => {
      const how = dispatched(kernel, ...of);
      return how && kernel !== 'attention' ? { ...how, grid: [1, 1, 1] } : how;
    });
    const gpu = { ...(await testGpu(name)), software: false };
    expect(await tuneKernels(gpu, { hiddenSize: 256 })).toMatchObject({ attention: 'attention' });
  });
});
