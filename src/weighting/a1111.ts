import {
  concatenate,
  distinct,
  filler,
  isWeighted,
  type Method,
  type WeightedChunk,
  type WeightedPrompt,
  type ZOf,
} from './method.ts';

/**
 * mean(z) / mean(z') over all L·d elements, in float64, z' = wᵢ zᵢ. z [L, d], weights [L]. Exactly 1 where all weights
 * are 1. Negative where the weights turn the sign of the mean, huge where mean(z') is near 0; ±Infinity where it is 0,
 * NaN where both means are, as in the original: a caller that shows or uses the result checks it.
 */
export function meanRatio(z: Float32Array, weights: Float64Array, d: number): number {
  return sharedMeanRatio([{ z, weights }], d);
}

/** A chunk as it is read for a mean: z [L, d], weights [L]. */
export interface WeighedOutput {
  readonly z: Float32Array;
  readonly weights: Float64Array;
}

/** The same with one mean over several chunks. */
export function sharedMeanRatio(rows: readonly WeighedOutput[], d: number): number {
  if (rows.every(({ weights }) => weights.every((weight) => weight === 1))) return 1;
  const { before, after } = sharedSums(rows, d);
  return before / after;
}

/** The sums of all elements of z and of z', over several chunks. */
export function sharedSums(
  rows: readonly WeighedOutput[],
  d: number,
): { readonly before: number; readonly after: number } {
  let before = 0;
  let after = 0;
  for (const { z, weights } of rows)
    for (let i = 0; i < weights.length; i++)
      for (let c = 0; c < d; c++) {
        before += z[i * d + c];
        after += weights[i] * z[i * d + c];
      }
  return { before, after };
}

/**
 * A1111's "Original": z'' = wᵢ zᵢ · mean(z) / mean(z'), one mean over the whole chunk. z, result [L, d]; weights [L].
 * Where `meanRatio` is not finite, neither is the result.
 */
export function a1111Original(z: Float32Array, weights: Float64Array, d: number): Float32Array {
  return scaleBy(z, weights, d, meanRatio(z, weights, d));
}

/** z''ᵢ = wᵢ zᵢ · ratio. z, result [L, d]; weights [L]. */
export function scaleBy(z: Float32Array, weights: Float64Array, d: number, ratio: number): Float32Array {
  return z.map((value, i) => value * weights[Math.floor(i / d)] * ratio);
}

/**
 * [n] The ratio by which "Original" (sd_emphasis.py of stable-diffusion-webui 1.10) restores the mean of each chunk. Chunk
 * i of all texts of the batch shares one mean; texts of fewer chunks are completed with empty ones, this prompt's own too.
 * As wild as `meanRatio` where the mean comes near 0.
 */
export function batchRatios(prompt: WeightedPrompt, zOf: ZOf): number[] {
  return sharedMeanRows(prompt).map((rows) => {
    if (!rows.some(isWeighted)) return 1;
    const read = weighedOutputs(rows, zOf);
    return sharedMeanRatio(read, read[0].z.length / read[0].weights.length);
  });
}

export function weighedOutputs(chunks: readonly WeightedChunk[], zOf: ZOf): WeighedOutput[] {
  return chunks.map(({ pass, perTokenWeights }) => ({ z: zOf(pass), weights: perTokenWeights }));
}

/** A1111's "Original", the default: z'' = wᵢ zᵢ · ratio, `batchRatios` chunk by chunk. */
export const original: Method = {
  passes: (prompt) =>
    distinct(
      sharedMeanRows(prompt).flatMap((rows) =>
        (rows.some(isWeighted) ? rows : rows.slice(0, 1)).map(({ pass }) => pass),
      ),
    ),
  combine: (prompt, zOf) => {
    const ratios = batchRatios(prompt, zOf);
    const rows = sharedMeanRows(prompt).map(([{ pass, perTokenWeights }], i) => {
      const z = zOf(pass);
      return scaleBy(z, perTokenWeights, z.length / perTokenWeights.length, ratios[i]);
    });
    return Float32Array.from(concatenate(rows));
  },
};

/** [n][texts] Chunk i of every text of the batch, the prompt's own first. */
export function sharedMeanRows(prompt: WeightedPrompt): WeightedChunk[][] {
  const texts = [prompt.chunks, ...(prompt.batch ?? [])];
  const completion = filler(prompt);
  const n = Math.max(...texts.map((text) => text.length));
  return Array.from({ length: n }, (_, i) => texts.map((text) => text[i] ?? completion));
}
