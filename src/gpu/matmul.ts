import { fromFloat32 } from '../checkpoint/dtypes.ts';
import type { ClipTextConfig } from '../clip/config.ts';
import type { WeightDtype } from '../clip/weights.ts';
import { bindWhole, type Constants, createPipelines, dispatch, type KernelName } from './kernels.ts';

/** The kernels that can do a linear layer; the first does any shape on any adapter. */
export const matmulKernels = ['matmul', 'matmul_quad', 'matmul_subgroup'] as const satisfies KernelName[];
export type MatmulKernel = (typeof matmulKernels)[number];

/** What the choice of a kernel depends on. */
export interface MatmulSupport {
  /** Whether the device has the feature `subgroups`. */
  readonly subgroups: boolean;
  /** Lanes of a subgroup where the adapter knows only one size, else undefined. */
  readonly subgroupSize?: number;
}

/** y [M, N] = x [M, K] Wᵀ */
export interface MatmulShape {
  readonly M: number;
  readonly K: number;
  readonly N: number;
}

export interface MatmulDispatch {
  readonly kernel: MatmulKernel;
  /** Beyond K, N and EPILOGUE. */
  readonly constants: Constants;
  readonly grid: readonly [number, number, number];
}

/** How `kernel` does a product of this shape; undefined where the device or the shape does not suit it. */
export function matmulDispatch(
  kernel: MatmulKernel,
  { M, K, N }: MatmulShape,
  { subgroups, subgroupSize }: MatmulSupport,
): MatmulDispatch | undefined {
  const byLanes = (name: string, lanes: number): Omit<MatmulDispatch, 'kernel'> => {
    const rows = Math.min(5, Math.ceil(M / lanes));
    return { constants: { [name]: lanes, ROWS: rows }, grid: [N / 16, Math.ceil(M / (rows * lanes)), 1] };
  };
  switch (kernel) {
    case 'matmul':
      return {
        kernel,
        constants: { WORKGROUP_X: 32, WORKGROUP_Y: 2 },
        grid: [Math.ceil(N / 4 / 32), Math.ceil(M / 8 / 2), 1],
      };
    case 'matmul_quad':
      if (!subgroups || K % 16 !== 0 || N % 16 !== 0) return undefined;
      return { kernel, ...byLanes('WORKGROUP', Math.max(8, subgroupSize ?? 0)) };
    case 'matmul_subgroup':
      if (!subgroups || !subgroupSize || K % (4 * subgroupSize) !== 0 || N % 16 !== 0) return undefined;
      return { kernel, ...byLanes('SUBGROUP', subgroupSize) };
    default:
      return kernel satisfies never;
  }
}

/** The best of `preferred` that suits, or the one that always does. */
export function chooseMatmul(preferred: MatmulKernel, shape: MatmulShape, support: MatmulSupport): MatmulDispatch {
  return matmulDispatch(preferred, shape, support) ?? matmulDispatch('matmul', shape, support)!;
}

/** Milliseconds of one matmul by each kernel that this device can run, fastest of `runs`, after one that does not count. */
export async function timeMatmuls(
  device: GPUDevice,
  support: MatmulSupport,
  shape: MatmulShape,
  { dtype = 'F32', runs = 2 }: { readonly dtype?: WeightDtype; readonly runs?: number } = {},
): Promise<Map<MatmulKernel, number>> {
  const { M, K, N } = shape;
  const pipelines = createPipelines(device);
  const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  const buffers = [numbers(M * K), fromFloat32(numbers(N * K), dtype), numbers(N), numbers(N), numbers(M * N)].map(
    (data) => {
      const buffer = device.createBuffer({ size: data.byteLength, usage: 0x88 });
      device.queue.writeBuffer(buffer, 0, data);
      return buffer;
    },
  );
  const candidates = await Promise.all(
    matmulKernels.flatMap((kernel) => {
      const how = matmulDispatch(kernel, shape, support);
      if (!how) return [];
      const constants = { K, N, EPILOGUE: 0, ...how.constants };
      return [
        pipelines(kernel, constants, dtype).then((pipeline) => ({
          kernel,
          work: { pipeline, bindGroup: bindWhole(device, pipeline, buffers), grid: how.grid },
        })),
      ];
    }),
  );
  const times = new Map<MatmulKernel, number>();
  // Interleaved, so that what else the machine does falls on all alike.
  for (let run = 0; run <= runs; run++)
    for (const { kernel, work } of candidates) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      dispatch(pass, work);
      pass.end();
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      const time = performance.now() - start;
      if (run > 0) times.set(kernel, Math.min(time, times.get(kernel) ?? Number.POSITIVE_INFINITY));
    }
  for (const buffer of buffers) buffer.destroy();
  return times;
}

/**
 * The kernel that is fastest here, by a layer of the size of the full encoder's smallest: some milliseconds on a GPU, some
 * hundred on a CPU that stands in for one. What is fast on one adapter is not on another. A small encoder is not worth it.
 */
export async function fastestMatmul(
  device: GPUDevice,
  support: MatmulSupport,
  { hiddenSize }: Pick<ClipTextConfig, 'hiddenSize'>,
): Promise<MatmulKernel> {
  if (hiddenSize < 256) return 'matmul';
  const times = await timeMatmuls(device, support, { M: 77, K: hiddenSize, N: hiddenSize });
  return [...times].reduce((best, one) => (one[1] < best[1] ? one : best))[0];
}
