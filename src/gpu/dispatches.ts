import type { ClipTextConfig } from '../clip/config.ts';
import type { Schedule, Step } from '../engine/schedule.ts';
import { attentionDispatch } from './attention.ts';
import { epilogues, type KernelDispatch } from './kernels.ts';
import { chooseMatmul } from './matmul.ts';
import type { KernelChoice } from './tuning.ts';

const plainKernels: KernelChoice = { kernel: 'matmul', support: { subgroups: false } };

/** The kernel that computes a step of a schedule, with its constants and grid. */
export function stepDispatch(
  step: Step,
  { range, tensors }: Pick<Schedule, 'range' | 'tensors'>,
  config: ClipTextConfig,
  choice: KernelChoice = plainKernels,
): KernelDispatch {
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, layerNormEps } = config;
  const queries = range.end - range.first;
  const rows = range.passes * queries;
  switch (step.operation) {
    case 'embeddings':
      return { kernel: 'embeddings', constants: {}, grid: [Math.ceil((rows * d) / 4 / 64), 1, 1] };
    case 'layer_norm': {
      const lanes = choice.layerNormLanes;
      const constants = { D: d, EPSILON: layerNormEps, ...(lanes && { WORKGROUP: lanes }) };
      return { kernel: 'layer_norm', constants, grid: [rows, 1, 1] };
    }
    case 'linear': {
      const [N, K] = tensors.get(step.tensors[1])!.shape;
      const { kernel, constants, grid } = chooseMatmul(choice, { M: rows, K, N });
      return { kernel, constants: { K, N, EPILOGUE: epilogues[step.epilogue!], ...constants }, grid };
    }
    case 'attention': {
      const shape = { queries, heads: h, passes: range.passes };
      const { kernel, constants, grid } =
        attentionDispatch(choice.attention ?? 'attention', shape, choice.support) ??
        attentionDispatch('attention', shape, choice.support)!;
      return { kernel, constants: { L, H: h, HEAD_DIM: headDim, ...constants }, grid };
    }
    default:
      return step.operation satisfies never;
  }
}
