/**
 * `clipscope/engine` in Node, Deno and Bun: the text encoder in WebAssembly with a thread a core, or on WebGPU where the
 * surroundings have it or the package `webgpu` is installed.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { WeightSource } from '../clip/weights.ts';
import type { SpawnThread } from '../cpu/remoteShare.ts';
import { requestGpuDevice, WebGpuUnavailableError } from '../gpu/device.ts';
import { createGpuEncoder } from '../gpu/gpuEncoder.ts';
import { chooseKernels } from '../gpu/tuning.ts';
import { cpuEngine } from '../worker/engines.ts';
import { type ClipEncoder, type EncoderOptions, encoderMaker } from './packagedEncoder.ts';

export { CpuError } from '../cpu/cpuError.ts';
export { CpuUnavailableError } from '../cpu/kernels.ts';
export { GpuError } from '../gpu/gpuError.ts';
export { WebGpuUnavailableError };

const spawnThread: SpawnThread = () => {
  const worker = new Worker(new URL('./shareThread.js', import.meta.url));
  let hasEnded = false;
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(onMessage, onEnd) {
      worker.on('message', onMessage);
      worker.on('error', ({ message }) => onEnd(message));
      worker.on('exit', () => hasEnded || onEnd('it ended'));
    },
    end() {
      hasEnded = true;
      void worker.terminate();
    },
  };
};

/** Keeps Dawn's objects alive: it crashes when one is collected while its devices live. */
let dawn: GPU | undefined;

/** Finds WebGPU: that of the surroundings, or Dawn by the package `webgpu`. Throws WebGpuUnavailableError. */
async function findGpu() {
  const own = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (own) return requestGpuDevice(own);
  dawn ??= await import('webgpu').then(
    ({ create, globals }) => {
      Object.assign(globalThis, globals);
      return create([]);
    },
    (cause: unknown) => {
      throw new WebGpuUnavailableError('WebGPU is missing here', 'install the package "webgpu"', { cause });
    },
  );
  return requestGpuDevice(dawn);
}

const make = encoderMaker({
  findGpu,
  onGpu: async (gpu, source, options) =>
    createGpuEncoder(gpu.device, source, { ...options, choice: await chooseKernels(gpu, source.config) }),
  onCpu: cpuEngine(spawnThread, availableParallelism()),
});

/** Loads a checkpoint's weights into an engine, as the `createEncoder` of browsers does. */
export function createEncoder(checkpoint: WeightSource, options?: EncoderOptions): Promise<ClipEncoder> {
  return make(checkpoint, options);
}
