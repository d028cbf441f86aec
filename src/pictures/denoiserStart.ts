/** Random parameters to start the training of a denoiser from. */

import { createRandom, normal } from '../models/seededRandom.ts';
import { streamOf } from '../training/initialParameters.ts';
import type { Denoiser } from './denoiser.ts';

/** Deviation of what a block adds to its stream and of its gates, so that blocks begin as small changes. */
const blockShare = 0.3;

/**
 * Standard deviation of a tensor's elements, by its shape [N, …, K]: outputs vary as inputs do. The output and what the time
 * sets begin small, biases at 0.
 */
function deviationOf(name: string, shape: readonly number[]): number {
  const inputs = shape.slice(1).reduce((product, n) => product * n, 1);
  if (name.endsWith('.bias') || name.endsWith('modulation.weight') || shape.length === 1) return 0;
  if (name.startsWith('positions')) return 0.1;
  if (/(\.out|to_out|to_gate|fc2)\.weight$/.test(name) && /blocks/.test(name)) return blockShare / Math.sqrt(inputs);
  if (name === 'output.weight') return 0.1 / Math.sqrt(inputs);
  return 1 / Math.sqrt(inputs);
}

/** Draws all parameters. Every tensor has a stream of its own. */
export function drawDenoiser({ parameters }: Pick<Denoiser, 'parameters'>, seed: number): void {
  for (const { name, shape, offset, length } of parameters.places.values()) {
    const values = parameters.values.subarray(offset, offset + length);
    if (/norm\.weight$/.test(name)) values.fill(1);
    else if (/modulation\.bias$/.test(name)) {
      // Scales first, then shifts.
      values.fill(1, 0, length / 2);
      values.fill(0, length / 2);
    } else {
      const deviation = deviationOf(name, shape);
      const random = createRandom(seed, streamOf(name));
      for (let i = 0; i < length; i++) values[i] = deviation * normal(random);
    }
  }
}
