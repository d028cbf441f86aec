/** Random parameters to start a training from, as transformers' CLIPModel draws them. */

import { createRandom, normal } from '../models/seededRandom.ts';
import { tableDeviation } from '../models/tokenTable.ts';
import { type ClipModel, logitBiasName, logScaleName } from './clipModel.ts';
import type { TowerConfig } from './tower.ts';

/** Standard deviation of a tensor's elements; 0 for biases. */
function deviationOf(name: string, { hiddenSize: d, numHiddenLayers: N }: TowerConfig): number {
  if (name.endsWith('.bias')) return 0;
  if (/_projection\.weight$|out_proj\.weight$|class_embedding$/.test(name)) return 1 / Math.sqrt(d);
  if (/[qkv]_proj\.weight$|fc2\.weight$/.test(name)) return 1 / Math.sqrt(d * 2 * N);
  if (/fc1\.weight$/.test(name)) return 1 / Math.sqrt(2 * d);
  return tableDeviation;
}

/**
 * Draws the parameters of both towers. The temperature and the bias of the objective stay as they are. Every tensor has a stream of
 * its own, so that a change of one tower leaves the other's numbers.
 */
export function drawParameters({ parameters, config }: ClipModel, seed: number): void {
  for (const { name, offset, length } of parameters.places.values()) {
    if (name === logScaleName || name === logitBiasName) continue;
    const values = parameters.values.subarray(offset, offset + length);
    if (/norm\d?\.weight$|layrnorm\.weight$/.test(name)) {
      values.fill(1);
      continue;
    }
    const deviation = deviationOf(name, name.startsWith('text_') ? config.text : config.image);
    const random = createRandom(seed, streamOf(name));
    for (let i = 0; i < length; i++) values[i] = deviation * normal(random);
  }
}

/** A 32-bit number of a name: FNV-1a. */
function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
