import { fromFloat32 } from '../checkpoint/dtypes.ts';
import type { ClipTextConfig } from '../clip/config.ts';
import type { WeightDtype } from '../clip/weights.ts';
import { bindWhole, type Constants, createPipelines, dispatch, type KernelName, type Work } from './kernels.ts';

/** The kernels that can do a linear layer; the first does any shape on any adapter. */
export const matmulKernels = ['matmul', 'matmul_quad', 'matmul_subgroup', 'matmul_few'] as const satisfies KernelName[];
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
  // As few groups of lanes as seven rows a lane allow, and as even as can be, for rows past the end are computed too.
  const byLanes = (name: string, lanes: number): Omit<MatmulDispatch, 'kernel'> => {
    const groups = Math.ceil(M / (7 * lanes));
    return { constants: { [name]: lanes, ROWS: Math.ceil(M / (groups * lanes)) }, grid: [groups, N / 16, 1] };
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
      return { kernel, ...byLanes('WORKGROUP', Math.max(4, subgroupSize ?? 8)) };
    case 'matmul_subgroup':
      if (!subgroups || !subgroupSize || K % (4 * subgroupSize) !== 0 || N % 16 !== 0) return undefined;
      return { kernel, ...byLanes('SUBGROUP', subgroupSize) };
    case 'matmul_few': {
      if (!subgroups || K % 16 !== 0) return undefined;
      // Three pipelines rather than eight, for each takes its time to compile.
      const rows = M <= 2 ? 2 : M <= 4 ? 4 : 8;
      // Adapters with subgroups so small are CPUs, which load once for each lane: small groups then share more of a line.
      const lanes = subgroupSize && subgroupSize <= 8 ? 4 : (subgroupSize ?? 32);
      return {
        kernel,
        constants: { WORKGROUP: lanes, ROWS: rows },
        grid: [Math.ceil(N / 4 / lanes), Math.ceil(M / rows), 1],
      };
    }
    default:
      return kernel satisfies never;
  }
}

/** Up to how many rows `few` is asked for. After the edit of a word as many are to be done as it has tokens, and one. */
const fewRows = 8;

/** Which kernel does the linear layers; the plain one where it does not suit a layer. */
export interface MatmulChoice {
  readonly kernel: MatmulKernel;
  /** For eight rows or fewer; without it the one that was made for them. */
  readonly few?: MatmulKernel;
  readonly support: MatmulSupport;
}

/** The chosen kernel for a product of this shape, or the one that always does. */
export function chooseMatmul(
  { kernel, few = 'matmul_few', support }: MatmulChoice,
  shape: MatmulShape,
): MatmulDispatch {
  const preferred = shape.M <= fewRows ? [few, kernel] : [kernel];
  for (const name of preferred) {
    const found = matmulDispatch(name, shape, support);
    if (found) return found;
  }
  return matmulDispatch('matmul', shape, support)!;
}

/** Milliseconds of work between two looks at the clock, which costs a part of a millisecond itself. */
const worthTiming = 2;

/**
 * Milliseconds of one matmul by each kernel that this device can run, fastest of `runs`, after one that does not count. What
 * is too short to time is repeated, up to 16 times.
 */
export async function timeMatmuls(
  device: GPUDevice,
  support: MatmulSupport,
  shape: MatmulShape,
  options: {
    readonly dtype?: WeightDtype;
    readonly runs?: number;
    readonly kernels?: readonly MatmulKernel[];
  } = {},
): Promise<Map<MatmulKernel, number>> {
  const { dtype = 'F32', runs = 2, kernels = matmulKernels } = options;
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
    kernels.flatMap((kernel) => {
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
  async function time(work: Work, repeats: number): Promise<number> {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < repeats; i++) dispatch(pass, work);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / repeats;
  }
  const times = new Map<MatmulKernel, number>();
  // The first time is the one that does not count. All are repeated alike.
  let shortest = worthTiming;
  for (const { work } of candidates) shortest = Math.min(shortest, await time(work, 1));
  const repeats = Math.min(16, Math.ceil(worthTiming / Math.max(shortest, 0.01)));
  // Interleaved, so that what else the machine does falls on all alike.
  for (let run = 0; run < runs; run++)
    for (const { kernel, work } of candidates)
      times.set(kernel, Math.min(await time(work, repeats), times.get(kernel) ?? Number.POSITIVE_INFINITY));
  for (const buffer of buffers) buffer.destroy();
  return times;
}

/** What was measured on an adapter for encoders of one width: plain data, to be stored as it is. A `MatmulChoice` but for the support. */
export interface MatmulTuning {
  readonly adapter: string;
  readonly hiddenSize: number;
  /** What it was chosen from: with a kernel more or less it is measured again. */
  readonly among: readonly string[];
  readonly kernel: MatmulKernel;
  readonly few: MatmulKernel;
}

/** What the choice of kernels depends on: a GpuDevice has it. */
export interface TunedAdapter {
  readonly description: string;
  readonly support: MatmulSupport;
}

const suits = (support: MatmulSupport, hiddenSize: number) =>
  matmulKernels.filter((kernel) => matmulDispatch(kernel, { M: 1, K: hiddenSize, N: hiddenSize }, support));

/**
 * The kernels that are fastest here, by a layer of the size of the full encoder's smallest, for 77 rows and for 2: some ten
 * milliseconds on a GPU and the compiling of the kernels, a second on a CPU that stands in for one. What is fast on one
 * adapter is not on another. A small encoder is not worth it.
 */
export async function tuneMatmul(
  { device, description, support }: TunedAdapter & { readonly device: GPUDevice },
  { hiddenSize }: Pick<ClipTextConfig, 'hiddenSize'>,
): Promise<MatmulTuning> {
  const among = suits(support, hiddenSize);
  const tuning = { adapter: description, hiddenSize, among };
  if (hiddenSize < 256) return { ...tuning, kernel: 'matmul', few: 'matmul' };
  const fastest = async (M: number) => {
    // What is short is disturbed more.
    const runs = M <= fewRows ? 8 : 3;
    const kernels = among.filter((kernel) => M <= fewRows || kernel !== 'matmul_few');
    const times = await timeMatmuls(device, support, { M, K: hiddenSize, N: hiddenSize }, { kernels, runs });
    return [...times].reduce((best, one) => (one[1] < best[1] ? one : best))[0];
  };
  return { ...tuning, kernel: await fastest(77), few: await fastest(2) };
}

/** The tuning of this adapter and width among those that were stored, whatever they have become; undefined where there is none. */
export function rememberedTuning(
  stored: unknown,
  { description, support }: TunedAdapter,
  { hiddenSize }: Pick<ClipTextConfig, 'hiddenSize'>,
): MatmulTuning | undefined {
  const among = suits(support, hiddenSize);
  const isOurs = (tuning: Partial<MatmulTuning> | null): tuning is MatmulTuning =>
    tuning?.adapter === description &&
    tuning.hiddenSize === hiddenSize &&
    String(tuning.among) === String(among) &&
    among.some((kernel) => kernel === tuning.kernel) &&
    among.some((kernel) => kernel === tuning.few);
  return Array.isArray(stored) ? stored.find(isOurs) : undefined;
}
