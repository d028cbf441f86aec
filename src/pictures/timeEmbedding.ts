/** The time of a picture on its way from noise (1) to clean (0), as numbers that a layer can read. */

import { cosineOfTurn } from '../models/elementary.ts';
import type { Floats } from '../training/products.ts';
import { timeWaves } from './denoiserConfig.ts';

/** Turns of the slowest and of the fastest wave between times 0 and 1. */
const [slowest, fastest] = [0.25, 16];

/** Frequencies in turns, from the slowest to the fastest. */
const frequencies = Array.from(
  { length: timeWaves },
  // A straight line of their places, squared: many slow waves, few fast ones.
  (_, i) => slowest + ((fastest - slowest) * i * i) / (timeWaves - 1) / (timeWaves - 1),
);

/** Writes cosines and sines [B, 2 · timeWaves] of times [B], each 0 … 1. */
export function timeEmbedding(y: Floats, times: ArrayLike<number>): void {
  for (let b = 0; b < times.length; b++)
    for (const [i, frequency] of frequencies.entries()) {
      const turns = frequency * times[b];
      y[(2 * b + 0) * timeWaves + i] = cosineOfTurn(turns);
      y[(2 * b + 1) * timeWaves + i] = cosineOfTurn(turns - 0.25);
    }
}
