/** The text tower: embeddings (eq. 49–51), causal layers, EOS pooling, projection. Letters are those of tower.ts. */

import type { ClipTextConfig } from '../clip/config.ts';
import { finalLayerNormWeightName, positionEmbeddingName, tokenEmbeddingName } from '../clip/weights.ts';
import { addPositions, addPositionsBackward, embedding, embeddingBackward } from './layers.ts';
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
  type TowerNames,
  type TowerRoom,
  towerInput,
  towerShapes,
} from './tower.ts';
import type { TrainingKernels } from './trainingKernels.ts';

/** `vocabSize` counts the rows of the token table that the model has, which may be few of CLIP's. */
export interface TextTowerConfig extends ClipTextConfig {
  readonly projectionDim: number;
}

export interface TextTower {
  readonly tower: Tower;
  /** [V, d] */
  readonly tokens: Parameter;
  /** [≥ L, d] */
  readonly positions: Parameter;
}

/** A batch of captions, one after the other. They may end at their EOS: rows after it change nothing, as the mask is causal. */
export interface Captions {
  /** [B], rows of each. */
  readonly lengths: ArrayLike<number>;
  /** [R], rows of the token table. */
  readonly tokens: Int32Array;
  /** Embeddings [d] that stand in place of rows of the table, and do not learn, by their places among the R rows. */
  readonly vectors?: ReadonlyMap<number, Floats>;
  /** Which of the R rows the head picks: each caption's first EOS. */
  readonly picks: Int32Array;
}

const names: TowerNames = {
  layers: 'text_model.encoder.',
  finalNorm: finalLayerNormWeightName.replace('.weight', ''),
  projection: 'text_projection.weight',
};

/** Shapes of the tower's tensors, by transformers' names. */
export function textTowerShapes(config: TextTowerConfig): [string, readonly number[]][] {
  const { vocabSize: V, maxPositionEmbeddings: L, hiddenSize: d } = config;
  return [[tokenEmbeddingName, [V, d]], [positionEmbeddingName, [L, d]], ...towerShapes(names, config)];
}

/** `parameters` must have the tensors of `textTowerShapes`. */
export function createTextTower(
  kernels: TrainingKernels,
  parameters: ParameterSet,
  config: TextTowerConfig,
  room: TowerRoom,
): TextTower {
  return {
    tower: createTower(kernels, parameters, names, config, room, true),
    tokens: parameter(parameters, tokenEmbeddingName),
    positions: parameter(parameters, positionEmbeddingName),
  };
}

/** Flattened places [B] of each caption's first `eos` in ids [B, L]. Throws RangeError for a caption that has none. */
export function firstEos(ids: ArrayLike<number>, L: number, eos: number): Int32Array {
  return Int32Array.from({ length: ids.length / L }, (_, b) => {
    for (let i = b * L; i < (b + 1) * L; i++) if (ids[i] === eos) return i;
    throw new RangeError(`Caption ${b} has no end: expected the id ${eos} among its ${L} ids.`);
  });
}

/** → features [P, E], not normalised; a view that the next batch writes over. */
export function textForward({ tower, tokens, positions }: TextTower, captions: Captions): Floats {
  const { lengths, picks } = captions;
  const d = tower.config.hiddenSize;
  const x = towerInput(tower);
  embedding(x, tokens, captions.tokens, d);
  captions.vectors?.forEach((vector, row) => {
    x.set(vector, row * d);
  });
  addPositions(x, positions, lengths, d);
  layersForward(tower, lengths);
  return headForward(tower, picks);
}

/** Adds the gradients of all parameters, from dfeatures [P, E] of the batch that went forward last. */
export function textBackward(text: TextTower, dfeatures: Floats, captions: Captions): void {
  projectionBackward(text.tower, dfeatures, captions.picks.length);
  textBackwardFromPooled(text, captions);
}

/** Does what `textBackward` does, from the gradient of the picked rows after the final LayerNorm, in `back.pooled`. */
export function textBackwardFromPooled({ tower, tokens, positions }: TextTower, captions: Captions): void {
  const { lengths, picks } = captions;
  const d = tower.config.hiddenSize;
  poolingBackward(tower, picks, captions.tokens.length);
  layersBackward(tower, lengths);
  addPositionsBackward(positions, tower.back.stream, lengths, d);
  for (const row of captions.vectors?.keys() ?? []) tower.back.stream.fill(0, row * d, (row + 1) * d);
  embeddingBackward(tokens, tower.back.stream, captions.tokens, d);
}
