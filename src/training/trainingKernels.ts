/**
 * The dear parts of a training step: the matrix products, and the two layers of many exponentials or many small products. All else is
 * in layers.ts alone.
 */

import { type AttentionSizes, attention, attentionBackward, type Heads } from './attentionLayer.ts';
import { quickGelu, quickGeluBackward } from './layers.ts';
import { type Floats, float64Products, type Products } from './products.ts';

/** Sizes of self-attention: B sequences of L rows, h heads of dh columns. With `causal`, row i looks at rows 0 … i. */
export interface SelfAttentionSizes {
  readonly B: number;
  readonly L: number;
  readonly h: number;
  readonly headDim: number;
  readonly causal: boolean;
}

export interface TrainingKernels extends Products {
  /** layers.ts says what it computes. */
  quickGelu(y: Floats, x: Floats, count: number): void;
  /** layers.ts says what it computes. */
  quickGeluBackward(dy: Floats, x: Floats, count: number): void;
  /** Attention (eq. 32–34) with heads [B, L, 3, h, dh], the queries, keys and values → attended [B, L, h, dh], probabilities [B, h, L, L]. */
  selfAttention(attended: Floats, probabilities: Floats, heads: Floats, sizes: SelfAttentionSizes): void;
  /** Writes dheads [B, L, 3, h, dh]. dattended [B, L, h, dh], and the probabilities that `selfAttention` wrote. */
  selfAttentionBackward(
    dheads: Floats,
    dattended: Floats,
    probabilities: Floats,
    heads: Floats,
    sizes: SelfAttentionSizes,
  ): void;
}

/** Views Q, K and V in a tensor [B, L, 3, h, dh]. */
function splitHeads(heads: Floats, d: number): Heads {
  return { q: heads, k: heads.subarray(d), v: heads.subarray(2 * d) };
}

function attentionSizes({ B, L, h, headDim, causal }: SelfAttentionSizes): AttentionSizes {
  const stride = 3 * h * headDim;
  return { B, Lq: L, Lk: L, h, headDim, queryStride: stride, keyStride: stride, causal };
}

/** The plain loops of this room, on float64 arrays: the judge. */
export const float64Kernels: TrainingKernels = {
  ...float64Products,
  quickGelu,
  quickGeluBackward,
  selfAttention(attended, probabilities, heads, sizes) {
    attention(attended, probabilities, splitHeads(heads, sizes.h * sizes.headDim), attentionSizes(sizes));
  },
  selfAttentionBackward(dheads, dattended, probabilities, heads, sizes) {
    const d = sizes.h * sizes.headDim;
    attentionBackward(splitHeads(dheads, d), dattended, probabilities, splitHeads(heads, d), attentionSizes(sizes));
  },
};
