import { requestGpuDevice } from '../../../src/gpu/device.ts';
import { createGpuEncoder } from '../../../src/gpu/gpuEncoder.ts';
import { chooseKernels } from '../../../src/gpu/tuning.ts';
import { passOf } from './clipscope.mjs';

export { prepare } from './clipscope.mjs';

/** Loads the encoder like the page's worker: it requests a device, chooses the kernels, and creates the encoder. */
export async function load(source) {
  const gpu = await requestGpuDevice(navigator.gpu);
  return passOf(await createGpuEncoder(gpu.device, source, { choice: await chooseKernels(gpu, source.config) }));
}
