import type { WeightSource } from '../clip/weights.ts';
import { createCpuEncoder } from '../cpu/cpuEncoder.ts';
import { ThreadStartError } from '../cpu/cpuError.ts';
import { usefulThreads } from '../cpu/division.ts';
import { CpuUnavailableError, compileKernels } from '../cpu/kernels.ts';
import type { SpawnThread } from '../cpu/remoteShare.ts';
import type { Encoder } from '../engine/encoder.ts';
import type { EngineChoice, EngineInfo } from '../engine/engineChoice.ts';
import { type GpuDevice, WebGpuUnavailableError } from '../gpu/device.ts';
import { GpuError } from '../gpu/gpuError.ts';

interface LoadOptions {
  readonly signal?: AbortSignal;
  /** Hears of bytes. */
  readonly onProgress?: (done: number, total: number) => void;
}

interface CpuOptions extends LoadOptions {
  readonly threads?: number;
  /** Hears why a thread ended, as createCpuEncoder's does. */
  readonly onLost?: (reason: string) => void;
}

/** An encoder on the CPU, and what runs it. */
export interface CpuRun {
  readonly encoder: Encoder;
  readonly threads: number;
  /** Whether multiply-add is left to the processor (relaxed SIMD). */
  readonly relaxed: boolean;
  /** Whether more threads were tried, and one of them could not be started. */
  readonly lacksThreads: boolean;
}

/** The engines there are to load an encoder on. */
export interface Engines {
  /** Rejects with WebGpuUnavailableError. */
  findGpu(): Promise<GpuDevice>;
  /** Rejects with GpuError where the GPU is not up to it, with WebGpuUnavailableError where it goes away, and as onCpu does. */
  onGpu(gpu: GpuDevice, source: WeightSource, options: LoadOptions): Promise<Encoder>;
  /** Rejects with the engine's error, with what the source throws, or with the signal's reason. */
  onCpu(source: WeightSource, options: CpuOptions): Promise<CpuRun>;
}

/**
 * Returns a function that loads encoders on the CPU, with as many threads as are asked for and worth it, but at most one a core;
 * with one where the others cannot be started.
 */
export const cpuEngine =
  (spawn: SpawnThread, cores: number): Engines['onCpu'] =>
  async (source, { threads: wanted = cores, ...options }) => {
    const threads = usefulThreads(source.config, Math.min(wanted, cores));
    const { relaxed } = await compileKernels();
    const load = (threads: number) => createCpuEncoder(source, { ...options, spawn, threads });
    try {
      return { encoder: await load(threads), threads, relaxed, lacksThreads: false };
    } catch (error) {
      if (!(error instanceof ThreadStartError)) throw error;
      return { encoder: await load(1), threads: 1, relaxed, lacksThreads: true };
    }
  };

export interface ChosenEncoder {
  readonly encoder: Encoder;
  readonly engine: EngineInfo;
  /** The device of an encoder on a GPU; null on the CPU. */
  readonly gpu: GpuDevice | null;
}

/** The clause that says why a GPU was not taken; undefined for an error that no other engine helps against. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof WebGpuUnavailableError) return error.reason;
  return error instanceof GpuError ? error.message.replace(/\.$/, '') : undefined;
}

/** The sentence that says why the encoder runs on the CPU, or with one thread; null where that was the choice. */
function whyOnCpu(reason: string | undefined, lacksThreads: boolean, count: string): string | null {
  if (reason === undefined && !lacksThreads) return null;
  const threads = reason === undefined ? 'Further threads' : `${reason}, and further threads`;
  return `${lacksThreads ? `${threads} could not be started here` : reason}, so the encoder runs on the CPU with ${count}.`;
}

/**
 * Loads an encoder on the engine that was chosen. `automatic` takes a hardware GPU, and where there is none, or the GPU is not up
 * to it, the CPU; a processor in the place of a GPU only where WebAssembly is missing. A GPU is not timed against the CPU first:
 * even where it were no faster, it leaves all cores to the page. Rejects as the engines do.
 */
export async function chooseEncoder(
  source: WeightSource,
  { engine, threads }: EngineChoice,
  { findGpu, onGpu, onCpu }: Engines,
  options: LoadOptions,
): Promise<ChosenEncoder> {
  const takeGpu = async (gpu: GpuDevice, why: string | null): Promise<ChosenEncoder> => {
    const { description, software } = gpu;
    return {
      encoder: await onGpu(gpu, source, options),
      gpu,
      engine: { engine: 'webgpu', description, threads: null, software, why },
    };
  };
  let softwareGpu: GpuDevice | undefined;
  let reason: string | undefined;
  if (engine !== 'cpu')
    try {
      const gpu = await findGpu();
      if (engine === 'webgpu' || !gpu.software) return await takeGpu(gpu, null);
      softwareGpu = gpu;
      reason = `The only WebGPU adapter here is ${gpu.description}, a processor in the place of a GPU`;
    } catch (error) {
      reason = reasonOf(error);
      if (engine === 'webgpu' || reason === undefined) throw error;
    }
  let run: CpuRun;
  try {
    run = await onCpu(source, { ...options, ...(threads !== null && { threads }) });
  } catch (error) {
    if (!softwareGpu || !(error instanceof CpuUnavailableError)) throw error;
    const { description } = softwareGpu;
    const why = `${error.reason}, so the encoder runs on ${description}, a processor in the place of a GPU.`;
    return takeGpu(softwareGpu, why);
  }
  const count = run.threads === 1 ? '1 thread' : `${run.threads} threads`;
  return {
    encoder: run.encoder,
    gpu: null,
    engine: {
      engine: 'cpu',
      description: `CPU, ${count}, ${run.relaxed ? 'relaxed SIMD' : 'SIMD'}`,
      threads: run.threads,
      software: true,
      why: whyOnCpu(reason, run.lacksThreads, count),
    },
  };
}
