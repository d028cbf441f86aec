/**
 * Attention of pixels, forward and backward side by side: x += out(attention(q, k, v)) with q from norm(x). Keys and values are of the
 * pixels themselves (self) or of the prompt's rows (cross). None of the three has a bias, as in Stable Diffusion.
 *
 * A gate, a linear layer of norm(x), multiplies each pixel's reading of the prompt. Stable Diffusion has none. The word
 * "star" asks for ink in one place of an object and for none in another, which is a product of the word and the place. A sum has to find
 * that product in later layers, which takes a small network far longer (docs/measurements.md).
 */

import type { AttentionSizes, Heads } from '../training/attentionLayer.ts';
import { type Affine, addResidual, linear, linearBackward, multiply, multiplyBackward } from '../training/layers.ts';
import { type Parameter, type ParameterSet, parameter } from '../training/parameters.ts';
import type { Floats } from '../training/products.ts';
import { rowCount } from '../training/tower.ts';
import { affineOf, type BlockScratch } from './convolutionBlock.ts';
import type { Grid, PictureKernels } from './pictureKernels.ts';

/** The rows that pictures are made from: each picture has its own, one picture's after the other's. */
export interface Context {
  /** [Σ T_b, d] */
  readonly rows: Floats;
  /** [B], T_b */
  readonly lengths: ArrayLike<number>;
  /** d */
  readonly width: number;
}

/** Parameters, and what a forward pass leaves. R = B · side² rows of pixels. */
export interface AttentionBlock {
  readonly name: string;
  readonly C: number;
  /** Number of heads, h. */
  readonly h: number;
  readonly norm: Affine;
  /** Self: Q, K and V together [3 C, C]. Cross: Q alone [C, C]. */
  readonly query: Parameter;
  /** Cross: K and V together [2 C, d]. */
  readonly keyValue: Parameter | null;
  /** Cross alone has one. */
  readonly gate: Affine | null;
  readonly out: Affine;
  /** [R, C] */
  readonly input: Floats;
  readonly normed: Floats;
  /** [R, 3, h, dh], or [R, h, dh] */
  readonly queries: Floats;
  /** [Σ T_b, 2, h, dh]; empty for self. */
  readonly keyValues: Floats;
  /** [h, side², T_b] of each picture, one after the other. */
  readonly probabilities: Floats;
  /** [R, h, dh] */
  readonly attended: Floats;
  /** [R, C] The gate; empty for self. */
  readonly gates: Floats;
  /** [R, C] attended ⊙ gate; for self it is `attended`. */
  readonly gated: Floats;
}

/** Gradients on the way back. */
export interface AttentionScratch extends BlockScratch {
  /** [R, 3, C] */
  readonly queries: Floats;
  /** [Σ T_b, 2, C] */
  readonly keyValues: Floats;
  /** [R, C] */
  readonly gates: Floats;
}

/** Largest batch of the condition. */
export interface ContextRoom {
  /** T, rows of one picture's condition. */
  readonly T: number;
}

export function createAttentionBlock(
  kernels: PictureKernels,
  parameters: ParameterSet,
  name: string,
  { B, side, T }: Grid & ContextRoom,
  C: number,
  headDim: number,
): AttentionBlock {
  const isCross = name.endsWith('.cross');
  const R = B * side * side;
  const of = (kind: string) => `${name}.to_${kind}.weight`;
  const attended = kernels.allocate(R * C);
  return {
    name,
    C,
    h: C / headDim,
    norm: affineOf(parameters, `${name}.norm`),
    query: isCross ? parameter(parameters, of('q')) : parameter(parameters, of('q'), of('k'), of('v')),
    keyValue: isCross ? parameter(parameters, of('k'), of('v')) : null,
    gate: isCross ? affineOf(parameters, `${name}.to_gate`) : null,
    out: affineOf(parameters, `${name}.to_out`),
    input: kernels.allocate(R * C),
    normed: kernels.allocate(R * C),
    queries: kernels.allocate(R * C * (isCross ? 1 : 3)),
    keyValues: kernels.allocate(isCross ? B * T * 2 * C : 0),
    probabilities: kernels.allocate((C / headDim) * R * (isCross ? T : side * side)),
    attended,
    gates: kernels.allocate(isCross ? R * C : 0),
    gated: isCross ? kernels.allocate(R * C) : attended,
  };
}

/** One picture's part of a block's tensors. */
interface PicturePart {
  readonly sizes: AttentionSizes;
  readonly heads: Heads;
  readonly attended: Floats;
  readonly probabilities: Floats;
}

/** Walks through the pictures of a batch. `queries`, `keyValues` and `attended` are those of the block, or their gradients. */
function pictureParts(
  { C, h, keyValue, probabilities }: AttentionBlock,
  tensors: Pick<AttentionBlock, 'queries' | 'keyValues' | 'attended'>,
  { B, side }: Grid,
  lengths: ArrayLike<number>,
): PicturePart[] {
  const P = side * side;
  let [textRow, probability] = [0, 0];
  return Array.from({ length: B }, (_, b) => {
    const Lk = keyValue ? lengths[b] : P;
    const queryStride = keyValue ? C : 3 * C;
    const q = tensors.queries.subarray(b * P * queryStride);
    const kv = keyValue ? tensors.keyValues.subarray(textRow * 2 * C) : q.subarray(C);
    const part = {
      sizes: {
        ...{ B: 1, Lq: P, Lk, h, headDim: C / h, causal: false },
        ...{ queryStride, keyStride: keyValue ? 2 * C : 3 * C },
      },
      heads: { q, k: kv, v: kv.subarray(C) },
      attended: tensors.attended.subarray(b * P * C),
      probabilities: probabilities.subarray(probability, probability + h * P * Lk),
    };
    textRow += Lk;
    probability += h * P * Lk;
    return part;
  });
}

/** Probabilities [h, side², T_b] of picture b after a forward pass: a view. */
export function probabilitiesOf(block: AttentionBlock, grid: Grid, lengths: ArrayLike<number>, b: number): Floats {
  return pictureParts(block, block, grid, lengths)[b].probabilities;
}

/** stream [R, C] += what the block makes of it. */
export function attentionBlock(
  kernels: PictureKernels,
  block: AttentionBlock,
  stream: Floats,
  context: Context,
  grid: Grid,
): void {
  const { C, norm, input, normed } = block;
  const R = grid.B * grid.side * grid.side;
  input.set(stream.subarray(0, R * C));
  kernels.layerNorm(normed, input, norm.weight.value, norm.bias.value, R, C);
  kernels.forward(block.queries, normed, block.query.value, null, R, C, block.keyValue ? C : 3 * C);
  if (block.keyValue) {
    const rows = rowCount(context.lengths);
    kernels.forward(block.keyValues, context.rows, block.keyValue.value, null, rows, context.width, 2 * C);
  }
  for (const { attended, probabilities, heads, sizes } of pictureParts(block, block, grid, context.lengths))
    kernels.attention(attended, probabilities, heads, sizes);
  if (block.gate) {
    linear(kernels, block.gates, normed, block.gate, R, C, C);
    multiply(block.gated, block.attended, block.gates, R * C);
  }
  linear(kernels, stream, block.gated, block.out, R, C, C);
  addResidual(stream, input, R * C);
}

/** Gives what a loss of the probabilities [h, side², T_b] of picture b adds to their gradient; null for nothing. */
export type LooksGradient = (probabilities: Floats, side: number, b: number) => Floats | null;

/**
 * Turns dstream [R, C] from the gradient of the block's output into that of its input. The prompt's rows get none. `looksGradient` is asked
 * where pixels look at the prompt.
 */
export function attentionBlockBackward(
  kernels: PictureKernels,
  block: AttentionBlock,
  dstream: Floats,
  context: Context,
  grid: Grid,
  scratch: AttentionScratch,
  looksGradient?: LooksGradient,
): void {
  const { C, norm, input, normed } = block;
  const R = grid.B * grid.side * grid.side;
  linearBackward(kernels, scratch.first, dstream, block.gated, block.out, R, C, C);
  if (block.gate) multiplyBackward(scratch.first, scratch.gates, block.attended, block.gates, R * C);
  const gradients = { queries: scratch.queries, keyValues: scratch.keyValues, attended: scratch.first };
  const dparts = pictureParts(block, gradients, grid, context.lengths);
  for (const [b, { heads, probabilities, sizes }] of pictureParts(block, block, grid, context.lengths).entries()) {
    const dlooks = block.keyValue && looksGradient?.(probabilities, grid.side, b);
    kernels.attentionBackward(dparts[b].heads, dparts[b].attended, probabilities, heads, sizes, dlooks);
  }
  const wide = block.keyValue ? C : 3 * C;
  kernels.inputGradient(scratch.second, scratch.queries, block.query.value, R, C, wide);
  kernels.weightGradient(block.query.gradient, scratch.queries, normed, R, C, wide);
  if (block.keyValue) {
    const rows = rowCount(context.lengths);
    kernels.weightGradient(block.keyValue.gradient, scratch.keyValues, context.rows, rows, context.width, 2 * C);
  }
  if (block.gate) {
    // The attended rows' gradient has done its part.
    linearBackward(kernels, scratch.first, scratch.gates, normed, block.gate, R, C, C);
    addResidual(scratch.second, scratch.first, R * C);
  }
  kernels.layerNormBackward(
    dstream,
    norm.weight.gradient,
    norm.bias.gradient,
    scratch.second,
    input,
    norm.weight.value,
    R,
    C,
  );
}
