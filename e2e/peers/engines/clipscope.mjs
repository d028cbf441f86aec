import { encoderPass } from '../../../src/clip/masks.ts';
import { expectedTensors } from '../../../src/clip/weights.ts';
import { bosTokenId, eosTokenId } from '../../../src/tokens/clipVocabulary.ts';

const want = { hiddenStates: [], attentions: false };
/** Position of the last of 20 tokens, after BOS. */
const last = 20;

/** Copies the source's tensors into memory, where a file's would be; each can be read once, and is gone then. */
export async function prepare(source) {
  const tensors = new Map();
  for (const name of expectedTensors(source.config).keys()) tensors.set(name, await source.read(name));
  return {
    ...source,
    async read(name) {
      const bytes = tensors.get(name);
      tensors.delete(name);
      return bytes;
    },
  };
}

/** @param {import('../../../src/engine/encoder.ts').Encoder} encoder */
export function passOf(encoder) {
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
        onRows(start) {
          upToEos = start;
        },
      });
      // The word itself and EOS.
      if (upToEos?.rows !== 2) throw new Error(`${upToEos?.rows ?? 'No'} rows were computed up to EOS, not 2.`);
      return upToEos.milliseconds / 1000;
    },
  };
}
