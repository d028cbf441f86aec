/** The image tower, CLIP's ViT: patches, class token, positions, LayerNorm, layers that see all, pooling at the class token. */

import { type Affine, addPositions, addPositionsBackward, layerNorm, layerNormBackward } from './layers.ts';
import { type Parameter, type ParameterSet, parameter } from './parameters.ts';
import type { Floats } from './products.ts';
import {
  createTower,
  headForward,
  layersBackward,
  layersForward,
  poolingBackward,
  projectionBackward,
  type Tower,
  type TowerConfig,
  type TowerNames,
  towerInput,
  towerShapes,
} from './tower.ts';
import type { TrainingKernels } from './trainingKernels.ts';

/** Pictures are square, `imageSize` pixels wide, a multiple of `patchSize`. */
export interface ImageTowerConfig extends TowerConfig {
  readonly imageSize: number;
  readonly numChannels: number;
  readonly patchSize: number;
}

export interface ImageTower {
  readonly tower: Tower;
  readonly config: ImageTowerConfig;
  /** [d] */
  readonly classToken: Parameter;
  /** [d, channels, patch, patch] */
  readonly patchWeight: Parameter;
  /** [1 + patches, d] */
  readonly positions: Parameter;
  readonly preNorm: Affine;
  /** [B, patches, channels · patch²], the pixels of each patch side by side. */
  readonly patches: Floats;
  /** [B, patches, d]; on the way back its gradient. */
  readonly embedded: Floats;
  /** [B, 1 + patches, d], before the first LayerNorm. */
  readonly sequence: Floats;
  /** [B, 1 + patches, 2] */
  readonly statistics: Floats;
  /** [B, 1 + patches, d] */
  readonly dsequence: Floats;
}

/** transformers spells the first LayerNorm's name in this way. */
const preNormName = 'vision_model.pre_layrnorm';
const classTokenName = 'vision_model.embeddings.class_embedding';
const patchWeightName = 'vision_model.embeddings.patch_embedding.weight';
export const positionsName = 'vision_model.embeddings.position_embedding.weight';

const names: TowerNames = {
  layers: 'vision_model.encoder.',
  finalNorm: 'vision_model.post_layernorm',
  projection: 'visual_projection.weight',
};

/** Patches of a picture. */
export function patchCount({ imageSize, patchSize }: ImageTowerConfig): number {
  const side = imageSize / patchSize;
  return side * side;
}

/** Numbers of a patch. */
export function patchWidth({ numChannels, patchSize }: ImageTowerConfig): number {
  return numChannels * patchSize * patchSize;
}

/** Shapes of the tower's tensors, by transformers' names. */
export function imageTowerShapes(config: ImageTowerConfig): [string, readonly number[]][] {
  const { hiddenSize: d, numChannels, patchSize } = config;
  return [
    [classTokenName, [d]],
    [patchWeightName, [d, numChannels, patchSize, patchSize]],
    [positionsName, [1 + patchCount(config), d]],
    [`${preNormName}.weight`, [d]],
    [`${preNormName}.bias`, [d]],
    ...towerShapes(names, config),
  ];
}

/** `parameters` must have the tensors of `imageTowerShapes`; there is room for B pictures. */
export function createImageTower(
  kernels: TrainingKernels,
  parameters: ParameterSet,
  config: ImageTowerConfig,
  B: number,
): ImageTower {
  const { hiddenSize: d } = config;
  const count = patchCount(config);
  return {
    tower: createTower(kernels, parameters, names, config, { B, L: 1 + count }, false),
    config,
    classToken: parameter(parameters, classTokenName),
    patchWeight: parameter(parameters, patchWeightName),
    positions: parameter(parameters, positionsName),
    preNorm: {
      weight: parameter(parameters, `${preNormName}.weight`),
      bias: parameter(parameters, `${preNormName}.bias`),
    },
    patches: kernels.allocate(B * count * patchWidth(config)),
    embedded: kernels.allocate(B * count * d),
    sequence: kernels.allocate(B * (1 + count) * d),
    statistics: kernels.allocate(B * (1 + count) * 2),
    dsequence: kernels.allocate(B * (1 + count) * d),
  };
}

/** Lays the pixels of each patch side by side. pixels [B, channels, y, x] → patches [B, patches, channels · patch²]. */
function cutPatches(patches: Floats, pixels: ArrayLike<number>, config: ImageTowerConfig, B: number): void {
  const { imageSize: size, numChannels, patchSize } = config;
  let to = 0;
  for (let b = 0; b < B; b++)
    for (let top = 0; top < size; top += patchSize)
      for (let left = 0; left < size; left += patchSize)
        for (let channel = 0; channel < numChannels; channel++)
          for (let y = top; y < top + patchSize; y++)
            for (let x = left; x < left + patchSize; x++)
              patches[to++] = pixels[((b * numChannels + channel) * size + y) * size + x];
}

/** Rows of B sequences, which are all as long, and which of the rows hold the class tokens. */
function sequencesOf(config: ImageTowerConfig, B: number) {
  const L = 1 + patchCount(config);
  return { L, lengths: new Int32Array(B).fill(L), classRows: Int32Array.from({ length: B }, (_, b) => b * L) };
}

/** pixels [B, channels, y, x] → features [B, E], not normalised; a view that the next batch writes over. */
export function imageForward(image: ImageTower, pixels: ArrayLike<number>, B: number): Floats {
  const { tower, config, classToken, patchWeight, sequence, embedded } = image;
  const { hiddenSize: d, layerNormEps: eps } = config;
  const { L, lengths, classRows } = sequencesOf(config, B);
  const count = L - 1;
  cutPatches(image.patches, pixels, config, B);
  tower.kernels.forward(embedded, image.patches, patchWeight.value, null, B * count, patchWidth(config), d);
  for (let b = 0; b < B; b++) {
    sequence.set(classToken.value, b * L * d);
    sequence.set(embedded.subarray(b * count * d, (b + 1) * count * d), (b * L + 1) * d);
  }
  addPositions(sequence, image.positions, lengths, d);
  layerNorm(towerInput(tower), image.statistics, sequence, image.preNorm, B * L, d, eps);
  layersForward(tower, lengths);
  return headForward(tower, classRows);
}

/** Adds the gradients of all parameters, from dfeatures [B, E] of the batch that went forward last. */
export function imageBackward(image: ImageTower, dfeatures: Floats, B: number): void {
  const { tower, config, classToken, patchWeight, embedded, dsequence } = image;
  const { hiddenSize: d } = config;
  const { L, lengths, classRows } = sequencesOf(config, B);
  const count = L - 1;
  projectionBackward(tower, dfeatures, B);
  poolingBackward(tower, classRows, B * L);
  layersBackward(tower, lengths);
  dsequence.fill(0);
  layerNormBackward(dsequence, tower.back.stream, image.sequence, image.statistics, image.preNorm, B * L, d);
  addPositionsBackward(image.positions, dsequence, lengths, d);
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < d; c++) classToken.gradient[c] += dsequence[b * L * d + c];
    embedded.set(dsequence.subarray((b * L + 1) * d, (b + 1) * L * d), b * count * d);
  }
  tower.kernels.weightGradient(patchWeight.gradient, embedded, image.patches, B * count, patchWidth(config), d);
}
