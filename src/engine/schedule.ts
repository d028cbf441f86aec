import type { ClipTextConfig } from '../clip/config.ts';
import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  type LayerPart,
  layerTensor,
  positionEmbeddingName,
} from '../clip/weights.ts';
import { elementCount } from '../files/tensorFile.ts';

/**
 * Kinds of tensors. `role`: weights and inputs are filled from outside, activations are written by a step before they are
 * read. `bySlot`: each of S passes has its own part, [S, …]. `byRow`: a step that computes some rows needs only these rows,
 * [S, L, …] or [L, …].
 */
const kinds = {
  /** Weight of a linear layer [out, in]. Stays in the type that the file stores. */
  matrix: { role: 'weight', bySlot: false, byRow: false },
  /** Bias, or weight of a LayerNorm [n]. Float32. */
  vector: { role: 'weight', bySlot: false, byRow: false },
  /** Position embedding [L, d]. Float32. */
  positions: { role: 'weight', bySlot: false, byRow: true },
  /** Token embeddings [S, L, d]. */
  tokenRows: { role: 'input', bySlot: true, byRow: true },
  /** Attention mask [S, L, L]: 1 where query i sees key j. */
  mask: { role: 'input', bySlot: true, byRow: false },
  /** First row, the row after the last, first slot [3]. */
  range: { role: 'input', bySlot: false, byRow: false },
  /** A vector for each token [S, L, width]. */
  rows: { role: 'activation', bySlot: true, byRow: true },
  /** Queries, keys and values side by side [S, L, 3d]. */
  qkv: { role: 'activation', bySlot: true, byRow: true },
  /** Attention [S, h, L, L]. */
  probabilities: { role: 'activation', bySlot: true, byRow: false },
} as const;

export type TensorKind = keyof typeof kinds;

/** A named, shaped array of numbers; four bytes each, except in a matrix. */
export interface TensorSpec {
  readonly kind: TensorKind;
  readonly role: 'weight' | 'input' | 'activation';
  readonly bySlot: boolean;
  readonly byRow: boolean;
  readonly shape: readonly number[];
  /** Names of the model's tensors that a weight consists of, equally large, one below the other; empty for the rest. */
  readonly from: readonly string[];
}

/** Rows (tokens) to compute: some of the pass in `slot`, or all of `passes` passes in the slots from there on. */
export interface RowRange {
  readonly slot: number;
  readonly passes: number;
  readonly first: number;
  /** The row after the last. */
  readonly end: number;
}

/** An operation's tensors, in the order in which every kernel of it takes them. */
export const operands = {
  embeddings: { reads: ['rows', 'positions'], writes: ['hidden'] },
  layer_norm: { reads: ['x', 'weight', 'bias'], writes: ['y'] },
  /** The bias stands in for a residual that the epilogue does not read. */
  linear: { reads: ['x', 'weight', 'bias', 'residual'], writes: ['y'] },
  attention: { reads: ['qkv', 'mask', 'range'], writes: ['probabilities', 'attended'] },
} as const;

export type Operation = keyof typeof operands;

/** The operation that follows the product in a linear layer, besides the bias that all of them add. */
export type Epilogue = 'bias' | 'quickGelu' | 'residual';

export interface Step {
  readonly operation: Operation;
  /** A linear layer has one; the other operations have none. */
  readonly epilogue?: Epilogue;
  /** The step's name, from the model's own names: `layers.0.mlp.fc1`. */
  readonly label: string;
  /** Tensor names, in the order of `operands`. */
  readonly tensors: readonly string[];
  /** Multiplications and additions, for GFLOP/s; in attention as if no key were masked. */
  readonly flops: number;
}

/** Everything an encode does, as data: it can be printed, counted and checked without an engine. */
export interface Schedule {
  /** Passes there is room for. */
  readonly slots: number;
  readonly range: RowRange;
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly steps: readonly Step[];
}

/** A schedule that is being written. */
export interface Draft extends Schedule {
  readonly config: ClipTextConfig;
  readonly tensors: Map<string, TensorSpec>;
  readonly steps: Step[];
  /** Rows that each step computes, of all passes of the range. */
  readonly rows: number;
}

/** Residual stream before layer i, i = 0 … N; transformers' `hidden_states[i]`. */
export const hiddenName = (i: number) => `hiddenStates.${i}`;
export const attentionsName = (layer: number) => `attentions.${layer}`;

/** Returns a schedule without steps. Throws RangeError where some rows of several passes are asked for. */
export function beginSchedule(
  config: ClipTextConfig,
  slots: number,
  range: RowRange = { slot: 0, passes: slots, first: 0, end: config.maxPositionEmbeddings },
): Draft {
  const queries = range.end - range.first;
  if (range.passes > 1 && queries !== config.maxPositionEmbeddings)
    throw new RangeError('Some rows can be computed of a single pass only; several passes are computed whole.');
  return { config, slots, range, rows: range.passes * queries, tensors: new Map(), steps: [] };
}

/** Names a tensor, and adds it where it is new. */
function tensor(draft: Draft, name: string, kind: TensorKind, shape: readonly number[], from: readonly string[] = []) {
  const known = draft.tensors.get(name);
  if (known && known.shape.join() !== shape.join())
    throw new Error(`Tensor ${name} is both [${known.shape}] and [${shape}].`);
  if (!known) draft.tensors.set(name, { kind, ...kinds[kind], shape, from });
  return name;
}

/** Names a tensor [S, L, width]. */
export const rowsOf = (draft: Draft, name: string, width: number, kind: TensorKind = 'rows') =>
  tensor(draft, name, kind, [draft.slots, draft.config.maxPositionEmbeddings, width]);

/** X₀ = T + P. */
export function embeddings(draft: Draft): void {
  const { config, rows, steps } = draft;
  const { maxPositionEmbeddings: L, hiddenSize: d } = config;
  const tensors = [
    rowsOf(draft, 'tokenRows', d, 'tokenRows'),
    tensor(draft, 'positionEmbedding', 'positions', [L, d], [positionEmbeddingName]),
    rowsOf(draft, hiddenName(0), d),
  ];
  steps.push({ operation: 'embeddings', label: 'embeddings', tensors, flops: rows * d });
}

function addLayerNorm(draft: Draft, label: string, from: { weight: string; bias: string }, x: string, y: string) {
  const { config, rows, steps } = draft;
  const { hiddenSize: d } = config;
  const weights = [
    tensor(draft, `${label}.weight`, 'vector', [d], [from.weight]),
    tensor(draft, `${label}.bias`, 'vector', [d], [from.bias]),
  ];
  const tensors = [x, ...weights, rowsOf(draft, y, d)];
  steps.push({ operation: 'layer_norm', label, tensors, flops: 8 * rows * d });
}

/** Y = LayerNorm(X), with the weights of this part of a layer. */
export function layerNorm(draft: Draft, layer: number, part: 'layer_norm1' | 'layer_norm2', x: string, y: string) {
  const from = { weight: layerTensor(layer, `${part}.weight`), bias: layerTensor(layer, `${part}.bias`) };
  addLayerNorm(draft, `layers.${layer}.${part}`, from, x, y);
}

/** Z = LayerNorm(X_N). */
export function finalLayerNorm(draft: Draft): void {
  const from = { weight: finalLayerNormWeightName, bias: finalLayerNormBiasName };
  addLayerNorm(draft, 'final_layer_norm', from, hiddenName(draft.config.numHiddenLayers), 'lastHiddenState');
}

/** The linear layers as they are computed, and the model's linear layers that each consists of. */
const linearParts = {
  'self_attn.qkv_proj': ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
  'self_attn.out_proj': ['self_attn.out_proj'],
  'mlp.fc1': ['mlp.fc1'],
  'mlp.fc2': ['mlp.fc2'],
} as const satisfies Record<string, readonly LayerPart[]>;

/** Y = X Wᵀ + b, followed by QuickGELU or preceded by a residual where the epilogue says so. X [S, L, in], Y [S, L, out]. */
export function linear(
  draft: Draft,
  layer: number,
  part: keyof typeof linearParts,
  x: string,
  y: string,
  outFeatures: number,
  epilogue: Epilogue,
  residual?: string,
): void {
  const { rows, steps, tensors } = draft;
  const label = `layers.${layer}.${part}`;
  const inFeatures = tensors.get(x)!.shape[2];
  const from = (end: 'weight' | 'bias') => linearParts[part].map((name) => layerTensor(layer, `${name}.${end}`));
  const weight = tensor(draft, `${label}.weight`, 'matrix', [outFeatures, inFeatures], from('weight'));
  const bias = tensor(draft, `${label}.bias`, 'vector', [outFeatures], from('bias'));
  const out = rowsOf(draft, y, outFeatures, part === 'self_attn.qkv_proj' ? 'qkv' : 'rows');
  steps.push({
    operation: 'linear',
    epilogue,
    label,
    tensors: [x, weight, bias, residual ?? bias, out],
    flops: 2 * rows * inFeatures * outFeatures,
  });
}

/** Probabilities [S, h, L, L], and the values that they weigh, heads side by side [S, L, d]. `qkv` [S, L, 3d]. */
export function attention(draft: Draft, layer: number, qkv: string): void {
  const { config, rows, slots, steps } = draft;
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h } = config;
  const tensors = [
    qkv,
    tensor(draft, 'mask', 'mask', [slots, L, L]),
    tensor(draft, 'range', 'range', [3]),
    tensor(draft, attentionsName(layer), 'probabilities', [slots, h, L, L]),
    rowsOf(draft, 'attended', d),
  ];
  const label = `layers.${layer}.self_attn.attention`;
  steps.push({ operation: 'attention', label, tensors, flops: 4 * rows * L * d });
}

/**
 * One encoder layer in seven steps: LN₁, QKV, attention, output projection + residual, LN₂, fc₁ + QuickGELU, fc₂ + residual.
 * Each layer keeps its own Q, K and V, because rows that are computed later need those of earlier rows.
 */
export function encoderLayer(draft: Draft, layer: number): void {
  const { hiddenSize: d } = draft.config;
  const qkv = `qkv.${layer}`;
  layerNorm(draft, layer, 'layer_norm1', hiddenName(layer), 'normed');
  linear(draft, layer, 'self_attn.qkv_proj', 'normed', qkv, 3 * d, 'bias');
  attention(draft, layer, qkv);
  afterHeads(draft, layer);
}

/** The second part of a layer, from what its heads give. */
export function afterHeads(draft: Draft, layer: number): void {
  const { hiddenSize: d, intermediateSize: m } = draft.config;
  linear(draft, layer, 'self_attn.out_proj', 'attended', 'afterAttention', d, 'residual', hiddenName(layer));
  layerNorm(draft, layer, 'layer_norm2', 'afterAttention', 'normed');
  linear(draft, layer, 'mlp.fc1', 'normed', 'inner', m, 'quickGelu');
  linear(draft, layer, 'mlp.fc2', 'inner', hiddenName(layer + 1), d, 'residual', 'afterAttention');
}

/**
 * The encoder, layer by layer in the order of `clip/reference.ts`, for the passes of all `slots`, or for a range of them.
 * Every operation except attention computes each row by itself, so a range needs nothing of the rows before it but Q, K and V.
 */
export function schedule(config: ClipTextConfig, slots: number, range?: RowRange): Schedule {
  const draft = beginSchedule(config, slots, range);
  embeddings(draft);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) encoderLayer(draft, layer);
  finalLayerNorm(draft);
  return draft;
}

/**
 * Bytes that a step has to read and write, each once. `elementBytes` gives the bytes of one number of a tensor as it is stored,
 * `keys` is the number of keys that the step's queries look at.
 */
export function stepBytes(
  step: Step,
  { slots, range, tensors }: Schedule,
  elementBytes: (name: string) => number,
  keys: number,
): number {
  let sum = 0;
  for (const name of new Set(step.tensors)) {
    const { kind, shape, bySlot, byRow } = tensors.get(name)!;
    const L = shape[shape.length - 2];
    const queries = range.end - range.first;
    // Attention reads Q for the queries, and K and V for the keys.
    const rows = kind === 'qkv' && step.operation === 'attention' ? (queries + 2 * keys) / 3 : queries;
    const bytes = elementCount(shape) * elementBytes(name);
    sum += bytes * (bySlot ? range.passes / slots : 1) * (byRow || bySlot ? rows / L : 1);
  }
  return sum;
}
