/** `clipscope/engine` in browsers and workers: the text encoder, on WebGPU or in WebAssembly with a worker a core. */
import type { WeightSource } from '../clip/weights.ts';
import { spawnWorker } from '../cpu/workerThreads.ts';
import { requestGpuDevice } from '../gpu/device.ts';
import { createGpuEncoder } from '../gpu/gpuEncoder.ts';
import { chooseKernels } from '../gpu/tuning.ts';
import { cpuEngine } from '../worker/engines.ts';
import { type ClipEncoder, type EncoderOptions, encoderMaker } from './packagedEncoder.ts';

export type { ClipTextConfig } from '../clip/config.ts';
export type { EncoderOutput, EncoderPass } from '../clip/encoderPass.ts';
export type { WeightSource } from '../clip/weights.ts';
export { CpuError } from '../cpu/cpuError.ts';
export { CpuUnavailableError } from '../cpu/kernels.ts';
export type { EngineInfo, EngineName } from '../engine/engineChoice.ts';
export { WebGpuUnavailableError } from '../gpu/device.ts';
export { GpuError } from '../gpu/gpuError.ts';
export type { ClipEncoder, EncoderLora, EncoderOptions, EncodeWant } from './packagedEncoder.ts';

// There may be no navigator where a server imports this, only to hand it on.
const own: Partial<Navigator> = globalThis.navigator ?? {};

const make = encoderMaker({
  findGpu: () => requestGpuDevice(own.gpu),
  onGpu: async (gpu, source, options) =>
    createGpuEncoder(gpu.device, source, { ...options, choice: await chooseKernels(gpu, source.config) }),
  onCpu: cpuEngine(spawnWorker, own.hardwareConcurrency || 1),
});

/**
 * Loads a checkpoint's weights into an engine. Rejects with WebGpuUnavailableError, GpuError, CpuUnavailableError or CpuError,
 * with what reading the checkpoint throws, or with the signal's reason.
 */
export function createEncoder(checkpoint: WeightSource, options?: EncoderOptions): Promise<ClipEncoder> {
  return make(checkpoint, options);
}
