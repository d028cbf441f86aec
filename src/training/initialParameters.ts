/** Random parameters to start a training from. */

import { positionEmbeddingName as textPositionsName } from '../clip/weights.ts';
import { cosineOfTurn } from '../models/elementary.ts';
import { createRandom, normal, type Random } from '../models/seededRandom.ts';
import { tableDeviation } from '../models/tokenTable.ts';
import { type ClipModel, logitBiasName, logScaleName } from './clipModel.ts';
import { positionsName as imagePositionsName } from './imageTower.ts';
import type { Floats } from './products.ts';
import type { TowerConfig } from './tower.ts';

/** Standard deviation of the weights of a patch's pixels. */
const patchDeviation = 0.05;

/** Standard deviation of a patch's place in a picture, which would be lost beside the pixels if it were as small as a table's. */
const placeDeviation = 0.3;

/**
 * Standard deviation of a tensor's elements; 0 for biases. Layers are drawn as OpenAI's CLIP draws them. transformers draws Q, K and V
 * smaller and the output of attention larger.
 */
function deviationOf(name: string, { hiddenSize: d, numHiddenLayers: N }: TowerConfig): number {
  if (name.endsWith('.bias')) return 0;
  if (/[qkv]_proj\.weight$|_projection\.weight$/.test(name)) return 1 / Math.sqrt(d);
  if (/out_proj\.weight$|fc2\.weight$/.test(name)) return 1 / Math.sqrt(d * 2 * N);
  if (/fc1\.weight$/.test(name)) return 1 / Math.sqrt(2 * d);
  if (/patch_embedding\.weight$/.test(name)) return patchDeviation;
  if (/class_embedding$|vision_model.*position_embedding\.weight$/.test(name)) return placeDeviation;
  return tableDeviation;
}

/** Steps of a wave's shortest length. */
const shortestWave = 4;

/**
 * Writes rows [count, d] for places in a row, or on a square of `side` places. Each column is a cosine wave along one axis, of a length
 * and a start of its own; slow waves are more frequent. Neighbours are alike, so that what a layer learns about one place holds for
 * those near it.
 */
function drawPlaces(values: Floats, d: number, side: number, deviation: number, random: Random): void {
  const size = deviation * Math.SQRT2;
  const count = values.length / d;
  for (let c = 0; c < d; c++) {
    const hurry = random.uniform();
    const [frequency, start] = [(hurry * hurry) / shortestWave, random.uniform()];
    const isDown = random.chance(0.5);
    for (let i = 0; i < count; i++) {
      const place = isDown && side < count ? Math.floor(i / side) : i % side;
      values[i * d + c] = size * cosineOfTurn(frequency * place + start);
    }
  }
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
    const { text, image } = config;
    if (name === textPositionsName) drawPlaces(values, text.hiddenSize, text.maxPositionEmbeddings, deviation, random);
    // The class token's row is no place.
    if (name === imagePositionsName)
      drawPlaces(
        values.subarray(image.hiddenSize),
        image.hiddenSize,
        image.imageSize / image.patchSize,
        deviation,
        random,
      );
  }
}

/** A 32-bit number of a name: FNV-1a. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
