import type { WeightSource } from '../clip/weights.ts';
import { createEncoder, type Encoder } from '../engine/encoder.ts';
import { minSlots } from '../engine/encoderState.ts';
import { schedule } from '../engine/schedule.ts';
import { weightSpecs } from '../engine/weightReading.ts';
import { weightDtype } from './activations.ts';
import { type KernelChoice, stepDispatch } from './dispatches.ts';
import { createGpuBackend } from './gpuBackend.ts';
import { pipelinesOf } from './kernels.ts';
import { uploadWeights } from './upload.ts';

/**
 * Loads the weights onto the GPU and compiles the kernels. `device` stays the caller's. Rejects with what `source.read`
 * throws, with the signal's reason, or with GpuError; what was allocated by then is freed.
 */
export async function createGpuEncoder(
  device: GPUDevice,
  source: WeightSource,
  options: {
    readonly signal?: AbortSignal;
    /** Hears of bytes. */
    readonly onProgress?: (done: number, total: number) => void;
    readonly choice?: KernelChoice;
  } = {},
): Promise<Encoder> {
  const { config } = source;
  const { choice, signal, onProgress = () => {} } = options;
  const plan = schedule(config, minSlots, { slot: 0, passes: 1, first: 0, end: config.maxPositionEmbeddings });
  const specs = weightSpecs(source, plan);
  const upload = uploadWeights(device, source, specs, onProgress, signal);
  // Compiles what the first encode needs while the weights are read.
  const pipelines = pipelinesOf(device);
  const compiling = Promise.all(
    plan.steps.map((step) => {
      const { kernel, constants } = stepDispatch(step, plan, config, choice);
      return pipelines(kernel, constants, weightDtype(step, specs));
    }),
  );
  // Avoids an unhandled rejection where the upload fails first.
  compiling.catch(() => {});
  const { weights, ...read } = await upload;
  const encoder = createEncoder(await createGpuBackend(device, source, weights, choice), source, read);
  try {
    await compiling;
    signal?.throwIfAborted();
    return encoder;
  } catch (error) {
    encoder.destroy();
    throw error;
  }
}
