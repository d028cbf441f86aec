/** Arithmetic on matrices of token rows: flat arrays, row-major. d is the width of a row. */
import type { Slices } from '../prompt/slices.ts';

/**
 * Moves each row from a base by its weight: base + (z − base) · w. z, base and result [L, d], weights [L]; a base of null
 * is zero, and the result w · z. A weight of 1 leaves its row as it is, to the bit. An infinite weight makes the row
 * infinite, and NaN where z is the base.
 */
export function moved(z: ArrayLike<number>, base: ArrayLike<number> | null, weights: ArrayLike<number>): Float64Array {
  const out = Float64Array.from(z);
  const d = out.length / weights.length;
  for (let row = 0; row < weights.length; row++) {
    const weight = weights[row];
    if (weight === 1) continue;
    for (let i = row * d; i < (row + 1) * d; i++)
      out[i] = base ? base[i] + (out[i] - base[i]) * weight : out[i] * weight;
  }
  return out;
}

/** Stacks rows under rows: [Lᵢ, d] each → [ΣLᵢ, d]. */
export function concatenate(parts: readonly ArrayLike<number>[]): Float64Array {
  const out = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Stacks the rows of n chunks, [L, d] each, in float32; a slice of the work is a chunk. */
export function* stackingRows(n: number, rowsOf: (at: number) => ArrayLike<number>): Slices<Float32Array> {
  const first = rowsOf(0);
  const out = new Float32Array(n * first.length);
  out.set(first);
  for (let at = 1; at < n; at++) {
    yield;
    out.set(rowsOf(at), at * first.length);
  }
  return out;
}

/** Adds up arrays of one length, each times its factor: Σ cᵢ zᵢ. */
export function weightedSum(
  terms: readonly { readonly factor: number; readonly z: ArrayLike<number> }[],
): Float64Array {
  const out = new Float64Array(terms[0].z.length);
  for (const { factor, z } of terms) for (let i = 0; i < out.length; i++) out[i] += factor * z[i];
  return out;
}

/** Completes z [·, d] to `length` elements with the rows of `empty` [L, d], again and again. */
export function padded(z: ArrayLike<number>, length: number, empty: ArrayLike<number>): Float64Array {
  const out = new Float64Array(length);
  out.set(z);
  for (let i = z.length; i < length; i++) out[i] = empty[(i - z.length) % empty.length];
  return out;
}
