import { encoderPass } from '../../../src/clip/masks.ts';
import { expectedTensors } from '../../../src/clip/weights.ts';
import { requestGpuDevice } from '../../../src/gpu/device.ts';
import { createGpuEncoder } from '../../../src/gpu/gpuEncoder.ts';
import { chooseKernels } from '../../../src/gpu/tuning.ts';
import { bosTokenId, eosTokenId } from '../../../src/tokens/clipVocabulary.ts';

const want = { hiddenStates: [], attentions: false };
/** Position of the last of 20 tokens, after BOS. */
const last = 20;

/** Copies the source's tensors into memory, where a file's would be. */
export async function prepare(source) {
  const tensors = new Map();
  for (const name of expectedTensors(source.config).keys()) tensors.set(name, await source.read(name));
  return { ...source, read: async (name) => tensors.get(name) };
}

export function encoderOf(encoder) {
  const encode = (ids, options) => encoder.encode([encoderPass(ids, 'causal')], want, options);
  return {
    async pass({ ids }) {
      const { outputs, rows } = await encode(ids);
      if (rows !== ids.length) throw new Error(`Only ${rows} of ${ids.length} rows were computed.`);
      return outputs[0].lastHiddenState;
    },
    async edit({ ids }) {
      const prompt = ids.map((id, i) => (i > last ? eosTokenId : id));
      await encode(prompt);
      let upToEos;
      await encode(prompt.with(last, bosTokenId - 1), {
        onRows({ milliseconds, rows }) {
          upToEos = { milliseconds, rows };
        },
      });
      // The word itself and EOS.
      if (upToEos?.rows !== 2) throw new Error(`${upToEos?.rows ?? 'No'} rows were computed up to EOS, not 2.`);
      return upToEos.milliseconds / 1000;
    },
  };
}

/**
 * Loads the encoder like the page's worker: it requests a device, chooses the kernels, and creates the encoder.
 */
export async function load(source) {
  const gpu = await requestGpuDevice(navigator.gpu);
  const choice = await chooseKernels(gpu, source.config);
  return encoderOf(await createGpuEncoder(gpu.device, source, { choice }));
}
