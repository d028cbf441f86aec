import { encoderPass } from '../../../src/clip/masks.ts';
import { expectedTensors } from '../../../src/clip/weights.ts';
import { requestGpuDevice } from '../../../src/gpu/device.ts';
import { createGpuEncoder } from '../../../src/gpu/gpuEncoder.ts';
import { tuneKernels } from '../../../src/gpu/tuning.ts';

/** Copies the source's tensors into memory, where a file's would be. */
export async function prepare(source) {
  const tensors = new Map();
  for (const name of expectedTensors(source.config).keys()) tensors.set(name, await source.read(name));
  return { ...source, read: async (name) => tensors.get(name) };
}

/**
 * Loads the encoder like the page's worker: it requests a device, measures which kernels are fastest, and creates the
 * encoder.
 */
export async function load(source) {
  const gpu = await requestGpuDevice(navigator.gpu);
  const tuning = await tuneKernels(gpu, source.config);
  const encoder = await createGpuEncoder(gpu.device, source, { choice: { ...tuning, support: gpu.support } });
  return async ({ ids }) => {
    const { outputs, rows } = await encoder.encode([encoderPass(ids, 'causal')], {
      hiddenStates: [],
      attentions: false,
    });
    if (rows !== ids.length) throw new Error(`Only ${rows} of ${ids.length} rows were computed.`);
    return outputs[0].lastHiddenState;
  };
}
