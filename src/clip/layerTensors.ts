import type { ClipTextConfig } from './config.ts';

/** Tensors that can be read back from one layer, in the order in which they are computed. */
export const layerTensorKeys = [
  'token_embedding',
  'position_embedding',
  'hidden',
  'layer_norm1',
  'q',
  'k',
  'v',
  'probabilities',
  'attended',
  'out_proj',
  'residual1',
  'layer_norm2',
  'fc1',
  'quick_gelu',
  'fc2',
  'residual2',
  'last_hidden_state',
] as const;

export type LayerTensorKey = (typeof layerTensorKeys)[number];

/** Float32 elements of each tensor, row-major, in the shapes of `layerTensorShapes`. */
export type LayerTensors = ReadonlyMap<LayerTensorKey, Float32Array>;

/** Numbers that a layer goes on from, in the place of its own. */
export interface ResumedRows {
  /** [L, d] The residual stream before the layer. */
  readonly hidden: Float32Array;
  /** [L, d] The outputs of its heads, side by side; the layer begins with its input where they are absent. */
  readonly attended?: Float32Array;
}

/**
 * Shapes of the tensors that `layer` has, in the order of `layerTensorKeys`. Layer −1 is the embeddings, 0 to N − 1 are the
 * encoder's layers, and N is the end: the output of the last layer and its final LayerNorm. Throws RangeError for any other.
 */
export function layerTensorShapes(
  config: ClipTextConfig,
  layer: number,
): ReadonlyMap<LayerTensorKey, readonly number[]> {
  const {
    numHiddenLayers: N,
    maxPositionEmbeddings: L,
    hiddenSize: d,
    numAttentionHeads: h,
    intermediateSize: m,
  } = config;
  if (!Number.isInteger(layer) || layer < -1 || layer > N)
    throw new RangeError(`There is no layer ${layer}; expected −1 (the embeddings) to ${N} (the final LayerNorm).`);
  const rows = [L, d];
  if (layer === -1)
    return new Map([
      ['token_embedding', rows],
      ['position_embedding', rows],
      ['hidden', rows],
    ]);
  if (layer === N)
    return new Map([
      ['hidden', rows],
      ['last_hidden_state', rows],
    ]);
  return new Map<LayerTensorKey, readonly number[]>([
    ['hidden', rows],
    ['layer_norm1', rows],
    ['q', rows],
    ['k', rows],
    ['v', rows],
    ['probabilities', [h, L, L]],
    ['attended', rows],
    ['out_proj', rows],
    ['residual1', rows],
    ['layer_norm2', rows],
    ['fc1', [L, m]],
    ['quick_gelu', [L, m]],
    ['fc2', rows],
    ['residual2', rows],
  ]);
}
