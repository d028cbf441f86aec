import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput } from '../clip/encoderPass.ts';
import { layerNorm } from '../clip/reference.ts';

/**
 * How many layers' outputs from the end a conditioning is taken, as A1111 counts ("Clip skip", CLIP_stop_at_last_layers):
 * 1 is the last, which is no skip; 2 leaves one layer out. From 1 to N + 1, where nothing but the embeddings is left. Diffusers
 * counts the layers that are left out: its `clip_skip=1` is 2 here.
 */
export type ClipSkip = number;

/** The index of hidden_states[−k] among the N + 1. */
export const clipSkipState = (k: ClipSkip, { numHiddenLayers: N }: Pick<ClipTextConfig, 'numHiddenLayers'>): number =>
  N + 1 - k;

/** Indices for `EncoderWant.hiddenStates`: that of hidden_states[−k] among the N + 1, or none for the last layer. */
export function clipSkipHiddenStates(k: ClipSkip, config: ClipTextConfig): number[] {
  const { numHiddenLayers: N } = config;
  if (!Number.isInteger(k) || k < 1 || k > N + 1)
    throw new RangeError(`Clip skip is a whole number from 1 to ${N + 1} with this encoder, not ${k}.`);
  return k === 1 ? [] : [clipSkipState(k, config)];
}

/**
 * Returns the z [L, d] that methods weigh: the encoder's output if k is 1, else final_layer_norm(hidden_states[−k]), as
 * A1111 and Diffusers do for SD 1.x; Compel's PENULTIMATE_HIDDEN_STATES_NORMALIZED is k = 2. `finalLayerNorm` is
 * [d] each. Throws RangeError if that hidden state was not asked of the encoder.
 */
export function clipSkip(
  output: EncoderOutput,
  k: ClipSkip,
  config: ClipTextConfig,
  finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array },
): Float32Array {
  const [index] = clipSkipHiddenStates(k, config);
  if (index === undefined) return output.lastHiddenState;
  const hidden = output.hiddenStates.get(index);
  if (!hidden) throw new RangeError(`Clip skip ${k} needs hidden state ${index}, which was not asked of the encoder.`);
  const [x, weight, bias] = [hidden, finalLayerNorm.weight, finalLayerNorm.bias].map((a) => Float64Array.from(a));
  return Float32Array.from(layerNorm(x, weight, bias, config.layerNormEps));
}
