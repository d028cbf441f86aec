import type { EncoderPass } from '../clip/encoderPass.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { applyMethod, methodPasses } from '../weighting/apply.ts';
import { distinct, type Method, type WeightedChunk, type WeightedPrompt, type ZOf } from '../weighting/method.ts';
import { concatenate, moved, padded, weightedSum } from '../weighting/rows.ts';

/** Prompts whose conditionings are added up; one prompt by a weight of 1 is itself. */
export interface Blend {
  readonly prompts: readonly WeightedPrompt[];
  /** [prompts] */
  readonly factors: readonly number[];
  /** Whether the factors are divided by their sum; a sum of 0 then leaves nothing finite, as in the original. */
  readonly normalise: boolean;
}

/** What Compel makes of several prompts: blends, joined along the tokens. */
export interface Composition {
  /** The conditioning of a part moves from that of the empty prompt by its weight: e + (c − e) w. */
  readonly parts: readonly { readonly blend: Blend; readonly weight: number }[];
  /** The prompt ''. */
  readonly empty: WeightedPrompt;
}

/** What the method has to have encoded; the empty prompt only for weights and for blends of unequal length. */
export function compositionPasses(method: Method, { parts, empty }: Composition): EncoderPass[] {
  const needsEmpty = parts.some(
    ({ blend, weight }) => weight !== 1 || new Set(blend.prompts.map(({ chunks }) => chunks.length)).size > 1,
  );
  const prompts = [...parts.flatMap(({ blend }) => blend.prompts), ...(needsEmpty ? [empty] : [])];
  return distinct(prompts.flatMap((prompt) => methodPasses(method, prompt)));
}

/**
 * Compel's `.blend()` (as 2.2.1 computes it; 2.3 and 2.4 raise an error) and `.and()`, by any method. In a blend
 * Σ cᵢ fᵢ shorter conditionings are completed with that of the empty prompt, as it is to the length of a part.
 */
export function compose(method: Method, { parts, empty }: Composition, zOf: ZOf): Float32Array {
  const conditionings = parts.map(({ blend, weight }) => {
    const blended = blendOf(method, blend, empty, zOf);
    if (weight === 1) return blended;
    return moved(blended, padded([], blended.length, applyMethod(method, empty, zOf)), [weight]);
  });
  return Float32Array.from(concatenate(conditionings));
}

function blendOf(
  method: Method,
  { prompts, factors, normalise }: Blend,
  empty: WeightedPrompt,
  zOf: ZOf,
): Float64Array {
  const conditionings = prompts.map((prompt) => applyMethod(method, prompt, zOf));
  const length = Math.max(...conditionings.map((z) => z.length));
  const total = normalise ? factors.reduce((sum, factor) => sum + factor, 0) : 1;
  return weightedSum(
    conditionings.map((z, i) => ({
      factor: factors[i] / total,
      z: z.length < length ? padded(z, length, applyMethod(method, empty, zOf)) : z,
    })),
  );
}

/**
 * Compel's COPY_FIRST_CLS_TOKEN: the first EOS row of the first chunk takes the place of that of every other chunk.
 * `embeds` [L·n, d] → the same.
 */
export function copyFirstEos(chunks: readonly WeightedChunk[], embeds: Float32Array): Float32Array {
  const out = embeds.slice();
  const L = chunks[0].pass.inputIds.length;
  const d = embeds.length / (L * chunks.length);
  const eosAt = chunks.map(({ pass }, i) => (i * L + pass.inputIds.indexOf(eosTokenId)) * d);
  for (const at of eosAt) out.set(embeds.subarray(eosAt[0], eosAt[0] + d), at);
  return out;
}
