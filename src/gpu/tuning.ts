import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { crc32 } from '../files/crc32.ts';
import type { WeightDtype } from '../files/dtypes.ts';
import { fromFloat32 } from '../files/dtypes.ts';
import { type AttentionKernel, attentionDispatch, attentionKernels } from './attention.ts';
import { mapModeRead, usage } from './flags.ts';
import {
  bindWhole,
  createPipelines,
  dispatch,
  type KernelDispatch,
  type KernelSupport,
  kernels,
  type Work,
} from './kernels.ts';
import {
  type MatmulChoice,
  type MatmulKernel,
  type MatmulShape,
  matmulDispatch,
  matmulFamilies,
  matmulKernels,
} from './matmul.ts';

/** The kernels that an encoder uses, of those that serve one purpose. */
export interface KernelChoice extends MatmulChoice {
  readonly attention?: AttentionKernel;
  /** Lanes that share a row of LayerNorm. */
  readonly layerNormLanes?: number;
}

/** Result of a measurement on an adapter, for encoders of one width: plain data that can be stored as it is. */
export interface KernelTuning extends Required<Omit<KernelChoice, 'support'>> {
  readonly adapter: string;
  readonly hiddenSize: number;
  /** Kernels that were compared, with checksums of source and dispatch. If the list has changed, a tuning is out of date. */
  readonly among: readonly string[];
}

/** Properties of an adapter that decide which kernels are compared. */
export interface TunedAdapter {
  readonly description: string;
  /** True if a CPU stands in for the GPU. Kernels for GPUs are left out then, because they take seconds to compile. */
  readonly software: boolean;
  readonly support: KernelSupport;
}

/** Lanes per row that are compared: 16 suits software adapters, whose barriers cost by the lane, 64 fills a GPU's subgroups. */
const layerNormLanes = [16, 64] as const;
/** Head size and rows of the measured shapes are those of the full-size encoder, whatever the width. */
const { headDim, maxPositionEmbeddings: tokens } = clipVitL14;
/** Rows that the edit of a word of one token changes: the token and EOS. */
const fewRows = 2;

/** One of several dispatches that compute the same. */
interface Candidate<T> extends KernelDispatch {
  readonly name: T;
}

/** Least milliseconds of work to time at once: submitting it costs a part of a millisecond itself. */
const worthTiming = 2;
const mostRepeats = 64;

/** Runs each dispatch and returns what it leaves in `output`, which is cleared before each. */
async function resultsOf(device: GPUDevice, works: readonly Work[], output: GPUBuffer): Promise<Float32Array[]> {
  const { size } = output;
  const staging = device.createBuffer({ size: works.length * size, usage: usage.copyTarget | usage.mapRead });
  const encoder = device.createCommandEncoder();
  for (const [i, work] of works.entries()) {
    encoder.clearBuffer(output);
    const pass = encoder.beginComputePass();
    dispatch(pass, work);
    pass.end();
    encoder.copyBufferToBuffer(output, 0, staging, i * size, size);
  }
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(mapModeRead);
  const results = staging.getMappedRange().slice(0);
  staging.destroy();
  return works.map((_, i) => new Float32Array(results, i * size, size / 4));
}

/** True where `a` equals `b` except for rounding; false where either has a NaN. Both have the same length. */
function isNear(a: Float32Array, b: Float32Array): boolean {
  let apart = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    apart = Math.max(apart, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return apart <= 1e-4 * largest;
}

/**
 * Returns the milliseconds of each candidate: the fastest of `runs`, after a warm-up. `data` is bound in order, the result last.
 * The first candidate judges the others: one that this driver does not compile, or computes wrongly, is left out.
 */
async function timeKernels<T>(
  device: GPUDevice,
  candidates: readonly Candidate<T>[],
  data: readonly ArrayBufferView<ArrayBuffer>[],
  { dtype = 'F32', runs }: { readonly dtype?: WeightDtype; readonly runs: number },
): Promise<Map<T, number>> {
  const pipelines = createPipelines(device);
  const buffers = data.map((values) => {
    const buffer = device.createBuffer({
      size: values.byteLength,
      usage: usage.storage | usage.copySource | usage.copyTarget,
    });
    device.queue.writeBuffer(buffer, 0, values);
    return buffer;
  });
  const compiled = await Promise.all(
    candidates.map(async ({ name, kernel, constants, grid }, i) => {
      try {
        const pipeline = await pipelines(kernel, constants, dtype);
        return [{ name, work: { pipeline, bindGroup: bindWhole(device, pipeline, buffers), grid } }];
      } catch (error) {
        if (i === 0) throw error;
        return [];
      }
    }),
  );
  const works = compiled.flat();
  const results = await resultsOf(
    device,
    works.map(({ work }) => work),
    buffers[buffers.length - 1],
  );
  const timed = works.filter((_, i) => i === 0 || isNear(results[i], results[0]));
  async function time(work: Work, repeats: number): Promise<number> {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < repeats; i++) dispatch(pass, work);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  }
  const times = new Map<T, number>();
  // Candidates take turns, so that other work on the machine disturbs all of them alike, and all are repeated as often.
  let repeats = 1;
  for (;;) {
    let shortest = Number.POSITIVE_INFINITY;
    for (const { work } of timed) shortest = Math.min(shortest, await time(work, repeats));
    if (shortest >= worthTiming || repeats >= mostRepeats) break;
    repeats *= 4;
  }
  for (let run = 0; run < runs; run++)
    for (const { name, work } of timed)
      times.set(name, Math.min((await time(work, repeats)) / repeats, times.get(name) ?? Number.POSITIVE_INFINITY));
  for (const buffer of buffers) buffer.destroy();
  return times;
}

const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

function matmulCandidates(
  kernels: readonly MatmulKernel[],
  shape: MatmulShape,
  support: KernelSupport,
): Candidate<MatmulKernel>[] {
  const { K, N } = shape;
  return kernels.flatMap((name) => {
    const how = matmulDispatch(name, shape, support);
    return how ? [{ name, ...how, constants: { K, N, EPILOGUE: 0, ...how.constants } }] : [];
  });
}

/** Attention of a whole pass. */
function attentionCandidates(heads: number, { software, support }: TunedAdapter): Candidate<AttentionKernel>[] {
  return attentionKernels.flatMap((name) => {
    if (software && name === 'attention_group') return [];
    const how = attentionDispatch(name, { queries: tokens, heads, passes: 1 }, support);
    return how ? [{ name, ...how, constants: { L: tokens, H: heads, HEAD_DIM: headDim, ...how.constants } }] : [];
  });
}

/** LayerNorm of a whole pass, by lanes a row. */
function layerNormCandidates(hiddenSize: number): Candidate<number>[] {
  return layerNormLanes.map((name) => ({
    name,
    kernel: 'layer_norm',
    constants: { D: hiddenSize, EPSILON: 1e-5, WORKGROUP: name },
    grid: [tokens, 1, 1],
  }));
}

/** Milliseconds of one linear layer by each kernel that this device can run and whose result agrees with the first kernel's. */
export function timeMatmuls(
  device: GPUDevice,
  support: KernelSupport,
  shape: MatmulShape,
  options: {
    readonly dtype?: WeightDtype;
    readonly runs?: number;
    readonly kernels?: readonly MatmulKernel[];
  } = {},
): Promise<Map<MatmulKernel, number>> {
  const { dtype = 'F32', runs = 2, kernels = matmulKernels } = options;
  const { M, K, N } = shape;
  const data = [numbers(M * K), fromFloat32(numbers(N * K), dtype), numbers(N), numbers(N), numbers(M * N)];
  return timeKernels(device, matmulCandidates(kernels, shape, support), data, { dtype, runs });
}

/** Milliseconds of attention of a whole pass by each kernel. */
function timeAttention(
  adapter: TunedAdapter & { readonly device: GPUDevice },
  hiddenSize: number,
): Promise<Map<AttentionKernel, number>> {
  const heads = hiddenSize / headDim;
  const causal = Uint32Array.from({ length: tokens ** 2 }, (_, at) => (at % tokens <= Math.floor(at / tokens) ? 1 : 0));
  const data = [
    numbers(tokens * 3 * hiddenSize),
    causal,
    Uint32Array.of(0, tokens, 0),
    numbers(heads * tokens ** 2),
    numbers(tokens * hiddenSize),
  ];
  return timeKernels(adapter.device, attentionCandidates(heads, adapter), data, { runs: 3 });
}

/** Milliseconds of LayerNorm of a whole pass, by lanes a row. */
function timeLayerNorm(device: GPUDevice, hiddenSize: number): Promise<Map<number, number>> {
  const row = numbers(hiddenSize);
  const data = [numbers(tokens * hiddenSize), row, row, numbers(tokens * hiddenSize)];
  return timeKernels(device, layerNormCandidates(hiddenSize), data, { runs: 3 });
}

function fastest<T>(times: Iterable<[name: T, milliseconds: number]>): [name: T, milliseconds: number] {
  return [...times].reduce((best, timed) => (timed[1] < best[1] ? timed : best));
}

const suits = ({ software, support }: TunedAdapter, hiddenSize: number) =>
  (software ? matmulFamilies.inOneGo : matmulKernels).filter((kernel) =>
    matmulDispatch(kernel, { M: 1, K: hiddenSize, N: hiddenSize }, support),
  );

/** Names all candidates, each with a checksum of its source and dispatch. */
const named = (matmuls: readonly MatmulKernel[], adapter: TunedAdapter, hiddenSize: number) =>
  [
    ...[tokens, fewRows].flatMap((M) =>
      matmulCandidates(matmuls, { M, K: hiddenSize, N: hiddenSize }, adapter.support),
    ),
    ...attentionCandidates(hiddenSize / headDim, adapter),
    ...layerNormCandidates(hiddenSize),
  ].map(({ kernel, constants, grid }) => {
    const how = kernels[kernel].source + JSON.stringify({ constants, grid });
    return `${kernel} ${crc32(new TextEncoder().encode(how)).toString(16)}`;
  });

/**
 * Measures which kernels are fastest on this adapter. Linear layers are timed with the smallest shape of the encoder, for 77
 * rows and for 2; both kernels come from one family. It takes some hundred milliseconds on a GPU besides compiling, and
 * seconds on a CPU that stands in for one. An encoder narrower than 256 is not worth measuring and gets the plain kernels.
 */
export async function tuneKernels(
  adapter: TunedAdapter & { readonly device: GPUDevice },
  { hiddenSize }: Pick<ClipTextConfig, 'hiddenSize'>,
): Promise<KernelTuning> {
  const { device, support } = adapter;
  const among = suits(adapter, hiddenSize);
  const plain = { attention: attentionKernels[0], layerNormLanes: layerNormLanes[0] };
  const unmeasured = { adapter: adapter.description, hiddenSize, among: named(among, adapter, hiddenSize), ...plain };
  if (hiddenSize < 256) return { ...unmeasured, kernel: 'matmul', few: 'matmul' };
  const matmuls = (M: number, kernels: readonly MatmulKernel[], runs: number) =>
    timeMatmuls(device, support, { M, K: hiddenSize, N: hiddenSize }, { kernels, runs });
  const many = await matmuls(
    tokens,
    among.filter((kernel) => kernel !== 'matmul_few'),
    3,
  );
  // Short measurements are disturbed more, hence 8 runs. A kernel that was wrong for many rows is not trusted with few.
  const few = await matmuls(
    fewRows,
    among.filter((kernel) => kernel === 'matmul_few' || many.has(kernel)),
    8,
  );
  const families = Object.values(matmulFamilies).flatMap((family: readonly MatmulKernel[]) => {
    const [forMany, forFew] = [many, few].map((times) => [...times].filter(([kernel]) => family.includes(kernel)));
    if (forMany.length === 0 || forFew.length === 0) return [];
    const [[kernel, manyTake], [fewer, fewTake]] = [fastest(forMany), fastest(forFew)];
    return [{ kernel, few: fewer, milliseconds: manyTake + fewTake }];
  });
  const { milliseconds: _, ...best } = families.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
  const [attention] = fastest(await timeAttention(adapter, hiddenSize));
  if (adapter.software) return { ...unmeasured, ...best, attention };
  const [lanes] = fastest(await timeLayerNorm(device, hiddenSize));
  return { ...unmeasured, ...best, attention, layerNormLanes: lanes };
}

/** The tuning for this adapter and width in `stored`, which may hold anything; undefined if there is none. */
export function rememberedTuning(
  stored: unknown,
  adapter: TunedAdapter,
  { hiddenSize }: Pick<ClipTextConfig, 'hiddenSize'>,
): KernelTuning | undefined {
  const among = suits(adapter, hiddenSize);
  const amongNow = String(named(among, adapter, hiddenSize));
  const isOurs = (tuning: Partial<KernelTuning> | null): tuning is KernelTuning =>
    tuning?.adapter === adapter.description &&
    tuning.hiddenSize === hiddenSize &&
    String(tuning.among) === amongNow &&
    Object.values(matmulFamilies).some((family: readonly MatmulKernel[]) =>
      [tuning.kernel, tuning.few].every((chosen) =>
        family.some((kernel) => kernel === chosen && among.includes(kernel)),
      ),
    ) &&
    attentionKernels.some((kernel) => kernel === tuning.attention) &&
    layerNormLanes.some((lanes) => lanes === tuning.layerNormLanes);
  return Array.isArray(stored) ? stored.find(isOurs) : undefined;
}
