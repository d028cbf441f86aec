/**
 * The dear parts of a training step: the matrix products, and the two layers of many exponentials or many small products. All else is
 * in layers.ts alone.
 */

import { type AttentionSizes, attention, attentionBackward, type Heads } from './attentionLayer.ts';
import { quickGelu, quickGeluBackward } from './layers.ts';
import { type Floats, float64Products, type Products } from './products.ts';

/**
 * Sizes of self-attention: sequences whose rows follow each other, with h heads of dh columns. Each looks at itself alone; with
 * `causal`, its row i at its rows 0 … i.
 */
export interface SelfAttentionSizes {
  /** [B], rows of each sequence, L_b. */
  readonly lengths: ArrayLike<number>;
  readonly h: number;
  readonly headDim: number;
  readonly causal: boolean;
}

export interface TrainingKernels extends Products {
  /** layers.ts says what it computes. */
  quickGelu(y: Floats, x: Floats, count: number): void;
  /** layers.ts says what it computes. */
  quickGeluBackward(dy: Floats, x: Floats, count: number): void;
  /**
   * Attention (eq. 32–34) with heads [Σ L_b, 3, h, dh], the queries, keys and values → attended [Σ L_b, h, dh], and the probabilities
   * [h, L_b, L_b] of each sequence, one after the other.
   */
  selfAttention(attended: Floats, probabilities: Floats, heads: Floats, sizes: SelfAttentionSizes): void;
  /** Writes dheads [Σ L_b, 3, h, dh]. dattended [Σ L_b, h, dh], and the probabilities that `selfAttention` wrote. */
  selfAttentionBackward(
    dheads: Floats,
    dattended: Floats,
    probabilities: Floats,
    heads: Floats,
    sizes: SelfAttentionSizes,
  ): void;
}

/** Views Q, K and V in a tensor [L, 3, h, dh]. */
function splitHeads(heads: Floats, d: number): Heads {
  return { q: heads, k: heads.subarray(d), v: heads.subarray(2 * d) };
}

/** Places of a sequence: its number of rows, its first row, and where its probabilities begin. */
export interface SequencePlace {
  readonly L: number;
  readonly row: number;
  readonly probabilities: number;
}

/** The places of sequences in the tensors of self-attention. */
export function sequencePlaces({ lengths, h }: SelfAttentionSizes): SequencePlace[] {
  let [row, probabilities] = [0, 0];
  return Array.from(lengths, (L) => {
    const place = { L, row, probabilities };
    row += L;
    probabilities += h * L * L;
    return place;
  });
}

function attentionSizes({ h, headDim, causal }: SelfAttentionSizes, L: number): AttentionSizes {
  const stride = 3 * h * headDim;
  return { B: 1, Lq: L, Lk: L, h, headDim, queryStride: stride, keyStride: stride, causal };
}

/** The plain loops of this room, on float64 arrays: the judge. */
export const float64Kernels: TrainingKernels = {
  ...float64Products,
  quickGelu,
  quickGeluBackward,
  selfAttention(attended, probabilities, heads, sizes) {
    const d = sizes.h * sizes.headDim;
    for (const { L, row, probabilities: at } of sequencePlaces(sizes))
      attention(
        attended.subarray(row * d),
        probabilities.subarray(at),
        splitHeads(heads.subarray(3 * row * d), d),
        attentionSizes(sizes, L),
      );
  },
  selfAttentionBackward(dheads, dattended, probabilities, heads, sizes) {
    const d = sizes.h * sizes.headDim;
    for (const { L, row, probabilities: at } of sequencePlaces(sizes))
      attentionBackward(
        splitHeads(dheads.subarray(3 * row * d), d),
        dattended.subarray(row * d),
        probabilities.subarray(at),
        splitHeads(heads.subarray(3 * row * d), d),
        attentionSizes(sizes, L),
      );
  },
};
