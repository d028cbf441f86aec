/**
 * mean(z) / mean(z') over all L·d elements, in float64, z' = wᵢ zᵢ. z [L, d], weights [L]. Exactly 1 where all weights
 * are 1. Negative where the weights turn the sign of the mean, huge where mean(z') is near 0; ±Infinity where it is 0,
 * NaN where both means are, as in the original: a caller that shows or uses the result checks it.
 */
export function meanRatio(z: Float32Array, weights: Float64Array, d: number): number {
  let before = 0;
  let after = 0;
  for (let i = 0; i < weights.length; i++)
    for (let c = 0; c < d; c++) {
      before += z[i * d + c];
      after += weights[i] * z[i * d + c];
    }
  return before / after;
}

/**
 * A1111's "Original": z'' = wᵢ zᵢ · mean(z) / mean(z'), one mean over the whole chunk. z, result [L, d]; weights [L].
 * Where `meanRatio` is not finite, neither is the result.
 */
export function a1111Original(z: Float32Array, weights: Float64Array, d: number): Float32Array {
  const ratio = meanRatio(z, weights, d);
  return z.map((value, i) => value * weights[Math.floor(i / d)] * ratio);
}
