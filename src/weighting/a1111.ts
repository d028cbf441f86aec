import type { EncoderPass } from '../clip/encoderPass.ts';
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

/** The same with one mean over several chunks. */
export function sharedMeanRatio(
  rows: readonly { readonly z: Float32Array; readonly weights: Float64Array }[],
  d: number,
): number {
  return meansOf(rows.map(({ z, weights }) => ({ sums: rowSums(z, d), weights }))).ratio;
}

/** [L] What the elements of each row come to, in float64: all of z [L, d] that a mean needs. */
function rowSums(z: Float32Array, d: number): Float64Array {
  const sums = new Float64Array(z.length / d);
  for (let i = 0; i < sums.length; i++) for (let c = 0; c < d; c++) sums[i] += z[i * d + c];
  return sums;
}

/** The row sums of a pass's output. */
export type RowSumsOf = (pass: EncoderPass) => Float64Array;

export function rowSumsOf(zOf: ZOf): RowSumsOf {
  return (pass) => {
    const z = zOf(pass);
    return rowSums(z, z.length / pass.inputIds.length);
  };
}

export interface Means {
  /** Σ z and Σ z' over all elements, of which the means are the same part. */
  readonly before: number;
  readonly after: number;
  /** As `meanRatio`. */
  readonly ratio: number;
}

function meansOf(rows: readonly { readonly sums: Float64Array; readonly weights: Float64Array }[]): Means {
  let before = 0;
  let after = 0;
  for (const { sums, weights } of rows)
    for (let i = 0; i < weights.length; i++) {
      before += sums[i];
      const weighted = weights[i] * sums[i];
      // An infinite weight makes elements of both signs infinite, which have no sum.
      after += Number.isFinite(weighted) ? weighted : Number.NaN;
    }
  const isBare = rows.every(({ weights }) => weights.every((weight) => weight === 1));
  return { before, after, ratio: isBare ? 1 : before / after };
}

/** The means of some chunks together. */
export function sharedMeans(chunks: readonly WeightedChunk[], sumsOf: RowSumsOf): Means {
  return meansOf(chunks.map(({ pass, perTokenWeights }) => ({ sums: sumsOf(pass), weights: perTokenWeights })));
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
  return batchMeans(prompt, rowSumsOf(zOf)).map(({ ratio }) => ratio);
}

/** [n] The means behind them: those of the prompt's own chunk alone where nothing that shares its mean is weighted. */
export function batchMeans(prompt: WeightedPrompt, sumsOf: RowSumsOf): Means[] {
  return sharedMeanRows(prompt).map((rows) => sharedMeans(rows.some(isWeighted) ? rows : rows.slice(0, 1), sumsOf));
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
