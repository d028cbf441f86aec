import type { EncoderPass } from '../clip/encoderPass.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { applyMethod, weighing } from '../weighting/apply.ts';
import { type Method, passesRead, type WeightedPrompt, type ZOf } from '../weighting/method.ts';
import { concatenate, moved, padded, weightedSum } from '../weighting/rows.ts';

/** Prompts whose conditionings are added up; one prompt by a weight of 1 is itself. */
export interface Blend {
  readonly prompts: readonly WeightedPrompt[];
  /** [prompts] */
  readonly factors: readonly number[];
  /** Whether the factors are divided by their sum; a sum of 0 then leaves nothing finite, as in the original. */
  readonly normalise: boolean;
}

/**
 * The row at the first EOS of each chunk of a long prompt, after weighting: `own` keeps it. Compel 2.3 and later can replace
 * it with a copy of the first chunk's (COPY_FIRST_CLS_TOKEN) or with the mean over the chunks (MERGE_CLS_TOKENS).
 */
export const clsModes = ['own', 'COPY_FIRST_CLS_TOKEN', 'MERGE_CLS_TOKENS'] as const;
export type ClsMode = (typeof clsModes)[number];

/** Several prompts as Compel composes them: blends, joined along the tokens. */
export interface Composition {
  /** The conditioning of a part moves from that of the empty prompt by its weight: e + (c − e) w. */
  readonly parts: readonly { readonly blend: Blend; readonly weight: number }[];
  /** The prompt ''. */
  readonly empty: WeightedPrompt;
  /** `own` if missing: the program has no such choice. */
  readonly clsTokens?: ClsMode;
}

/** Lists the passes that `compose` reads; those of the empty prompt only for part weights and for blends of unequal length. */
export function compositionPasses(method: Method, composition: Composition): EncoderPass[] {
  return passesRead((zOf) => compose(method, composition, zOf));
}

/**
 * Compel's `.blend()` (as 2.2.1 computes it; 2.3 and 2.4 raise an error) and `.and()`, by any method. A blend
 * is Σ fᵢ cᵢ, with shorter conditionings completed with the empty prompt's. Returns the rows [77·n, d] of all parts in a row.
 */
export function compose(method: Method, composition: Composition, zOf: ZOf): Float32Array {
  const { parts, empty } = composition;
  const conditionings = parts.map(({ blend, weight }) => {
    const blended = blendOf(method, blend, composition, zOf);
    if (weight === 1) return blended;
    return moved(blended, padded([], blended.length, applyMethod(method, empty, zOf)), [weight]);
  });
  return Float32Array.from(concatenate(conditionings));
}

function blendOf(
  method: Method,
  { prompts, factors, normalise }: Blend,
  { empty, clsTokens = 'own' }: Composition,
  zOf: ZOf,
): Float64Array {
  const conditionings = prompts.map((prompt) =>
    withClsRows(method, prompt, clsTokens, applyMethod(method, prompt, zOf)),
  );
  const length = Math.max(...conditionings.map((z) => z.length));
  const total = normalise ? factors.reduce((sum, factor) => sum + factor, 0) : 1;
  return weightedSum(
    conditionings.map((z, i) => ({
      factor: factors[i] / total,
      z: z.length < length ? padded(z, length, applyMethod(method, empty, zOf)) : z,
    })),
  );
}

/** Replaces the rows at the first EOS of a prompt's chunks as `mode` says. Writes into `embeds` [L·n, d] and returns it. */
function withClsRows(method: Method, prompt: WeightedPrompt, mode: ClsMode, embeds: Float32Array): Float32Array {
  const { chunks, empty } = prompt;
  if (mode === 'own' || chunks.length === 1) return embeds;
  const L = empty.inputIds.length;
  const d = embeds.length / (L * weighing(method, prompt).n);
  const rows = chunks.map(({ pass }, i) => {
    const start = (i * L + pass.inputIds.indexOf(eosTokenId)) * d;
    return embeds.subarray(start, start + d);
  });
  const factor = 1 / rows.length;
  const shared = mode === 'MERGE_CLS_TOKENS' ? weightedSum(rows.map((z) => ({ factor, z }))) : rows[0].slice();
  for (const row of rows) row.set(shared);
  return embeds;
}
