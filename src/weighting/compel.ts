import { fromEmpty, fromEmptyPasses } from './comfy.ts';
import { distinct, type Method, type WeightedChunk, type WeightedPrompt, weightedSum } from './method.ts';

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
function compel(way: RemovalWay): Method {
  return {
    passes: (prompt) =>
      distinct(compelVersions(prompt, way).flatMap(({ chunks }) => fromEmptyPasses(chunks, prompt.empty))),
    combine: (prompt, zOf) => {
      const { empty } = prompt;
      const versions = compelVersions(prompt, way).map(({ share, chunks }) => ({
        factor: share,
        z: fromEmpty(chunks, empty, zOf),
      }));
      const length = Math.max(...versions.map(({ z }) => z.length));
      const terms = versions.map(({ factor, z }) => ({
        factor,
        z: z.length < length ? padded(z, length, zOf(empty)) : z,
      }));
      return Float32Array.from(weightedSum(terms));
    },
  };
}

/** How a fragment that weighs less than 1 is taken out of the prompt. */
export type RemovalWay = 'masked' | 'removed';

/** E₀ or Bₖ before it is moved from the empty prompt. */
export interface CompelVersion {
  /** 1 or λₖ. */
  readonly factor: number;
  /** The factor over the sum of all: what the version counts in the result. */
  readonly share: number;
  readonly chunks: readonly WeightedChunk[];
}

/** The whole prompt, then the prompt without each of the fragments that weigh less than 1. */
export function compelVersions({ chunks, downweighted }: WeightedPrompt, way: RemovalWay): CompelVersion[] {
  const versions = [
    { factor: 1, chunks },
    ...downweighted.map((fragment) => ({ factor: downweightFactor(fragment.weight), chunks: fragment[way] })),
  ];
  const total = versions.reduce((sum, { factor }) => sum + factor, 0);
  return versions.map((version) => ({ ...version, share: version.factor / total }));
}

/** Compel, the default: Bₖ is encoded with fragment k masked as keys, everything in its place. */
export const compelMask = compel('masked');

/** Compel's `DownweightMode.REMOVE`: Bₖ is encoded with fragment k cut out, what follows moved up, and no mask at all. */
export const compelRemove = compel('removed');

/** z [·, d] with the rows of `empty` [L, d] under it, again and again, to `length` elements. */
export function padded(z: ArrayLike<number>, length: number, empty: ArrayLike<number>): Float64Array {
  const out = new Float64Array(length);
  out.set(z);
  for (let i = z.length; i < length; i++) out[i] = empty[(i - z.length) % empty.length];
  return out;
}
