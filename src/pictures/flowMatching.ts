/**
 * The objective of the denoiser: flow matching with prediction of the clean picture. A picture at time t is (1 − t) · clean + t · noise,
 * a straight way between both; what is predicted is held to the clean picture. Stable Diffusion mixes by √ᾱ and √(1 − ᾱ) of a schedule of
 * 1000 steps and predicts the noise: on pixels the clean picture is what a small network can predict best.
 */

import type { Floats } from '../training/products.ts';

/** Weight of a picture's error: errors are smaller where there is less noise, and edges are learned there. */
const weightAt = (t: number) => 1 / (t + 0.1);

/** Writes noisy pictures (1 − t_b) · clean + t_b · noise. All [B, n], times [B]. */
export function mixNoise(noisy: Floats, clean: Floats, noise: Floats, times: ArrayLike<number>): void {
  const n = clean.length / times.length;
  for (let b = 0; b < times.length; b++)
    for (let i = b * n; i < (b + 1) * n; i++) noisy[i] = (1 - times[b]) * clean[i] + times[b] * noise[i];
}

/**
 * Writes dpredicted, and returns the loss: the mean over pictures of weight(t_b) times the mean squared error. All [B, n], times [B].
 */
export function flowLoss(dpredicted: Floats, predicted: Floats, clean: Floats, times: ArrayLike<number>): number {
  const B = times.length;
  const n = clean.length / B;
  let loss = 0;
  for (let b = 0; b < B; b++) {
    const weight = weightAt(times[b]) / clean.length;
    for (let i = b * n; i < (b + 1) * n; i++) {
      const error = predicted[i] - clean[i];
      loss += weight * error * error;
      dpredicted[i] = 2 * weight * error;
    }
  }
  return loss;
}
