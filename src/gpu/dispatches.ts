import type { ClipTextConfig } from '../clip/config.ts';
import type { Schedule, Step } from '../engine/schedule.ts';
import type { Constants, KernelName } from './kernels.ts';

/** Kernels for a linear layer. The first runs on every adapter; which is fastest is measured. */
export const matmulKernels = ['matmul', 'matmul_tile', 'matmul_split'] as const satisfies KernelName[];
export type MatmulKernel = (typeof matmulKernels)[number];

/** Kernels for attention. The first runs on every adapter; which is fastest is measured. */
export const attentionKernels = ['attention', 'attention_group'] as const satisfies KernelName[];
export type AttentionKernel = (typeof attentionKernels)[number];

/** The kernels that an encoder uses, of those that serve one purpose. */
export interface KernelChoice {
  readonly matmul: MatmulKernel;
  readonly attention: AttentionKernel;
}

export const plainKernels: KernelChoice = { matmul: matmulKernels[0], attention: attentionKernels[0] };

/** One dispatch of a kernel, for inputs of a certain shape. */
export interface KernelDispatch {
  readonly kernel: KernelName;
  /** The kernel's override constants. */
  readonly constants: Constants;
  /** Workgroups. */
  readonly grid: readonly [number, number, number];
}

/** Values of EPILOGUE: the operation that follows the product in a linear layer. */
const epilogues = { bias: 0, quickGelu: 1, residual: 2 } as const;

/** Shape of y [M, N] = x [M, K] · W [N, K]ᵀ: M rows, K is in and N is out. */
export interface MatmulShape {
  readonly M: number;
  readonly K: number;
  readonly N: number;
}

/** The largest number of rows that counts as few. The edit of a word changes as many rows as it has tokens, and EOS. */
const mostFew = 8;

/** A linear layer of this shape. A row is to the bit the same among any number of rows, so that rows can be kept. */
export function matmulDispatch(
  kernel: MatmulKernel,
  { M, K, N }: MatmulShape,
  epilogue: keyof typeof epilogues,
): KernelDispatch {
  const layer = { K, N, EPILOGUE: epilogues[epilogue] };
  const isFew = M <= mostFew;
  // Rows of a lane. Rounded up to 2, 4 or 8 so that at most three pipelines are compiled.
  const rows = M <= 2 ? 2 : M <= 4 ? 4 : 8;
  switch (kernel) {
    case 'matmul': {
      const [width, height] = isFew ? [8, 1] : [32, 2];
      return {
        kernel,
        constants: { ...layer, WORKGROUP_X: width, WORKGROUP_Y: height, ROWS: rows },
        grid: [Math.ceil(N / 4 / width), Math.ceil(M / rows / height), 1],
      };
    }
    case 'matmul_tile': {
      const ROWS = isFew ? 1 : 5;
      return { kernel, constants: { ...layer, ROWS }, grid: [Math.ceil(M / (8 * ROWS)), Math.ceil(N / 32), 1] };
    }
    case 'matmul_split': {
      // Larger workgroups read the weights less often, but need many rows.
      const [columns, groups] = isFew ? [4, 1] : [8, 2];
      return {
        kernel,
        constants: { ...layer, COLUMNS: columns, GROUPS: groups, ROWS: rows },
        grid: [Math.ceil(M / (rows * groups)), Math.ceil(N / (4 * columns)), 1],
      };
    }
    default:
      return kernel satisfies never;
  }
}

/** Attention of these queries of every head. */
export function attentionDispatch(
  kernel: AttentionKernel,
  shape: {
    readonly queries: number;
    readonly L: number;
    readonly heads: number;
    readonly headDim: number;
    readonly passes: number;
  },
): KernelDispatch {
  const { queries, L, heads, headDim, passes } = shape;
  const [WORKGROUP, queriesEach] = { attention: [32, 32], attention_group: [128, 4] }[kernel];
  return {
    kernel,
    constants: { L, H: heads, HEAD_DIM: headDim, WORKGROUP },
    grid: [Math.ceil(queries / queriesEach), heads, passes],
  };
}

/** The kernel that computes a step of a schedule, with its constants and grid. */
export function stepDispatch(
  step: Step,
  { range, tensors }: Pick<Schedule, 'range' | 'tensors'>,
  config: ClipTextConfig,
  choice: KernelChoice = plainKernels,
): KernelDispatch {
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: heads, headDim, layerNormEps } = config;
  const { passes } = range;
  const queries = range.end - range.first;
  const rows = passes * queries;
  switch (step.operation) {
    case 'embeddings':
      return { kernel: 'embeddings', constants: {}, grid: [Math.ceil((rows * d) / 4 / 64), 1, 1] };
    case 'layer_norm':
      return { kernel: 'layer_norm', constants: { D: d, EPSILON: layerNormEps }, grid: [rows, 1, 1] };
    case 'linear': {
      const [N, K] = tensors.get(step.tensors[1])!.shape;
      return matmulDispatch(choice.matmul, { M: rows, K, N }, step.epilogue!);
    }
    case 'attention':
      return attentionDispatch(choice.attention, { queries, L, heads, headDim, passes });
    default:
      return step.operation satisfies never;
  }
}
