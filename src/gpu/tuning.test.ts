import { afterEach, describe, expect, test, vi } from 'vitest';
import { attentionDispatch, type KernelDispatch, matmulDispatch, plainKernels } from './dispatches.ts';
import { testAdapters, testGpu } from './testing/adapters.ts';
import { chooseKernels, fastestMatmul, measureKernels, rememberedTuning } from './tuning.ts';

vi.mock('./dispatches.ts', { spy: true });
const actual = await vi.importActual<typeof import('./dispatches.ts')>('./dispatches.ts');

afterEach(() => {
  vi.restoreAllMocks();
  vi.mocked(matmulDispatch).mockReset();
  vi.mocked(attentionDispatch).mockReset();
});

/** Changes how some kernels are dispatched. */
function dispatchOtherwise(change: (how: KernelDispatch) => Partial<KernelDispatch>) {
  vi.mocked(matmulDispatch).mockImplementation((kernel, shape, epilogue) => {
    const how = actual.matmulDispatch(kernel, shape, epilogue);
    return { ...how, ...change(how) };
  });
  vi.mocked(attentionDispatch).mockImplementation((...of) => {
    const how = actual.attentionDispatch(...of);
    return { ...how, ...change(how) };
  });
}

test('kernels are measured for a full-size encoder on hardware, and are the plain ones everywhere else', async () => {
  const gpu = { device: {} as GPUDevice, description: 'an adapter', software: false };
  const measured = { matmul: 'matmul_tile', attention: 'attention_group' } as const;
  const choose = (software: boolean, hiddenSize: number) =>
    chooseKernels({ ...gpu, software }, { hiddenSize }, async () => measured);
  expect(await choose(false, 768)).toEqual(measured);
  expect(await choose(true, 768)).toEqual(plainKernels);
  expect(await choose(false, 64)).toEqual(plainKernels);
});

test('the fastest kernel is that of both times together, if its rows are the same among few', () => {
  const timed = (kernel: string, milliseconds: number, ...result: number[]) => ({
    kernel,
    milliseconds,
    result: Float32Array.from(result),
  });
  const many = [
    timed('matmul', 9, 1, 2, 3, 4),
    timed('matmul_tile', 3, 1, 2, 3, 4),
    timed('matmul_split', 4, 1, 2, 3, 5),
  ];
  const few = [timed('matmul', 2, 1, 2), timed('matmul_tile', 3, 1, 2), timed('matmul_split', 1, 1, 2)];
  expect(fastestMatmul(many, few)).toBe('matmul_split');
  expect(fastestMatmul(many, few.with(2, timed('matmul_split', 1, 1, 2.0000002)))).toBe('matmul_tile');
  expect(fastestMatmul(many, few.slice(0, 2))).toBe('matmul_tile');
  expect(fastestMatmul(many.slice(0, 1), few)).toBe('matmul');
  expect(fastestMatmul(many.slice(0, 1), [timed('matmul', 2, 1, 3)])).toBe('matmul');
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
    return gpu;
  }

  test('what is measured can be stored and is found again, for this adapter and these kernels alone', async () => {
    const gpu = await testGpu(name);
    const tuning = await measureKernels(gpu);
    const stored: unknown = JSON.parse(JSON.stringify([null, 'x', { ...tuning, adapter: 'another' }, tuning]));
    expect(rememberedTuning(stored, gpu)).toEqual(tuning);
    expect(rememberedTuning(stored, { description: 'a third' })).toBeUndefined();
    const damaged: unknown[] = [
      null,
      undefined,
      'text',
      {},
      [{ ...tuning, matmul: 'matmul_gone' }],
      [{ ...tuning, attention: undefined }],
      [{ ...tuning, compared: undefined }],
    ];
    for (const data of damaged) expect(rememberedTuning(data, gpu)).toBeUndefined();
    dispatchOtherwise(({ kernel }) => (kernel === 'attention_group' ? { grid: [2, 2, 1] } : {}));
    expect(rememberedTuning(stored, gpu)).toBeUndefined();
  });

  test('what does not compile is not chosen, nor is a kernel that does not for few rows', async () => {
    const gpu = await gpuThat(
      (label, constants) => ['matmul_split', 'attention_group'].includes(label) || constants?.ROWS === 1,
    );
    expect(await measureKernels(gpu)).toMatchObject(plainKernels);
  });

  test('where the plain kernel does not compile there is no tuning', async () => {
    const gpu = await gpuThat((label) => label.startsWith('matmul'));
    await expect(measureKernels(gpu)).rejects.toThrow(/cannot compile the kernel “matmul.*No matmul here/);
  });

  test('kernels that leave work out are fastest, and are not chosen', async () => {
    dispatchOtherwise(({ kernel }) => (kernel === 'matmul' || kernel === 'attention' ? {} : { grid: [1, 1, 1] }));
    expect(await measureKernels(await testGpu(name))).toMatchObject(plainKernels);
  });
});
