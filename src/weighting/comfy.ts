import type { EncoderPass } from '../clip/encoderPass.ts';
import { concatenate, distinct, isWeighted, type Method, type WeightedChunk, type ZOf } from './method.ts';

/**
 * eᵢ + (zᵢ − eᵢ) wᵢ, e the encoding of the empty prompt at the same place: [L·n, d]. What weighs 1 is left as it is.
 * The formula of ComfyUI and of Compel, and a part of those of ADV_CLIP_emb.
 */
export function fromEmpty(chunks: readonly WeightedChunk[], empty: EncoderPass, zOf: ZOf): Float64Array {
  return concatenate(
    chunks.map((chunk) => {
      const z = Float64Array.from(zOf(chunk.pass));
      if (!isWeighted(chunk)) return z;
      const weights = chunk.perTokenWeights;
      const e = zOf(empty);
      const d = z.length / weights.length;
      return z.map((value, i) => {
        const weight = weights[Math.floor(i / d)];
        return weight === 1 ? value : e[i] + (value - e[i]) * weight;
      });
    }),
  );
}

/** What `fromEmpty` reads: the empty prompt only where something weighs other than 1. */
export function fromEmptyPasses(chunks: readonly WeightedChunk[], empty: EncoderPass): EncoderPass[] {
  return [...chunks.map(({ pass }) => pass), ...(chunks.some(isWeighted) ? [empty] : [])];
}

/**
 * ComfyUI (`encode_token_weights` of comfy/sd1_clip.py), and "comfy" of ADV_CLIP_emb: each row moves from the empty
 * prompt's, e + (z − e) w. A weight of 0 is the empty prompt at that place, a negative one the far side of it; an infinite
 * one, or NaN, makes the row infinite or NaN, as there.
 */
export const comfy: Method = {
  passes: ({ chunks, empty }) => distinct(fromEmptyPasses(chunks, empty)),
  combine: ({ chunks, empty }, zOf) => Float32Array.from(fromEmpty(chunks, empty, zOf)),
};
