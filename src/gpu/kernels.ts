import attention from '../../shaders/attention.wgsl?raw';
import attentionGroup from '../../shaders/attention_group.wgsl?raw';
import crossAttention from '../../shaders/cross_attention.wgsl?raw';
import embeddings from '../../shaders/embeddings.wgsl?raw';
import gatherNeighbours from '../../shaders/gather_neighbours.wgsl?raw';
import gatherSquares from '../../shaders/gather_squares.wgsl?raw';
import heads from '../../shaders/heads.wgsl?raw';
import layerNorm from '../../shaders/layer_norm.wgsl?raw';
import linear from '../../shaders/linear.wgsl?raw';
import loraMerge from '../../shaders/lora_merge.wgsl?raw';
import matmul from '../../shaders/matmul.wgsl?raw';
import matmulSplit from '../../shaders/matmul_split.wgsl?raw';
import matmulTile from '../../shaders/matmul_tile.wgsl?raw';
import multiply from '../../shaders/multiply.wgsl?raw';
import scatterSquares from '../../shaders/scatter_squares.wgsl?raw';
import weightsBf16 from '../../shaders/weights_bf16.wgsl?raw';
import weightsF16 from '../../shaders/weights_f16.wgsl?raw';
import weightsF32 from '../../shaders/weights_f32.wgsl?raw';
import type { WeightDtype } from '../files/dtypes.ts';
import { computeStage } from './flags.ts';
import { GpuError } from './gpuError.ts';

/** Override constants of a pipeline, by their WGSL names. */
export type Constants = Readonly<Record<string, number>>;

type Access = 'read' | 'write';

/** A WGSL file of `shaders`: its bindings in the order of the file's header, all storage buffers of group 0. */
export interface Kernel {
  readonly source: string;
  readonly bindings: readonly (readonly [name: string, access: Access])[];
  /** True where the kernel reads stored weights, and so needs the prelude of their dtype. */
  readonly weights?: boolean;
}

const attentionBindings = [
  ['qkv', 'read'],
  ['mask', 'read'],
  ['range', 'read'],
  ['probabilities', 'write'],
  ['attended', 'write'],
] as const;

const linearBindings = [
  ['x', 'read'],
  ['weight', 'read'],
  ['bias', 'read'],
  ['residual', 'read'],
  ['y', 'write'],
] as const;

export const kernels = {
  embeddings: {
    source: embeddings,
    bindings: [
      ['rows', 'read'],
      ['positions', 'read'],
      ['hidden', 'write'],
    ],
  },
  layer_norm: {
    source: layerNorm,
    bindings: [
      ['x', 'read'],
      ['weight', 'read'],
      ['bias', 'read'],
      ['y', 'write'],
    ],
  },
  matmul: { source: `${linear}\n${matmul}`, bindings: linearBindings, weights: true },
  matmul_tile: { source: `${linear}\n${matmulTile}`, bindings: linearBindings, weights: true },
  matmul_split: { source: `${linear}\n${matmulSplit}`, bindings: linearBindings, weights: true },
  attention: { source: `${heads}\n${attention}`, bindings: attentionBindings },
  attention_group: { source: `${heads}\n${attentionGroup}`, bindings: attentionBindings },
  lora_merge: {
    source: loraMerge,
    bindings: [
      ['weight', 'read'],
      ['up', 'read'],
      ['down', 'read'],
      ['merged', 'write'],
    ],
    weights: true,
  },
  cross_attention: {
    source: crossAttention,
    bindings: [
      ['queries', 'read'],
      ['key_values', 'read'],
      ['places', 'read'],
      ['probabilities', 'write'],
      ['attended', 'write'],
    ],
  },
  multiply: {
    source: multiply,
    bindings: [
      ['a', 'read'],
      ['b', 'read'],
      ['y', 'write'],
    ],
  },
  gather_neighbours: {
    source: gatherNeighbours,
    bindings: [
      ['x', 'read'],
      ['rows', 'write'],
    ],
  },
  gather_squares: {
    source: gatherSquares,
    bindings: [
      ['fine', 'read'],
      ['coarse', 'write'],
    ],
  },
  scatter_squares: {
    source: scatterSquares,
    bindings: [
      ['fine', 'read'],
      ['coarse', 'read'],
      ['y', 'write'],
    ],
  },
} as const satisfies Record<string, Kernel>;

export type KernelName = keyof typeof kernels;

const preludes = { F32: weightsF32, F16: weightsF16, BF16: weightsBf16 } as const satisfies Record<WeightDtype, string>;

/** WGSL of a kernel, with the prelude that reads weights of `dtype` where it reads any. */
function kernelSource(name: KernelName, dtype: WeightDtype = 'F32'): string {
  const { source, weights }: Kernel = kernels[name];
  return weights ? `${preludes[dtype]}\n${source}` : source;
}

/** Pipelines of one device, each made once: a kernel with its constants and, where it reads weights, their dtype. */
export function createPipelines(device: GPUDevice) {
  const modules = new Map<string, GPUShaderModule>();
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();

  function module(name: KernelName, dtype: WeightDtype): GPUShaderModule {
    const code = kernelSource(name, dtype);
    const known = modules.get(code);
    if (known) return known;
    const made = device.createShaderModule({ label: name, code });
    modules.set(code, made);
    return made;
  }

  return function pipeline(name: KernelName, constants: Constants, dtype: WeightDtype = 'F32') {
    const kernel: Kernel = kernels[name];
    const key = `${name} ${kernel.weights ? dtype : ''} ${JSON.stringify(constants)}`;
    const known = pipelines.get(key);
    if (known) return known;
    // An explicit layout, because 'auto' leaves out bindings that a constant makes unused.
    const layout = device.createBindGroupLayout({
      label: name,
      entries: kernel.bindings.map(([, access], binding) => ({
        binding,
        visibility: computeStage,
        buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
      })),
    });
    const made = device
      .createComputePipelineAsync({
        label: name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module: module(name, dtype), entryPoint: 'main', constants },
      })
      .catch((cause: Error) => {
        const [line] = cause.message.split('\n');
        throw new GpuError(`The GPU’s driver cannot compile the kernel “${name}” (${line.replace(/\.$/, '')}).`, {
          cause,
        });
      });
    pipelines.set(key, made);
    // A compilation that failed once may succeed at the next attempt.
    made.catch(() => pipelines.delete(key));
    return made;
  };
}

export type Pipelines = ReturnType<typeof createPipelines>;

const pipelinesByDevice = new WeakMap<GPUDevice, Pipelines>();

/** Pipelines that all encoders of a device share, so that a second model of the same type compiles nothing. */
export function pipelinesOf(device: GPUDevice): Pipelines {
  const pipelines = pipelinesByDevice.get(device) ?? createPipelines(device);
  pipelinesByDevice.set(device, pipelines);
  return pipelines;
}

/** A dispatch that is ready to be recorded. */
export interface Work {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  /** Workgroups. */
  readonly grid: readonly [number, number, number];
}

export function dispatch(pass: GPUComputePassEncoder, { pipeline, bindGroup, grid }: Work): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...grid);
}

/** Binds each buffer from end to end, in the order of the kernel's bindings. */
export function bindWhole(
  device: GPUDevice,
  pipeline: GPUComputePipeline,
  buffers: readonly GPUBuffer[],
): GPUBindGroup {
  return device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
}
