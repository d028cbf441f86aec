import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { type LayerTensorKey, type LayerTensors, layerTensorShapes } from '../clip/layerTensors.ts';
import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  type LayerPart,
  type LayerTensorName,
  layerTensor,
} from '../clip/weights.ts';
import type { Backend } from './backend.ts';
import { type EncoderState, tokenRowsOf } from './encoderState.ts';
import {
  attention,
  attentionsName,
  beginSchedule,
  embeddings,
  encoderLayer,
  finalLayerNorm,
  hiddenName,
  layerNorm,
  linear,
  rowsOf,
  type Schedule,
} from './schedule.ts';
import { isSamePass, type Slot } from './slots.ts';
import { findTensor } from './weightReading.ts';

/**
 * The steps of one layer with a tensor for each of their results. A linear layer with an epilogue runs twice: without it, for
 * the product alone, and with it, as in an encode. Begins with the layer's input where that is `kept`, else with the embeddings.
 */
function inspectionSchedule(config: ClipTextConfig, layer: number, kept: boolean): Schedule {
  const { hiddenSize: d, intermediateSize: m, numHiddenLayers: N } = config;
  const draft = beginSchedule(config, 1);
  const x = hiddenName(Math.max(0, layer));
  if (kept) rowsOf(draft, x, d);
  else embeddings(draft);
  for (let before = 0; before < layer && !kept; before++) encoderLayer(draft, before);
  if (layer === N) finalLayerNorm(draft);
  if (layer < 0 || layer === N) return draft;
  layerNorm(draft, layer, 'layer_norm1', x, 'layer_norm1');
  linear(draft, layer, 'self_attn.qkv_proj', 'layer_norm1', 'qkv', 3 * d, 'bias');
  attention(draft, layer, 'qkv');
  linear(draft, layer, 'self_attn.out_proj', 'attended', 'out_proj', d, 'bias');
  linear(draft, layer, 'self_attn.out_proj', 'attended', 'residual1', d, 'residual', x);
  layerNorm(draft, layer, 'layer_norm2', 'residual1', 'layer_norm2');
  linear(draft, layer, 'mlp.fc1', 'layer_norm2', 'fc1', m, 'bias');
  linear(draft, layer, 'mlp.fc1', 'layer_norm2', 'quick_gelu', m, 'quickGelu');
  linear(draft, layer, 'mlp.fc2', 'quick_gelu', 'fc2', d, 'bias');
  linear(draft, layer, 'mlp.fc2', 'quick_gelu', 'residual2', d, 'residual', 'residual1');
  return draft;
}

/** The schedule's tensor that holds what is read back under `key`; Q, K and V are parts of one. */
function tensorOf(key: LayerTensorKey, layer: number): string {
  switch (key) {
    case 'token_embedding':
      return 'tokenRows';
    case 'position_embedding':
      return 'positionEmbedding';
    case 'hidden':
      return hiddenName(Math.max(0, layer));
    case 'q':
    case 'k':
    case 'v':
      return 'qkv';
    case 'probabilities':
      return attentionsName(layer);
    case 'last_hidden_state':
      return 'lastHiddenState';
    default:
      return key;
  }
}

/** Takes Q, K and V [L, d] each out of [L, 3d]. */
function splitQkv(qkv: Float32Array, d: number): [LayerTensorKey, Float32Array][] {
  return (['q', 'k', 'v'] as const).map((key, part) => {
    const rows = new Float32Array(qkv.length / 3);
    for (let i = 0; i * d < rows.length; i++) rows.set(qkv.subarray((3 * i + part) * d, (3 * i + part + 1) * d), i * d);
    return [key, rows];
  });
}

/**
 * Reads back every tensor of one layer of a pass, all rows with the padding; see `layerTensorShapes` for the layers and shapes.
 * The encoder's own kernels compute them beside the rows kept for encodes, which stay as they are. Throws RangeError for a layer
 * that there is not; rejects with the engine's error, or with the signal's reason.
 */
export async function inspectLayer(
  state: EncoderState,
  pass: EncoderPass,
  layer: number,
  signal?: AbortSignal,
): Promise<LayerTensors> {
  const { backend, config, slots } = state;
  const { maxPositionEmbeddings: L, hiddenSize: d } = config;
  const shapes = layerTensorShapes(config, layer);
  const isKept = (slot: Slot) => slot.pass !== undefined && slot.rows === L && isSamePass(slot.pass, pass);
  const slot = layer < 0 ? -1 : slots.findIndex(isKept);
  const plan = inspectionSchedule(config, layer, slot >= 0);
  const names = [...new Set([...shapes.keys()].map((key) => tensorOf(key, layer)))];
  const kept = slot >= 0 ? { tensor: hiddenName(layer), slot } : undefined;
  const read = await backend.inspect(plan, { pass, tokenRows: tokenRowsOf(state, pass), kept }, names, signal);
  const qkv = read.get('qkv');
  const parts = new Map(qkv && splitQkv(qkv, d));
  return new Map([...shapes.keys()].map((key) => [key, parts.get(key) ?? read.get(tensorOf(key, layer))!]));
}

export type WeightRowPart = LayerPart | 'final_layer_norm';

/** One row of a weight [out, in], and the bias of that row; of a LayerNorm, whose weight is [d], the row's one factor. */
export interface WeightRow {
  /** [in], or [1] of a LayerNorm. */
  readonly weight: Float32Array;
  readonly bias: number;
}

/**
 * Reads one row of a weight back, as the kernels read it: with the LoRAs that are merged, F16 and BF16 decoded. `layer` does not
 * matter for the final LayerNorm. Throws RangeError for a row that there is not.
 */
export async function readWeightRow(
  { weights, readRow }: Backend,
  layer: number,
  part: WeightRowPart,
  row: number,
): Promise<WeightRow> {
  const [weightName, biasName] =
    part === 'final_layer_norm'
      ? [finalLayerNormWeightName, finalLayerNormBiasName]
      : (['weight', 'bias'] as const).map((end) => layerTensor(layer, `${part}.${end}` as LayerTensorName));
  const [of, bias] = [findTensor(weights, weightName), findTensor(weights, biasName)];
  const rows = of.weight.shape[0] / of.parts;
  if (!Number.isInteger(row) || row < 0 || row >= rows)
    throw new RangeError(`${weightName} has no row ${row}; expected 0 to ${rows - 1}.`);
  const at = of.part * rows + row;
  return { weight: await readRow(of.name, at), bias: (await readRow(bias.name, at))[0] };
}
