/**
 * A block of the denoiser, forward and backward side by side: x += out(QuickGELU(conv(norm(x)))), where the time sets scale and shift
 * of the norm for each picture. Stable Diffusion's blocks have two convolutions, GroupNorm and SiLU; here a norm of each pixel's row
 * and a plain linear layer do, as what the text tower is made of serves again.
 */

import { type Affine, addResidual, biasBackward, linear, linearBackward } from '../training/layers.ts';
import { type ParameterSet, parameter } from '../training/parameters.ts';
import type { Floats } from '../training/products.ts';
import type { Grid, PictureKernels } from './pictureKernels.ts';

/** Weight and bias of a tensor's name. */
export const affineOf = (parameters: ParameterSet, name: string): Affine => ({
  weight: parameter(parameters, `${name}.weight`),
  bias: parameter(parameters, `${name}.bias`),
});

/** Parameters, and what a forward pass leaves for the backward pass. R = B · side² rows. */
export interface ConvolutionBlock {
  /** Numbers of a row. */
  readonly C: number;
  readonly modulation: Affine;
  readonly conv: Affine;
  readonly out: Affine;
  /** [R, C] */
  readonly input: Floats;
  /** [B, 2, C], scale and shift of each picture. */
  readonly scales: Floats;
  /** [R, C] each. */
  readonly normed: Floats;
  readonly inner: Floats;
  readonly activated: Floats;
}

/** The time as it sets scales: of B pictures, `width` numbers each. */
export interface TimeRows {
  readonly rows: Floats;
  readonly gradient: Floats;
  readonly width: number;
}

/** Gradients on the way back, which each block writes over; each as long as the largest block needs. */
export interface BlockScratch {
  /** [R, C] each. */
  readonly first: Floats;
  readonly second: Floats;
  /** [B, 2, C] */
  readonly scales: Floats;
  /** [B, time width] */
  readonly time: Floats;
}

export function createConvolutionBlock(
  kernels: PictureKernels,
  parameters: ParameterSet,
  name: string,
  { B, side }: Grid,
  C: number,
): ConvolutionBlock {
  const rows = () => kernels.allocate(B * side * side * C);
  return {
    C,
    modulation: affineOf(parameters, `${name}.modulation`),
    conv: affineOf(parameters, `${name}.conv`),
    out: affineOf(parameters, `${name}.out`),
    input: rows(),
    scales: kernels.allocate(B * 2 * C),
    normed: rows(),
    inner: rows(),
    activated: rows(),
  };
}

/** Views a picture's part of rows, and its scale and shift. */
function ofPicture(block: ConvolutionBlock, scales: Floats, side: number, b: number) {
  const { C } = block;
  const [from, to] = [b * side * side * C, (b + 1) * side * side * C];
  return {
    part: (rows: Floats) => rows.subarray(from, to),
    scale: scales.subarray(2 * b * C, (2 * b + 1) * C),
    shift: scales.subarray((2 * b + 1) * C, (2 * b + 2) * C),
  };
}

/** stream [R, C] += what the block makes of it. */
export function convolutionBlock(
  kernels: PictureKernels,
  block: ConvolutionBlock,
  stream: Floats,
  { rows: time, width }: TimeRows,
  grid: Grid,
): void {
  const { C, scales, input, normed, inner, activated } = block;
  const R = grid.B * grid.side * grid.side;
  input.set(stream.subarray(0, R * C));
  linear(kernels, scales, time, block.modulation, grid.B, width, 2 * C);
  for (let b = 0; b < grid.B; b++) {
    const { part, scale, shift } = ofPicture(block, scales, grid.side, b);
    kernels.layerNorm(part(normed), part(input), scale, shift, grid.side * grid.side, C);
  }
  kernels.convolution(inner, normed, block.conv.weight.value, block.conv.bias.value, grid, C, C);
  kernels.quickGelu(activated, inner, R * C);
  linear(kernels, stream, activated, block.out, R, C, C);
  addResidual(stream, input, R * C);
}

/** Turns dstream [R, C] from the gradient of the block's output into that of its input, and adds to the time's gradient. */
export function convolutionBlockBackward(
  kernels: PictureKernels,
  block: ConvolutionBlock,
  dstream: Floats,
  { rows: time, gradient: dtime, width }: TimeRows,
  grid: Grid,
  scratch: BlockScratch,
): void {
  const { C, conv, scales, input, normed, inner, activated, modulation } = block;
  const { B, side } = grid;
  const R = B * side * side;
  const { first, second, scales: dscales } = scratch;
  linearBackward(kernels, first, dstream, activated, block.out, R, C, C);
  kernels.quickGeluBackward(first, inner, R * C);
  kernels.convolutionWeightGradient(conv.weight.gradient, first, normed, grid, C, C);
  biasBackward(conv.bias, first, R, C);
  kernels.convolutionInputGradient(second, first, conv.weight.value, grid, C, C);
  dscales.fill(0, 0, B * 2 * C);
  for (let b = 0; b < B; b++) {
    const { part, scale } = ofPicture(block, scales, side, b);
    const { scale: dscale, shift: dshift } = ofPicture(block, dscales, side, b);
    kernels.layerNormBackward(part(dstream), dscale, dshift, part(second), part(input), scale, side * side, C);
  }
  linearBackward(kernels, scratch.time, dscales, time, modulation, B, width, 2 * C);
  addResidual(dtime, scratch.time, B * width);
}
