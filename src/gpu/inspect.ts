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
import { toFloat32, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { allocate, destroyBuffers, prepare, writeInputs } from './activations.ts';
import { type Engine, tokenRowsOf } from './engine.ts';
import { usage } from './flags.ts';
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
import { isSamePass } from './slots.ts';
import { copyToStaging, dispatchAll, GpuError, submit } from './submit.ts';
import type { KernelChoice } from './tuning.ts';
import { findTensor } from './upload.ts';

/**
 * The steps of one layer with a tensor for each of their results. A linear layer with an epilogue runs twice: without it, for
 * the product alone, and with it, as in an encode. Begins with the layer's input where that is `kept`, else with the embeddings.
 */
function inspectionSchedule(config: ClipTextConfig, layer: number, kept: boolean, choice?: KernelChoice): Schedule {
  const { hiddenSize: d, intermediateSize: m, numHiddenLayers: N } = config;
  const draft = beginSchedule(config, 1, choice);
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
 * The encoder's own kernels compute them in buffers that are destroyed afterwards, so the rows kept for encodes stay as they
 * are. Throws RangeError for a layer that there is not; rejects with GpuError, or with the signal's reason.
 */
export async function inspectLayer(
  engine: Engine,
  pass: EncoderPass,
  layer: number,
  signal?: AbortSignal,
): Promise<LayerTensors> {
  const { device, pipelines, config, choice, bound, name, activations } = engine;
  const { maxPositionEmbeddings: L, hiddenSize: d } = config;
  const shapes = layerTensorShapes(config, layer);
  const isKept = (slot: (typeof activations.slots)[number]) =>
    slot.pass !== undefined && slot.rows === L && isSamePass(slot.pass, pass);
  const slot = layer < 0 ? -1 : activations.slots.findIndex(isKept);
  const plan = inspectionSchedule(config, layer, slot >= 0, choice);
  device.pushErrorScope('out-of-memory');
  const scratch = allocate(device, plan, bound);
  const full = await device.popErrorScope();
  try {
    if (full) throw new GpuError(`The GPU has not enough memory to show a layer of "${name}".`);
    const works = await prepare(device, pipelines, plan, scratch, bound);
    signal?.throwIfAborted();
    writeInputs(device, scratch, 0, pass, tokenRowsOf(engine, pass));
    const names = [...new Set([...shapes.keys()].map((key) => tensorOf(key, layer)))];
    const sizes = names.map((tensor) => elementCount(plan.tensors.get(tensor)!.shape));
    const staging = await submit(device, name, (encoder) => {
      const x = hiddenName(layer);
      if (slot >= 0)
        encoder.copyBufferToBuffer(activations.all.get(x)!, slot * L * d * 4, scratch.all.get(x)!, 0, L * d * 4);
      dispatchAll(encoder, works);
      const copies = names.map((tensor, i) => ({ buffer: scratch.all.get(tensor)!, from: 0, elements: sizes[i] }));
      return copyToStaging(device, encoder, copies);
    });
    const results = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    const read = new Map<string, Float32Array>();
    let from = 0;
    for (const [i, tensor] of names.entries()) {
      read.set(tensor, results.slice(from, from + sizes[i]));
      from += sizes[i];
    }
    const qkv = read.get('qkv');
    const parts = new Map(qkv && splitQkv(qkv, d));
    return new Map([...shapes.keys()].map((key) => [key, parts.get(key) ?? read.get(tensorOf(key, layer))!]));
  } finally {
    destroyBuffers(scratch);
  }
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
  { device, name, bound }: Engine,
  layer: number,
  part: WeightRowPart,
  row: number,
): Promise<WeightRow> {
  const [weightName, biasName] =
    part === 'final_layer_norm'
      ? [finalLayerNormWeightName, finalLayerNormBiasName]
      : (['weight', 'bias'] as const).map((end) => layerTensor(layer, `${part}.${end}` as LayerTensorName));
  const [{ weight, part: index, parts }, bias] = [findTensor(bound, weightName), findTensor(bound, biasName)];
  const rows = weight.shape[0] / parts;
  if (!Number.isInteger(row) || row < 0 || row >= rows)
    throw new RangeError(`${weightName} has no row ${row}; expected 0 to ${rows - 1}.`);
  const at = index * rows + row;
  const rowBytes = (weight.shape[1] ?? 1) * weightBytes[weight.dtype];
  const staging = await submit(device, name, (encoder) => {
    const staging = device.createBuffer({ size: rowBytes + 4, usage: usage.copyTarget | usage.mapRead });
    encoder.copyBufferToBuffer(weight.buffer, at * rowBytes, staging, 0, rowBytes);
    encoder.copyBufferToBuffer(bias.weight.buffer, at * 4, staging, rowBytes, 4);
    return staging;
  });
  const bytes = new Uint8Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return {
    weight: toFloat32(bytes.slice(0, rowBytes), weight.dtype),
    bias: toFloat32(bytes.slice(rowBytes), 'F32')[0],
  };
}
