import type { ClipTextConfig } from '../clip/config.ts';
import { attentionDispatch, attentionKernels } from './attention.ts';
import { type Constants, epilogues, type KernelDispatch, type KernelName } from './kernels.ts';
import { chooseMatmul } from './matmul.ts';
import type { KernelChoice } from './tuning.ts';

/**
 * A named, shaped array of four-byte numbers on the GPU. Weights and inputs are filled from outside; the rest is written by
 * a step before it is read.
 */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly role: 'weight' | 'input' | 'activation';
  /** What each pass has of its own: [S, …] of S slots. */
  readonly bySlot: boolean;
  /** True where a step that does some rows needs only these rows of the tensor: [S, L, …] or [L, …]. */
  readonly byRow: boolean;
}

/** Rows (tokens) to compute: some of the pass in `slot`, or all of `passes` passes in the slots from there on. */
export interface RowRange {
  readonly slot: number;
  readonly passes: number;
  readonly first: number;
  readonly end: number;
}

export interface Step extends KernelDispatch {
  /** What the step computes, in the model's own names: `layers.0.mlp.fc1`. */
  readonly label: string;
  /** Tensor names, in the order of the kernel's bindings. */
  readonly tensors: readonly string[];
  /** Multiplications and additions, for GFLOP/s; of attention as if no key were masked. */
  readonly flops: number;
}

/** Everything an encode does, as data: it can be printed, counted and checked without a GPU. */
export interface Schedule {
  /** Passes there is room for. */
  readonly slots: number;
  readonly range: RowRange;
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly steps: readonly Step[];
}

/** Residual stream before layer i, i = 0 … N; transformers' `hidden_states[i]`. */
export const hiddenName = (i: number) => `hiddenStates.${i}`;
export const attentionsName = (layer: number) => `attentions.${layer}`;

const plainKernels: KernelChoice = { kernel: 'matmul', support: { subgroups: false } };

/**
 * The encoder, layer by layer in the order of `clip/reference.ts`, for the passes of all `slots`, or for a range of them.
 * Every kernel but attention does rows alone, so rows of a pass whose earlier rows are there from before need nothing else:
 * Q, K and V are kept for each layer and slot.
 * Seven dispatches a layer: LN₁, QKV, attention, output projection + residual, LN₂, fc₁ + QuickGELU, fc₂ + residual.
 */
export function schedule(
  config: ClipTextConfig,
  slots: number,
  choice = plainKernels,
  range: RowRange = { slot: 0, passes: slots, first: 0, end: config.maxPositionEmbeddings },
): Schedule {
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, intermediateSize: m } = config;
  const queries = range.end - range.first;
  if (range.passes > 1 && queries !== L) throw new RangeError('Only of a single pass can some rows be computed.');
  const rows = range.passes * queries;
  const { attention = attentionKernels[0], layerNormLanes: lanes } = choice;
  const tensors = new Map<string, TensorSpec>();
  const steps: Step[] = [];
  const tensor = (
    name: string,
    role: TensorSpec['role'],
    shape: readonly number[],
    { bySlot = false, byRow = false } = {},
  ) => {
    const known = tensors.get(name);
    if (known && known.shape.join() !== shape.join())
      throw new Error(`Tensor ${name} is both [${known.shape}] and [${shape}].`);
    if (!known) tensors.set(name, { role, shape, bySlot, byRow });
    return name;
  };
  /** [S, L, width] */
  const rowsOf = (name: string, width: number, role: TensorSpec['role'] = 'activation') =>
    tensor(name, role, [slots, L, width], { bySlot: true, byRow: true });
  const step = (
    kernel: KernelName,
    label: string,
    names: string[],
    constants: Constants,
    grid: Step['grid'],
    flops: number,
  ) => steps.push({ kernel, label, tensors: names, constants, grid, flops });

  function layerNorm(label: string, x: string, y: string) {
    const weights = [tensor(`${label}.weight`, 'weight', [d]), tensor(`${label}.bias`, 'weight', [d])];
    const constants = { D: d, EPSILON: config.layerNormEps, ...(lanes && { WORKGROUP: lanes }) };
    step('layer_norm', label, [x, ...weights, rowsOf(y, d)], constants, [rows, 1, 1], 8 * rows * d);
  }

  function linear(
    label: string,
    x: string,
    inFeatures: number,
    y: string,
    outFeatures: number,
    epilogue: keyof typeof epilogues,
    residual?: string,
  ) {
    const weight = tensor(`${label}.weight`, 'weight', [outFeatures, inFeatures]);
    const bias = tensor(`${label}.bias`, 'weight', [outFeatures]);
    const { kernel, constants, grid } = chooseMatmul(choice, { M: rows, K: inFeatures, N: outFeatures });
    step(
      kernel,
      label,
      // The bias stands in for a residual that the epilogue does not read.
      [x, weight, bias, residual ?? bias, rowsOf(y, outFeatures)],
      { K: inFeatures, N: outFeatures, EPILOGUE: epilogues[epilogue], ...constants },
      grid,
      2 * rows * inFeatures * outFeatures,
    );
  }

  step(
    'embeddings',
    'embeddings',
    [
      rowsOf('tokenRows', d, 'input'),
      tensor('positionEmbedding', 'weight', [L, d], { byRow: true }),
      rowsOf(hiddenName(0), d),
    ],
    {},
    [Math.ceil((rows * d) / 4 / 64), 1, 1],
    rows * d,
  );
  const mask = tensor('mask', 'input', [slots, L, L], { bySlot: true });
  const rangeTensor = tensor('range', 'input', [3]);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const name = (part: string) => `layers.${layer}.${part}`;
    layerNorm(name('layer_norm1'), hiddenName(layer), 'normed');
    const qkv = `qkv.${layer}`;
    linear(name('self_attn.qkv_proj'), 'normed', d, qkv, 3 * d, 'bias');
    const shape = { queries, heads: h, passes: range.passes };
    const attending =
      attentionDispatch(attention, shape, choice.support) ?? attentionDispatch('attention', shape, choice.support)!;
    step(
      attending.kernel,
      name('self_attn.attention'),
      [
        qkv,
        mask,
        rangeTensor,
        tensor(attentionsName(layer), 'activation', [slots, h, L, L], { bySlot: true }),
        rowsOf('attended', d),
      ],
      { L, H: h, HEAD_DIM: headDim, ...attending.constants },
      attending.grid,
      4 * rows * L * d,
    );
    linear(name('self_attn.out_proj'), 'attended', d, 'afterAttention', d, 'residual', hiddenName(layer));
    layerNorm(name('layer_norm2'), 'afterAttention', 'normed');
    linear(name('mlp.fc1'), 'normed', d, 'inner', m, 'quickGelu');
    linear(name('mlp.fc2'), 'inner', m, hiddenName(layer + 1), d, 'residual', 'afterAttention');
  }
  layerNorm('final_layer_norm', hiddenName(config.numHiddenLayers), 'lastHiddenState');
  return { slots, range, tensors, steps };
}

/** Every kernel of attention takes the range as an input, and looks at rows before it too. */
export const isAttention = ({ kernel }: Pick<Step, 'kernel'>) => attentionKernels.some((name) => name === kernel);

/**
 * Bytes that a step has to read and write, each once; `elementBytes` of a tensor's numbers as they are stored, `keys` that
 * its queries look at.
 */
export function stepBytes(
  step: Step,
  { slots, range, tensors }: Schedule,
  elementBytes: (name: string) => number,
  keys: number,
): number {
  let sum = 0;
  for (const name of new Set(step.tensors)) {
    const { shape, bySlot, byRow } = tensors.get(name)!;
    const L = shape[shape.length - 2];
    const queries = range.end - range.first;
    // Of Q the queries, of K and V the keys.
    const rows = name.startsWith('qkv') && isAttention(step) ? (queries + 2 * keys) / 3 : queries;
    const bytes = shape.reduce((a, b) => a * b, 1) * elementBytes(name);
    sum += bytes * (bySlot ? range.passes / slots : 1) * (byRow || bySlot ? rows / L : 1);
  }
  return sum;
}
