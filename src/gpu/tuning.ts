import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { crc32 } from '../files/crc32.ts';
import type { GpuDevice } from './device.ts';
import {
  attentionDispatch,
  attentionKernels,
  type KernelChoice,
  type KernelDispatch,
  type MatmulKernel,
  type MatmulShape,
  matmulDispatch,
  matmulKernels,
  plainKernels,
} from './dispatches.ts';
import { mapModeRead, usage } from './flags.ts';
import { bindWhole, createPipelines, dispatch, kernels, type Work } from './kernels.ts';

/** The fastest kernels of an adapter: plain data that can be stored as it is. */
export interface KernelTuning extends KernelChoice {
  readonly adapter: string;
  /** Checksum of the kernels that were compared and how they were dispatched. If it has changed, a tuning is out of date. */
  readonly compared: number;
}

const { hiddenSize, numAttentionHeads: heads, headDim, maxPositionEmbeddings: tokens } = clipVitL14;
/** Rows that the edit of a word of one token changes: the token and EOS. */
const fewRows = 2;

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

/** A kernel that agrees with the first of its candidates. */
interface TimedKernel {
  readonly kernel: string;
  readonly milliseconds: number;
  readonly result: Float32Array;
}

/**
 * Times the candidates, of each the fastest of `runs` after a warm-up. `data` is bound in order, the result last. The first
 * candidate judges the others: one that this driver does not compile, or computes wrongly, is left out.
 */
async function timeKernels(
  device: GPUDevice,
  candidates: readonly KernelDispatch[],
  data: readonly ArrayBufferView<ArrayBuffer>[],
  runs: number,
): Promise<TimedKernel[]> {
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
    candidates.map(async ({ kernel, constants, grid }, i) => {
      try {
        const pipeline = await pipelines(kernel, constants);
        return [{ kernel, work: { pipeline, bindGroup: bindWhole(device, pipeline, buffers), grid } }];
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
  const right = works
    .map((candidate, i) => ({ ...candidate, result: results[i] }))
    .filter(({ result }, i) => i === 0 || isNear(result, results[0]));
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
  // Candidates take turns, so that other work on the machine disturbs all of them alike, and all are repeated as often.
  let repeats = 1;
  for (;;) {
    let shortest = Number.POSITIVE_INFINITY;
    for (const { work } of right) shortest = Math.min(shortest, await time(work, repeats));
    if (shortest >= worthTiming || repeats >= mostRepeats) break;
    repeats *= 4;
  }
  const times = right.map(() => Number.POSITIVE_INFINITY);
  for (let run = 0; run < runs; run++)
    for (const [i, { work }] of right.entries()) times[i] = Math.min(times[i], (await time(work, repeats)) / repeats);
  for (const buffer of buffers) buffer.destroy();
  return right.map(({ kernel, result }, i) => ({ kernel, result, milliseconds: times[i] }));
}

const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

const matmulCandidates = (shape: MatmulShape) => matmulKernels.map((kernel) => matmulDispatch(kernel, shape, 'bias'));

/** Times a linear layer of F32 weights by each kernel that this device can run and whose result agrees with the first one's. */
export function timeMatmuls(device: GPUDevice, shape: MatmulShape, runs: number): Promise<TimedKernel[]> {
  const { M, K, N } = shape;
  const data = [numbers(M * K), numbers(N * K), numbers(N), numbers(N), numbers(M * N)];
  return timeKernels(device, matmulCandidates(shape), data, runs);
}

const attentionCandidates = () =>
  attentionKernels.map((kernel) =>
    attentionDispatch(kernel, { queries: tokens, L: tokens, heads, headDim, passes: 1 }),
  );

/** Times attention of a whole pass at full size, likewise. */
export function timeAttention(device: GPUDevice, runs: number): Promise<TimedKernel[]> {
  const causal = Uint32Array.from({ length: tokens ** 2 }, (_, at) => (at % tokens <= Math.floor(at / tokens) ? 1 : 0));
  const data = [
    numbers(tokens * 3 * hiddenSize),
    causal,
    Uint32Array.of(0, tokens, 0),
    numbers(heads * tokens ** 2),
    numbers(tokens * hiddenSize),
  ];
  return timeKernels(device, attentionCandidates(), data, runs);
}

type Timed = Pick<TimedKernel, 'kernel' | 'milliseconds'>;

/** The fastest of `names` that was timed, or else the first. */
function fastest<Name extends string>(names: readonly Name[], timed: readonly Timed[]): Name {
  const [best] = timed.toSorted((a, b) => a.milliseconds - b.milliseconds);
  return names.find((name) => name === best?.kernel) ?? names[0];
}

/**
 * The fastest kernel for linear layers, of those whose rows are to the bit the same among few as among many: rows that are kept
 * from one encode to the next rely on it. `few` begins with the rows of `many`.
 */
export function fastestMatmul(many: readonly TimedKernel[], few: readonly TimedKernel[]): MatmulKernel {
  const both = many.flatMap(({ kernel, milliseconds, result }): Timed[] => {
    const other = few.find((timed) => timed.kernel === kernel);
    if (!other?.result.every((value, i) => value === result[i])) return [];
    return [{ kernel, milliseconds: milliseconds + other.milliseconds }];
  });
  return fastest(matmulKernels, both);
}

/** The shapes of the smallest linear layer, with all rows of a pass and with few. */
const [manyShape, fewShape] = [tokens, fewRows].map((M): MatmulShape => ({ M, K: hiddenSize, N: hiddenSize }));

/** Checksum of all candidates: their sources and dispatches. */
export const compared = () =>
  crc32(
    new TextEncoder().encode(
      JSON.stringify(
        [...matmulCandidates(manyShape), ...matmulCandidates(fewShape), ...attentionCandidates()].map((candidate) => ({
          ...candidate,
          source: kernels[candidate.kernel].source,
        })),
      ),
    ),
  );

/** Measures which kernels are fastest on this adapter, at full size. It takes some hundred milliseconds on a GPU. */
export async function measureKernels({ device, description }: GpuDevice): Promise<KernelTuning> {
  const many = await timeMatmuls(device, manyShape, 3);
  // Short measurements are disturbed more, hence 8 runs.
  const few = await timeMatmuls(device, fewShape, 8);
  return {
    adapter: description,
    compared: compared(),
    matmul: fastestMatmul(many, few),
    attention: fastest(attentionKernels, await timeAttention(device, 3)),
  };
}

/**
 * Chooses the kernels of an encoder by `measure`. Nothing is measured on a CPU that stands in for a GPU, where the other kernels
 * take seconds to compile, nor for a small encoder, which is fast anyway: these get the plain kernels.
 */
export async function chooseKernels(
  gpu: GpuDevice,
  config: Pick<ClipTextConfig, 'hiddenSize'>,
  measure: (gpu: GpuDevice) => Promise<KernelChoice> = measureKernels,
): Promise<KernelChoice> {
  return gpu.software || config.hiddenSize < hiddenSize ? plainKernels : measure(gpu);
}

/** The tuning of this adapter in `stored`, which may hold anything; undefined if there is none. */
export function rememberedTuning(
  stored: unknown,
  { description }: Pick<GpuDevice, 'description'>,
): KernelTuning | undefined {
  const now = compared();
  const isOurs = (tuning: Partial<KernelTuning> | null): tuning is KernelTuning =>
    tuning?.adapter === description &&
    tuning.compared === now &&
    matmulKernels.some((kernel) => kernel === tuning.matmul) &&
    attentionKernels.some((kernel) => kernel === tuning.attention);
  return Array.isArray(stored) ? stored.find(isOurs) : undefined;
}
