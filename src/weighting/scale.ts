/** Eq. (14): z'ᵢ = wᵢ zᵢ. z, result [L, d]; weights [L]. A1111's "No norm". */
export function scale(z: Float32Array, weights: Float64Array, d: number): Float32Array {
  return z.map((value, i) => value * weights[Math.floor(i / d)]);
}
