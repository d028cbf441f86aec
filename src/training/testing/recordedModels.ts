import type { ImageTowerConfig } from '../imageTower.ts';
import { type ParameterSet, parameter } from '../parameters.ts';
import type { TextTowerConfig } from '../textTower.ts';
import type { TowerConfig } from '../tower.ts';
import type { RecordedCase } from './recordedTraining.ts';

// biome-ignore lint/suspicious/noExplicitAny: the recorded configuration is transformers' own.
type RecordedConfig = any;

function towerConfig(config: RecordedConfig): TowerConfig {
  return {
    hiddenSize: config.hidden_size,
    numAttentionHeads: config.num_attention_heads,
    intermediateSize: config.intermediate_size,
    numHiddenLayers: config.num_hidden_layers,
    layerNormEps: config.layer_norm_eps,
    projectionDim: config.projection_dim,
  };
}

/** A text tower with as many token and position rows as were recorded. */
export function textConfig(
  config: RecordedConfig,
  vocabSize: number,
  maxPositionEmbeddings: number,
): TextTowerConfig & { readonly eosTokenId: number } {
  const tower = towerConfig(config);
  const headDim = tower.hiddenSize / tower.numAttentionHeads;
  return { ...tower, headDim, vocabSize, maxPositionEmbeddings, eosTokenId: config.eos_token_id };
}

export function imageConfig(config: RecordedConfig): ImageTowerConfig {
  return {
    ...towerConfig(config),
    imageSize: config.image_size,
    numChannels: config.num_channels,
    patchSize: config.patch_size,
  };
}

/** Rows of the recorded token table for each of `input_ids`. */
export function tokenRowsOf(recorded: RecordedCase): Int32Array {
  const rows = new Map(Array.from(recorded.array('token_ids'), (id, row) => [id, row]));
  return Int32Array.from(recorded.array('input_ids'), (id) => rows.get(id)!);
}

export function setParameters(parameters: ParameterSet, values: ReadonlyMap<string, Float64Array>): void {
  for (const [name, tensor] of values) parameter(parameters, name).value.set(tensor);
}
