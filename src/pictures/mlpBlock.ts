/**
 * The MLP of a block, forward and backward side by side: x += fc2(QuickGELU(fc1(norm(x)))), as a layer of the text tower has it. What a
 * row has just read of the prompt meets here what it knows of its place. Stable Diffusion's has a gate (GEGLU) in the place of QuickGELU.
 */

import { type Affine, addResidual, linear, linearBackward } from '../training/layers.ts';
import type { ParameterSet } from '../training/parameters.ts';
import type { Floats } from '../training/products.ts';
import { affineOf, type BlockScratch } from './convolutionBlock.ts';
import type { Grid, PictureKernels } from './pictureKernels.ts';

/** Parameters, and what a forward pass leaves. R = B · side² rows, m the width inside in widths of a row. */
export interface MlpBlock {
  /** Numbers of a row. */
  readonly C: number;
  readonly m: number;
  readonly norm: Affine;
  readonly first: Affine;
  readonly second: Affine;
  /** [R, C] each. */
  readonly input: Floats;
  readonly normed: Floats;
  /** [R, m C] each. */
  readonly inner: Floats;
  readonly activated: Floats;
}

/** Gradients on the way back. */
export interface MlpScratch extends BlockScratch {
  /** [R, m C] */
  readonly inner: Floats;
}

export function createMlpBlock(
  kernels: PictureKernels,
  parameters: ParameterSet,
  name: string,
  { B, side }: Grid,
  C: number,
  m: number,
): MlpBlock {
  const R = B * side * side;
  return {
    ...{ C, m },
    norm: affineOf(parameters, `${name}.norm`),
    first: affineOf(parameters, `${name}.fc1`),
    second: affineOf(parameters, `${name}.fc2`),
    input: kernels.allocate(R * C),
    normed: kernels.allocate(R * C),
    inner: kernels.allocate(R * m * C),
    activated: kernels.allocate(R * m * C),
  };
}

/** stream [R, C] += what the block makes of it. */
export function mlpBlock(kernels: PictureKernels, block: MlpBlock, stream: Floats, { B, side }: Grid): void {
  const { C, m, norm, input, normed, inner, activated } = block;
  const R = B * side * side;
  input.set(stream.subarray(0, R * C));
  kernels.layerNorm(normed, input, norm.weight.value, norm.bias.value, R, C);
  linear(kernels, inner, normed, block.first, R, C, m * C);
  kernels.quickGelu(activated, inner, R * m * C);
  linear(kernels, stream, activated, block.second, R, m * C, C);
  addResidual(stream, input, R * C);
}

/** Turns dstream [R, C] from the gradient of the block's output into that of its input. */
export function mlpBlockBackward(
  kernels: PictureKernels,
  block: MlpBlock,
  dstream: Floats,
  { B, side }: Grid,
  scratch: MlpScratch,
): void {
  const { C, m, norm, input, normed, inner, activated } = block;
  const R = B * side * side;
  linearBackward(kernels, scratch.inner, dstream, activated, block.second, R, m * C, C);
  kernels.quickGeluBackward(scratch.inner, inner, R * m * C);
  linearBackward(kernels, scratch.first, scratch.inner, normed, block.first, R, C, m * C);
  const { weight, bias } = norm;
  kernels.layerNormBackward(dstream, weight.gradient, bias.gradient, scratch.first, input, weight.value, R, C);
}
