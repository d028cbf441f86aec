/**
 * From noise to a picture, in steps. A noisy picture at time t is x = (1 − t) x₀ + t ε: the clean picture x₀ at t = 0, noise ε alone at
 * t = 1. The denoiser says what the clean picture is (x-prediction), and a step of Euler's method goes along dx/dt = ε − x₀ to
 * the next time. Stable Diffusion's denoiser says what the noise is instead, of a latent that another network turns into a picture; its
 * deterministic sampler DDIM is this same step at the times of its own noise schedule.
 */

import { createRandom, normal } from '../models/seededRandom.ts';
import type { Floats } from '../training/products.ts';
import { drawnLength } from './drawnPicture.ts';

/** `flow` goes down in equal steps; `ddim` at the times at which Stable Diffusion samples, its noise schedule of 1000 steps. */
export const samplers = ['flow', 'ddim'] as const;
export type SamplerName = (typeof samplers)[number];

/** A time of sampling, and the factor by which Stable Diffusion's x is x here: √ᾱ + √(1 − ᾱ). */
export interface SamplerTime {
  readonly t: number;
  readonly scale: number;
}

/** Steps of Stable Diffusion's noise schedule, and its noise at both ends. */
const trainSteps = 1000;
const [firstBeta, lastBeta] = [0.00085, 0.012];

/** ᾱ [1000]: Π (1 − β), with the roots of β in equal steps ("scaled linear"). Step t is the element t. */
export function scaledLinearAlphas(): Float64Array {
  const [from, to] = [Math.sqrt(firstBeta), Math.sqrt(lastBeta)];
  const alphas = new Float64Array(trainSteps);
  let product = 1;
  for (let i = 0; i < trainSteps; i++) {
    const root = from + ((to - from) * i) / (trainSteps - 1);
    product *= 1 - root * root;
    alphas[i] = product;
  }
  return alphas;
}

/**
 * Finds the time of a mixture √ᾱ x₀ + √(1 − ᾱ) ε, which is Stable Diffusion's: divided by the sum of both factors it is
 * (1 − t) x₀ + t ε.
 */
export function timeOfAlpha(alpha: number): SamplerTime {
  const [signal, noise] = [Math.sqrt(alpha), Math.sqrt(1 - alpha)];
  return { t: noise / (signal + noise), scale: signal + noise };
}

/** Steps of the schedule at which DDIM calls the denoiser, the noisiest first ("leading", with an offset of 1). */
export function ddimTimesteps(steps: number): number[] {
  const apart = Math.floor(trainSteps / steps);
  return Array.from({ length: steps }, (_, i) => Math.min(trainSteps - 1, (steps - 1 - i) * apart + 1));
}

/** [steps + 1] The times of a sampler: that of each call, and that of the picture. */
export function samplerTimes(sampler: SamplerName, steps: number): SamplerTime[] {
  switch (sampler) {
    case 'flow':
      return Array.from({ length: steps + 1 }, (_, i) => ({ t: 1 - i / steps, scale: 1 }));
    case 'ddim': {
      const alphas = scaledLinearAlphas();
      // The last step leads to the least noise of the schedule, which is not quite none.
      return [...ddimTimesteps(steps), 0].map((step) => timeOfAlpha(alphas[step]));
    }
    default:
      return sampler satisfies never;
  }
}

/** The noise of each seed, [B, 4, S, S]: that of a seed is the same beside whichever others. */
export function seededNoise(seeds: readonly number[]): Float32Array {
  const noise = new Float32Array(seeds.length * drawnLength);
  for (const [b, seed] of seeds.entries()) {
    const random = createRandom(seed);
    for (let i = b * drawnLength; i < (b + 1) * drawnLength; i++) noise[i] = normal(random);
  }
  return noise;
}

/** Goes from time t to the time `next`: x += (next − t) (x − x₀) / t, in place. x and `clean`, which is x₀, of any one shape. */
export function eulerStep(x: Floats, clean: ArrayLike<number>, t: number, next: number): void {
  const part = (next - t) / t;
  for (let i = 0; i < x.length; i++) x[i] += part * (x[i] - clean[i]);
}

/** A prediction for a prompt, or for a part of A1111's AND, which has a weight of its own. */
export interface WeightedPrediction {
  readonly weight: number;
  readonly prediction: ArrayLike<number>;
}

/** How much of the prediction without the prompt is left in the guided one: 1 − guidance · Σ w. */
export const shareOfNegative = (parts: readonly { readonly weight: number }[], guidance: number): number =>
  1 - guidance * parts.reduce((sum, { weight }) => sum + weight, 0);

/**
 * Classifier-free guidance: u + guidance · Σ wᵢ (cᵢ − u), with u the prediction for the negative prompt. A part alone weighs 1, which is the
 * published formula; several are A1111's AND. `negative` may be null where none of it is left. Each prediction [B, 4, S, S], and the result.
 */
export function guided(
  negative: ArrayLike<number> | null,
  parts: readonly WeightedPrediction[],
  guidance: number,
): Float64Array {
  const share = negative ? shareOfNegative(parts, guidance) : 0;
  const result = new Float64Array(parts[0].prediction.length);
  if (negative) for (let i = 0; i < result.length; i++) result[i] = share * negative[i];
  for (const { weight, prediction } of parts)
    for (let i = 0; i < result.length; i++) result[i] += guidance * weight * prediction[i];
  return result;
}

/** Says what the clean pictures [B, 4, S, S] are, from noisy ones at time t. `step` counts the calls from 0. */
export type Predict = (x: Floats, t: number, step: number) => ArrayLike<number>;

/** Pictures on the way. */
export interface SampledStep {
  /** Calls of the denoiser until now. */
  readonly step: number;
  /** [B, 4, S, S] The picture as far as it has come, noise and all; written over by the next step. */
  readonly x: Floats;
  /** [B, 4, S, S] What the denoiser takes for the clean picture. */
  readonly clean: ArrayLike<number>;
}

/**
 * Makes pictures [B, 4, S, S] of noise, in place of it, step by step: after the last of them `noise` has the pictures, −1 … 1, or a little
 * outside. Between two steps whoever runs it may stop.
 */
export function* sampling(noise: Floats, times: readonly SamplerTime[], predict: Predict): Generator<SampledStep> {
  divide(noise, times[0].scale);
  for (let step = 0; step + 1 < times.length; step++)
    yield sampledStep(noise, predict(noise, times[step].t, step), times, step);
}

/** Does what `sampling` does, with a denoiser that answers later. */
export async function* samplingLater(
  noise: Floats,
  times: readonly SamplerTime[],
  predict: (...asked: Parameters<Predict>) => Promise<ArrayLike<number>>,
): AsyncGenerator<SampledStep> {
  divide(noise, times[0].scale);
  for (let step = 0; step + 1 < times.length; step++)
    yield sampledStep(noise, await predict(noise, times[step].t, step), times, step);
}

function divide(x: Floats, scale: number): void {
  for (let i = 0; i < x.length; i++) x[i] /= scale;
}

/** Goes to the next time, and after the last one from this scale to Stable Diffusion's. */
function sampledStep(x: Floats, clean: ArrayLike<number>, times: readonly SamplerTime[], step: number): SampledStep {
  eulerStep(x, clean, times[step].t, times[step + 1].t);
  if (step + 2 === times.length) for (let i = 0; i < x.length; i++) x[i] *= times[step + 1].scale;
  return { step: step + 1, x, clean };
}
