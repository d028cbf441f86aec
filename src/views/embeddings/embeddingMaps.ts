import { quickselect } from 'd3-array';

/** [L] Euclidean norm of each row of [L, d]. */
export function rowNorms(values: Float32Array, d: number): number[] {
  return Array.from({ length: values.length / d }, (_, row) => {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += values[row * d + c] ** 2;
    return Math.sqrt(sum);
  });
}

/** a − b, elementwise. */
export function difference(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value - b[i]);
}

/**
 * How far a colour scale about 0 reaches: the magnitude that 99.5 % of the values keep within. A few of CLIP's
 * dimensions are tens of times larger than all others, and to their measure the rest would be blank.
 */
export function reach(values: Float32Array): { readonly reach: number; readonly largest: number } {
  const magnitudes = values.map(Math.abs);
  const rank = Math.floor((magnitudes.length - 1) * 0.995);
  quickselect(magnitudes, rank);
  return { reach: magnitudes[rank], largest: magnitudes.subarray(rank).reduce((a, b) => Math.max(a, b)) };
}
