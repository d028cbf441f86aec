import { fromEmpty, fromEmptyPasses } from './comfy.ts';
import { type Downweighted, distinct, type Method, type WeightedChunk, weightedSum } from './method.ts';

/**
 * λ = tan((1 − w) π/2), w at least 1e-5: what the prompt without a fragment of weight w < 1 counts against the whole
 * prompt's 1. 0.5 → 1, half and half; 0.25 → 2.4; 0 and below → 63662.
 */
export function downweightFactor(weight: number): number {
  return Math.tan(((1 - Math.max(1e-5, weight)) * Math.PI) / 2);
}

/**
 * Compel 2.4 (`get_embeddings_for_weighted_prompt_fragments`). With E(z, w) = e + (z − e) w, e the empty prompt:
 *
 *   (E₀ + Σ λₖ Bₖ) / (1 + Σ λₖ)    over the fragments k that weigh less than 1
 *
 * E₀ is E of the whole prompt by all its weights, those below 1 too; Bₖ is E of the prompt without fragment k, by the same
 * weights; λₖ `downweightFactor`. Without such fragments it is E₀. NaN is not less than 1.
 *
 * Compel stops where removal changes the number of chunks; here the shorter conditioning is completed with e.
 */
function compel(without: (fragment: Downweighted) => readonly WeightedChunk[]): Method {
  return {
    passes: ({ chunks, empty, downweighted }) =>
      distinct([chunks, ...downweighted.map(without)].flatMap((version) => fromEmptyPasses(version, empty))),
    combine: ({ chunks, empty, downweighted }, zOf) => {
      const factors = [1, ...downweighted.map(({ weight }) => downweightFactor(weight))];
      const total = factors.reduce((sum, factor) => sum + factor, 0);
      const versions = [chunks, ...downweighted.map(without)].map((version) => fromEmpty(version, empty, zOf));
      const length = Math.max(...versions.map((z) => z.length));
      const terms = versions.map((z, k) => ({
        factor: factors[k] / total,
        z: z.length < length ? padded(z, length, zOf(empty)) : z,
      }));
      return Float32Array.from(weightedSum(terms));
    },
  };
}

/** Compel, the default: Bₖ is encoded with fragment k masked as keys, everything in its place. */
export const compelMask = compel(({ masked }) => masked);

/** Compel's `DownweightMode.REMOVE`: Bₖ is encoded with fragment k cut out, what follows moved up, and no mask at all. */
export const compelRemove = compel(({ removed }) => removed);

/** z [·, d] with the rows of `empty` [L, d] under it, again and again, to `length` elements. */
export function padded(z: ArrayLike<number>, length: number, empty: ArrayLike<number>): Float64Array {
  const out = new Float64Array(length);
  out.set(z);
  for (let i = z.length; i < length; i++) out[i] = empty[(i - z.length) % empty.length];
  return out;
}
