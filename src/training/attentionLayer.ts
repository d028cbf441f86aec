/** Softmax attention (eq. 32–34), forward and backward side by side. */

import { exp } from '../models/elementary.ts';
import type { Floats } from './products.ts';

/**
 * Sizes of an attention layer: B sequences of Lq queries, which look at Lk keys each, in h heads of dh columns. A query's row
 * is `queryStride` elements from the next, a key's and a value's `keyStride`, so that they may lie in one tensor [B, L, 3, h, dh].
 * With `causal`, query i looks at the keys 0 … i.
 */
export interface AttentionSizes {
  readonly B: number;
  readonly Lq: number;
  readonly Lk: number;
  readonly h: number;
  readonly headDim: number;
  readonly queryStride: number;
  readonly keyStride: number;
  readonly causal: boolean;
}

/** Queries, keys and values, or their gradients; each begins at its first row. */
export interface Heads {
  readonly q: Floats;
  readonly k: Floats;
  readonly v: Floats;
}

/** attended [B, Lq, h, dh], probabilities [B, h, Lq, Lk]: exact zeros where a query does not look. */
export function attention(attended: Floats, probabilities: Floats, { q, k, v }: Heads, sizes: AttentionSizes): void {
  const { B, Lq, Lk, h, headDim, queryStride, keyStride, causal } = sizes;
  const scale = 1 / Math.sqrt(headDim);
  const row = new Float64Array(Lk);
  const sums = new Float64Array(headDim);
  for (let b = 0; b < B; b++)
    for (let head = 0; head < h; head++)
      for (let i = 0; i < Lq; i++) {
        const query = (b * Lq + i) * queryStride + head * headDim;
        const keys = b * Lk * keyStride + head * headDim;
        const seen = causal ? Math.min(i + 1, Lk) : Lk;
        let largest = Number.NEGATIVE_INFINITY;
        for (let j = 0; j < seen; j++) {
          const key = keys + j * keyStride;
          let score = 0;
          for (let c = 0; c < headDim; c++) score += q[query + c] * k[key + c];
          row[j] = score * scale;
          if (row[j] > largest) largest = row[j];
        }
        let sum = 0;
        for (let j = 0; j < seen; j++) {
          row[j] = exp(row[j] - largest);
          sum += row[j];
        }
        const to = ((b * h + head) * Lq + i) * Lk;
        sums.fill(0);
        for (let j = 0; j < seen; j++) {
          const value = keys + j * keyStride;
          const probability = row[j] / sum;
          probabilities[to + j] = probability;
          for (let c = 0; c < headDim; c++) sums[c] += probability * v[value + c];
        }
        probabilities.fill(0, to + seen, to + Lk);
        attended.set(sums, ((b * Lq + i) * h + head) * headDim);
      }
}

/**
 * Writes dq, dk and dv, in the places that q, k and v have. dattended [B, Lq, h, dh]. With p the probabilities and dp their gradient:
 * ds = p (dp − Σ p dp) / √dh, dq = ds k, dk = dsᵀ q, dv = pᵀ dattended. What a loss of the probabilities themselves adds to dp is `dlooks`,
 * [B, h, Lq, Lk].
 */
export function attentionBackward(
  { q: dq, k: dk, v: dv }: Heads,
  dattended: Floats,
  probabilities: Floats,
  { q, k, v }: Heads,
  sizes: AttentionSizes,
  dlooks: Floats | null = null,
): void {
  const { B, Lq, Lk, h, headDim, queryStride, keyStride, causal } = sizes;
  const scale = 1 / Math.sqrt(headDim);
  const dscores = new Float64Array(Lk);
  const sums = new Float64Array(headDim);
  for (let b = 0; b < B; b++)
    for (let head = 0; head < h; head++) {
      const keys = b * Lk * keyStride + head * headDim;
      for (let j = 0; j < Lk; j++) {
        dk.fill(0, keys + j * keyStride, keys + j * keyStride + headDim);
        dv.fill(0, keys + j * keyStride, keys + j * keyStride + headDim);
      }
      for (let i = 0; i < Lq; i++) {
        const query = (b * Lq + i) * queryStride + head * headDim;
        const from = ((b * Lq + i) * h + head) * headDim;
        const row = ((b * h + head) * Lq + i) * Lk;
        const seen = causal ? Math.min(i + 1, Lk) : Lk;
        let mean = 0;
        for (let j = 0; j < seen; j++) {
          const value = keys + j * keyStride;
          let dprobability = dlooks?.[row + j] ?? 0;
          for (let c = 0; c < headDim; c++) {
            dprobability += dattended[from + c] * v[value + c];
            dv[value + c] += probabilities[row + j] * dattended[from + c];
          }
          dscores[j] = dprobability;
          mean += probabilities[row + j] * dprobability;
        }
        sums.fill(0);
        for (let j = 0; j < seen; j++) {
          const key = keys + j * keyStride;
          const dscore = probabilities[row + j] * (dscores[j] - mean) * scale;
          for (let c = 0; c < headDim; c++) {
            sums[c] += dscore * k[key + c];
            dk[key + c] += dscore * q[query + c];
          }
        }
        dq.set(sums, query);
      }
    }
}
