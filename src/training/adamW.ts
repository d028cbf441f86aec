/** AdamW, clipping of the gradient, and the learning rate's schedule, as PyTorch and open_clip compute them. */

import { cosineOfHalfTurn } from '../models/elementary.ts';
import type { ParameterSet } from './parameters.ts';
import type { Floats } from './products.ts';

export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Applies to tensors of two or more dimensions: not to biases, LayerNorm, the class token and the temperature. */
  readonly weightDecay: number;
}

/** open_clip's settings for a ViT. */
export const openClipAdamW: AdamWSettings = { beta1: 0.9, beta2: 0.98, eps: 1e-6, weightDecay: 0.2 };

/** Running means of the gradient and of its square, end to end as the parameters are. */
export interface AdamWMoments {
  readonly first: Floats;
  readonly second: Floats;
}

/** Moments before the first step, in the parameters' own type. */
export function createMoments({ values }: ParameterSet): AdamWMoments {
  return { first: values.slice().fill(0), second: values.slice().fill(0) };
}

/** Makes moments those before the first step again. */
export function forgetMoments({ first, second }: AdamWMoments): void {
  first.fill(0);
  second.fill(0);
}

/** The factor that clips a gradient to `longest`, as in PyTorch's clip_grad_norm_. */
export function clipFactor(norm: number, longest: number): number {
  return Math.min(1, longest / (norm + 1e-6));
}

/** L2 norm of all gradients together. */
export function gradientNorm({ gradients }: ParameterSet): number {
  let squares = 0;
  for (let i = 0; i < gradients.length; i++) squares += gradients[i] * gradients[i];
  return Math.sqrt(squares);
}

/** baseⁿ for a whole n ≥ 0, by products alone. */
function power(base: number, n: number): number {
  if (n === 0) return 1;
  const half = power(base * base, Math.floor(n / 2));
  return n % 2 ? half * base : half;
}

/**
 * Makes step number `step`, which counts from 1: p ← p − lr · decay · p, then
 * p ← p − lr / (1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + eps), with m and v the means of `factor` times the gradient and of its square.
 * Tensors that `isFrozen` names keep their values and moments.
 */
export function adamWStep(
  { places, values, gradients }: ParameterSet,
  { first, second }: AdamWMoments,
  { beta1, beta2, eps, weightDecay }: AdamWSettings,
  step: number,
  learningRate: number,
  factor = 1,
  isFrozen: (name: string) => boolean = () => false,
): void {
  const rate = learningRate / (1 - power(beta1, step));
  const correction = Math.sqrt(1 - power(beta2, step));
  for (const { name, shape, offset, length } of places.values()) {
    if (isFrozen(name)) continue;
    const kept = shape.length > 1 ? 1 - learningRate * weightDecay : 1;
    for (let i = offset; i < offset + length; i++) {
      const gradient = factor * gradients[i];
      const m = first[i] + (1 - beta1) * (gradient - first[i]);
      const v = beta2 * second[i] + (1 - beta2) * gradient * gradient;
      values[i] = values[i] * kept - (rate * m) / (Math.sqrt(v) / correction + eps);
      first[i] = m;
      second[i] = v;
    }
  }
}

/** Learning rate of a step that counts from 0: a straight rise over `warmUp` steps, then half a cosine down to 0 at `total`. */
export function learningRateAt(step: number, highest: number, warmUp: number, total: number): number {
  if (step < warmUp) return (highest * (step + 1)) / warmUp;
  return 0.5 * (1 + cosineOfHalfTurn(Math.min(1, (step - warmUp) / (total - warmUp)))) * highest;
}
