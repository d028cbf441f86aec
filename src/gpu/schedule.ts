import type { ClipTextConfig } from '../clip/config.ts';
import { type Constants, epilogues, type KernelName } from './kernels.ts';
import { chooseMatmul, type MatmulKernel, type MatmulSupport } from './matmul.ts';

/**
 * A named, shaped array of four-byte numbers on the GPU. Weights and inputs are filled from outside; the rest is written by
 * a step before it is read.
 */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly role: 'weight' | 'input' | 'activation';
  /** True where a step that does some rows of the batch needs only these rows of the tensor: [B, L, …] or [L, …]. */
  readonly byRow: boolean;
}

/** Rows (tokens) to compute: all of them, or of a single pass those from the first that changed. */
export interface RowRange {
  readonly first: number;
  readonly end: number;
}

export interface Step {
  readonly kernel: KernelName;
  /** What the step computes, in the model's own names: `layers.0.mlp.fc1`. */
  readonly label: string;
  /** Tensor names, in the order of the kernel's bindings. */
  readonly tensors: readonly string[];
  readonly constants: Constants;
  /** Workgroups. */
  readonly grid: readonly [number, number, number];
  /** Multiplications and additions, for GFLOP/s. */
  readonly flops: number;
}

/** Everything an encode does, as data: it can be printed, counted and checked without a GPU. */
export interface Schedule {
  readonly range: RowRange;
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly steps: readonly Step[];
}

const attentionWorkgroup = 32;

/** Residual stream before layer i, i = 0 … N; transformers' `hidden_states[i]`. */
export const hiddenName = (i: number) => `hiddenStates.${i}`;
export const attentionsName = (layer: number) => `attentions.${layer}`;

/** Which kernel does the linear layers; the plain one where it does not suit a layer. */
export interface MatmulChoice {
  readonly kernel: MatmulKernel;
  readonly support: MatmulSupport;
}

const plainMatmul: MatmulChoice = { kernel: 'matmul', support: { subgroups: false } };

/**
 * The encoder, layer by layer in the order of `clip/reference.ts`, for a batch of `batch` passes, or for some rows of a
 * single pass. Every kernel but attention does rows alone, so rows of a pass whose earlier rows are there from before need
 * nothing else: Q, K and V are kept for each layer.
 * Seven dispatches a layer: LN₁, QKV, attention, output projection + residual, LN₂, fc₁ + QuickGELU, fc₂ + residual.
 */
export function schedule(
  config: ClipTextConfig,
  batch: number,
  matmul = plainMatmul,
  range: RowRange = { first: 0, end: config.maxPositionEmbeddings },
): Schedule {
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, intermediateSize: m } = config;
  const queries = range.end - range.first;
  if (batch > 1 && queries !== L) throw new RangeError('Only of a single pass can some rows be computed.');
  const rows = batch * queries;
  const tensors = new Map<string, TensorSpec>();
  const steps: Step[] = [];
  const tensor = (name: string, role: TensorSpec['role'], shape: readonly number[], byRow = false) => {
    const known = tensors.get(name);
    if (known && known.shape.join() !== shape.join())
      throw new Error(`Tensor ${name} is both [${known.shape}] and [${shape}].`);
    if (!known) tensors.set(name, { role, shape, byRow });
    return name;
  };
  /** [B, L, width] */
  const rowsOf = (name: string, width: number) => tensor(name, 'activation', [batch, L, width], true);
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
    const constants = { D: d, EPSILON: config.layerNormEps };
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
    const { kernel, constants, grid } = chooseMatmul(
      matmul.kernel,
      { M: rows, K: inFeatures, N: outFeatures },
      matmul.support,
    );
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
      tensor('tokenRows', 'input', [batch, L, d], true),
      tensor('positionEmbedding', 'weight', [L, d], true),
      rowsOf(hiddenName(0), d),
    ],
    {},
    [Math.ceil((rows * d) / 4 / 64), 1, 1],
    rows * d,
  );
  const mask = tensor('mask', 'input', [batch, L, L]);
  const rangeTensor = tensor('range', 'input', [2]);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const name = (part: string) => `layers.${layer}.${part}`;
    layerNorm(name('layer_norm1'), hiddenName(layer), 'normed');
    const qkv = `qkv.${layer}`;
    linear(name('self_attn.qkv_proj'), 'normed', d, qkv, 3 * d, 'bias');
    step(
      'attention',
      name('self_attn.attention'),
      [qkv, mask, rangeTensor, tensor(attentionsName(layer), 'activation', [batch, h, L, L]), rowsOf('attended', d)],
      { L, H: h, HEAD_DIM: headDim, WORKGROUP: attentionWorkgroup },
      [Math.ceil(queries / attentionWorkgroup), h, batch],
      4 * rows * L * d,
    );
    linear(name('self_attn.out_proj'), 'attended', d, 'afterAttention', d, 'residual', hiddenName(layer));
    layerNorm(name('layer_norm2'), 'afterAttention', 'normed');
    linear(name('mlp.fc1'), 'normed', d, 'inner', m, 'quickGelu');
    linear(name('mlp.fc2'), 'inner', m, hiddenName(layer + 1), d, 'residual', 'afterAttention');
  }
  layerNorm('final_layer_norm', hiddenName(config.numHiddenLayers), 'lastHiddenState');
  return { range, tensors, steps };
}
