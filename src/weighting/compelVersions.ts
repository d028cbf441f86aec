import { maskedRows, type Term, type Version, type WeightedPrompt } from './method.ts';
import { number, subscript } from './wording.ts';

/**
 * λ = tan((1 − w) π/2), w at least 1e-5: the factor of the prompt without a fragment of weight w < 1, against 1 of the whole
 * prompt. 0.5 → 1, half and half; 0.25 → 2.4; 0 and below → 63662.
 */
export function downweightFactor(weight: number): number {
  return Math.tan(((1 - Math.max(1e-5, weight)) * Math.PI) / 2);
}

/** A way to take a fragment that weighs less than 1 out of the prompt. */
export type RemovalWay = 'masked' | 'removed';

/** The formula of both of Compel's methods. */
export const compelFormula = 'z′ = (E₀ + Σ λₖ Bₖ) / (1 + Σ λₖ),  E₀ and Bₖ = e + w · (z − e)';

/**
 * Compel 2.4 (`get_embeddings_for_weighted_prompt_fragments`): (E₀ + Σ λₖ Bₖ) / (1 + Σ λₖ) over the fragments k that weigh
 * less than 1. E₀ is the whole prompt moved from the empty one by all its weights, those below 1 too; Bₖ is the prompt
 * without fragment k, moved by the same weights. NaN is not less than 1.
 *
 * Compel stops where removal changes the number of chunks; here the shorter version is completed with the empty prompt.
 */
export function compelVersions(prompt: WeightedPrompt, way: RemovalWay): Version[] {
  const factors = [1, ...prompt.downweighted.map(({ weight }) => downweightFactor(weight))];
  const total = factors.reduce((sum, factor) => sum + factor, 0);
  return factors.map((factor, k): Version => {
    const share = factor / total;
    if (k === 0) {
      const describe = () => ({ symbol: 'E₀', meaning: 'the whole prompt', factor, without: [] });
      return { share, base: 'empty', chunks: prompt.chunks, describe };
    }
    const fragment = prompt.downweighted[k - 1];
    const describe = () => ({
      symbol: `B${subscript(k)}`,
      meaning: `the prompt with a fragment ${way} that weighs ${number(fragment.weight)}`,
      factor,
      without: maskedRows(prompt, fragment),
    });
    return {
      share,
      base: 'empty',
      // Made when it is asked for: a long prompt may have hundreds of light fragments.
      get chunks() {
        return fragment[way];
      },
      describe,
    };
  });
}

/** Lists λ of each light fragment, and their sum. */
export function lambdaTerms({ downweighted }: WeightedPrompt): Term[] {
  const lambdas = downweighted.map(
    ({ weight }, k): Term => ({
      symbol: `λ${subscript(k + 1)}`,
      meaning: `tan((1 − ${number(weight)}) · π / 2)`,
      value: downweightFactor(weight),
    }),
  );
  if (lambdas.length === 0) return [];
  const value = lambdas.reduce((sum, lambda) => sum + lambda.value, 0);
  return [...lambdas, { symbol: 'Σ λ', meaning: 'sum over all texts that weigh less than 1', value }];
}
