import { eosTokenId } from '../tokens/clipVocabulary.ts';
import type { EncoderPass } from './encoderPass.ts';

/**
 * Names the choices of which keys a query may attend to. `causal` is what Stable Diffusion 1.5 runs: nothing but the causal mask. `hf` adds
 * transformers' attention_mask, which hides the padding but not the EOS. `lecture` hides every id that equals PAD
 * (eq. 10, 56, 57); since PAD is EOS, the true EOS too. `none` hides nothing.
 */
export const maskModes = ['causal', 'hf', 'lecture', 'none'] as const;
export type MaskMode = (typeof maskModes)[number];

/** The causal mask (eq. 55): [L, L], 1 where key j ≤ query i. The lecture writes j < i, by which the first row sees nothing. */
export function causalMask(L: number): Uint8Array {
  const mask = new Uint8Array(L * L);
  for (let i = 0; i < L; i++) mask.fill(1, i * L, i * L + i + 1);
  return mask;
}

/**
 * The PAD mask (eq. 8–10): [L], 1 where the token may be seen as a key. `eos` is where the prompt ends, by default the first EOS id: a prompt
 * that spells out `<|endoftext|>` has an earlier one, which `hf` does not take for the end.
 */
export function padMask(inputIds: Uint32Array, mode: MaskMode, eos = inputIds.indexOf(eosTokenId)): Uint8Array {
  const mask = new Uint8Array(inputIds.length).fill(1);
  switch (mode) {
    case 'causal':
    case 'none':
      return mask;
    case 'hf':
      return eos < 0 ? mask : mask.fill(0, eos + 1);
    case 'lecture':
      inputIds.forEach((id, i) => {
        if (id === eosTokenId) mask[i] = 0;
      });
      return mask;
    default:
      return mode satisfies never;
  }
}

/** The product of both masks (eq. 56, 57): [L, L], 1 where query i sees key j. */
export function attentionMask(pass: EncoderPass): Uint8Array {
  const L = pass.inputIds.length;
  const mask = pass.causal ? causalMask(L) : new Uint8Array(L * L).fill(1);
  for (let i = 0; i < L; i++) for (let j = 0; j < L; j++) mask[i * L + j] *= pass.keyMask[j];
  return mask;
}

/** The encoder's input for one row of ids under a mask; `eos` as for `padMask`. */
export function encoderPass(inputIds: Uint32Array, mode: MaskMode, eos?: number): EncoderPass {
  return { inputIds, causal: mode !== 'none', keyMask: padMask(inputIds, mode, eos) };
}
