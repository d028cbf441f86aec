import type { ClipTextConfig } from '../clip/config.ts';
import { type Constants, epilogues, type KernelName } from './kernels.ts';
import { chooseMatmul, type MatmulKernel, type MatmulSupport } from './matmul.ts';

/**
 * A named, shaped array of float32 on the GPU. Weights and inputs are filled from outside; the rest is written by a step
 * before it is read.
 */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly role: 'weight' | 'input' | 'activation';
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
 * The encoder, layer by layer in the order of `clip/reference.ts`, for a batch of `batch` passes.
 * Seven dispatches a layer: LN₁, QKV, attention, output projection + residual, LN₂, fc₁ + QuickGELU, fc₂ + residual.
 */
export function schedule(config: ClipTextConfig, batch: number, matmul = plainMatmul): Schedule {
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, intermediateSize: m } = config;
  const rows = batch * L;
  const tensors = new Map<string, TensorSpec>();
  const steps: Step[] = [];
  const tensor = (name: string, role: TensorSpec['role'], ...shape: number[]) => {
    const known = tensors.get(name);
    if (known && known.shape.join() !== shape.join())
      throw new Error(`Tensor ${name} is both [${known.shape}] and [${shape}].`);
    if (!known) tensors.set(name, { role, shape });
    return name;
  };
  const step = (
    kernel: KernelName,
    label: string,
    names: string[],
    constants: Constants,
    grid: Step['grid'],
    flops: number,
  ) => steps.push({ kernel, label, tensors: names, constants, grid, flops });

  function layerNorm(label: string, x: string, y: string) {
    const weights = [tensor(`${label}.weight`, 'weight', d), tensor(`${label}.bias`, 'weight', d)];
    const constants = { D: d, EPSILON: config.layerNormEps };
    step(
      'layer_norm',
      label,
      [x, ...weights, tensor(y, 'activation', batch, L, d)],
      constants,
      [rows, 1, 1],
      8 * rows * d,
    );
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
    const weight = tensor(`${label}.weight`, 'weight', outFeatures, inFeatures);
    const bias = tensor(`${label}.bias`, 'weight', outFeatures);
    const { kernel, constants, grid } = chooseMatmul(
      matmul.kernel,
      { M: rows, K: inFeatures, N: outFeatures },
      matmul.support,
    );
    step(
      kernel,
      label,
      // The bias stands in for a residual that the epilogue does not read.
      [x, weight, bias, residual ?? bias, tensor(y, 'activation', batch, L, outFeatures)],
      { K: inFeatures, N: outFeatures, EPILOGUE: epilogues[epilogue], ...constants },
      grid,
      2 * rows * inFeatures * outFeatures,
    );
  }

  step(
    'embeddings',
    'embeddings',
    [
      tensor('tokenRows', 'input', batch, L, d),
      tensor('positionEmbedding', 'weight', L, d),
      tensor(hiddenName(0), 'activation', batch, L, d),
    ],
    {},
    [Math.ceil((rows * d) / 4 / 64), 1, 1],
    rows * d,
  );
  const mask = tensor('mask', 'input', batch, L, L);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const name = (part: string) => `layers.${layer}.${part}`;
    layerNorm(name('layer_norm1'), hiddenName(layer), 'normed');
    linear(name('self_attn.qkv_proj'), 'normed', d, 'qkv', 3 * d, 'bias');
    step(
      'attention',
      name('self_attn.attention'),
      [
        'qkv',
        mask,
        tensor(attentionsName(layer), 'activation', batch, h, L, L),
        tensor('attended', 'activation', batch, L, d),
      ],
      { L, H: h, HEAD_DIM: headDim, WORKGROUP: attentionWorkgroup },
      [Math.ceil(L / attentionWorkgroup), h, batch],
      4 * rows * L * d,
    );
    linear(name('self_attn.out_proj'), 'attended', d, 'afterAttention', d, 'residual', hiddenName(layer));
    layerNorm(name('layer_norm2'), 'afterAttention', 'normed');
    linear(name('mlp.fc1'), 'normed', d, 'inner', m, 'quickGelu');
    linear(name('mlp.fc2'), 'inner', m, hiddenName(layer + 1), d, 'residual', 'afterAttention');
  }
  layerNorm('final_layer_norm', hiddenName(config.numHiddenLayers), 'lastHiddenState');
  return { tensors, steps };
}
