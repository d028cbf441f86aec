import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { attentionMask } from '../clip/masks.ts';
import { operands, type RowRange, type Schedule, type Step, schedule } from '../engine/schedule.ts';
import type { WeightSpec } from '../engine/weightReading.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { type KernelChoice, stepDispatch } from './dispatches.ts';
import { usage } from './flags.ts';
import type { KernelName, Pipelines, Work } from './kernels.ts';
import type { Weights } from './upload.ts';

/** Row ranges whose dispatches are kept. */
const maxPrepared = 64;

/** Alignment of a buffer binding's offset. */
const alignment = 256;
const align = (bytes: number) => Math.ceil(bytes / alignment) * alignment;

/** The buffers that a schedule's steps are bound to. */
export interface BoundBuffers {
  /** Tensor name → its buffer. The range has none: it goes with the bind groups. */
  readonly all: ReadonlyMap<string, GPUBuffer>;
  /** The buffers that were made for this schedule: all but the weights. */
  readonly own: readonly GPUBuffer[];
}

/** Makes a buffer for each tensor that is not a weight. */
export function allocate(device: GPUDevice, { tensors }: Schedule, weights: Weights): BoundBuffers {
  const all = new Map<string, GPUBuffer>();
  const own: GPUBuffer[] = [];
  for (const [name, { kind, role, shape }] of tensors) {
    const weight = weights.get(name);
    if (role === 'weight' && !weight) throw new Error(`The schedule needs a weight "${name}" that was not loaded.`);
    if (weight) all.set(name, weight.buffer);
    else if (kind !== 'range') {
      const buffer = device.createBuffer({
        label: name,
        size: align(elementCount(shape) * 4),
        usage: usage.storage | usage.copySource | usage.copyTarget,
      });
      own.push(buffer);
      all.set(name, buffer);
    }
  }
  return { all, own };
}

export function destroyBuffers({ own }: BoundBuffers): void {
  for (const buffer of own) buffer.destroy();
}

/** Type of the stored weights that a step reads; F32 where it reads none. */
export function weightDtype(
  { operation, tensors }: Step,
  weights: ReadonlyMap<string, Pick<WeightSpec, 'dtype'>>,
): WeightDtype {
  return operation === 'linear' ? weights.get(tensors[operands.linear.reads.indexOf('weight')])!.dtype : 'F32';
}

/** Binds the range's part of a tensor: kernels take the number of rows from arrayLength, so it must not be longer. */
function binding(name: string, step: Step, plan: Schedule, buffers: BoundBuffers, weights: Weights): GPUBufferBinding {
  const { range, tensors, slots } = plan;
  const { shape, bySlot, byRow } = tensors.get(name)!;
  const buffer = buffers.all.get(name)!;
  // Attention takes the range as an input, and reads keys and values before it too.
  if (!byRow || step.operation === 'attention')
    return { buffer, size: elementCount(shape) * weightBytes[weights.get(name)?.dtype ?? 'F32'] };
  const width = shape[shape.length - 1];
  const L = elementCount(shape) / width / (bySlot ? slots : 1);
  const before = (bySlot ? range.slot * L : 0) + range.first;
  const rows = (bySlot ? range.passes : 1) * (range.end - range.first);
  return { buffer, offset: before * width * 4, size: rows * width * 4 };
}

export interface PreparedStep extends Work {
  readonly kernel: KernelName;
}

/** Compiles a schedule's pipelines and binds its buffers. */
export async function prepare(
  device: GPUDevice,
  pipelines: Pipelines,
  plan: Schedule,
  { config, choice }: { readonly config: ClipTextConfig; readonly choice?: KernelChoice },
  buffers: BoundBuffers,
  weights: Weights,
): Promise<readonly PreparedStep[]> {
  const { slot, first, end } = plan.range;
  // Lives as long as the bind groups; too small to be worth destroying earlier.
  const range = device.createBuffer({ label: 'range', size: 12, usage: usage.storage | usage.copyTarget });
  device.queue.writeBuffer(range, 0, Uint32Array.of(first, end, slot));
  return Promise.all(
    plan.steps.map(async (step): Promise<PreparedStep> => {
      const { kernel, constants, grid } = stepDispatch(step, plan, config, choice);
      const pipeline = await pipelines(kernel, constants, weightDtype(step, weights));
      const bindGroup = device.createBindGroup({
        label: step.label,
        layout: pipeline.getBindGroupLayout(0),
        entries: step.tensors.map((name, i) => ({
          binding: i,
          resource:
            plan.tensors.get(name)!.kind === 'range' ? { buffer: range } : binding(name, step, plan, buffers, weights),
        })),
      });
      return { kernel, pipeline, bindGroup, grid };
    }),
  );
}

/** Writes the token embeddings [L, d] and the mask of a pass to one slot's inputs; a schedule may lack either of them. */
export function writeInputs(
  { queue }: GPUDevice,
  { all }: BoundBuffers,
  slot: number,
  pass: EncoderPass,
  rows: Float32Array<ArrayBuffer>,
): void {
  const mask = Uint32Array.from(attentionMask(pass));
  for (const [name, data] of [
    ['tokenRows', rows],
    ['mask', mask],
  ] as const) {
    const buffer = all.get(name);
    if (buffer) queue.writeBuffer(buffer, slot * data.byteLength, data);
  }
}

/** Buffers with room for some passes, and the dispatches of the row ranges that were asked for. */
export interface Activations extends BoundBuffers {
  /** Passes there is room for. */
  readonly slots: number;
  readonly bytes: number;
  /** Dispatches that compute a range, of which the last 64 are kept. Rejects where a kernel cannot be compiled. */
  dispatches(range: RowRange): Promise<readonly PreparedStep[]>;
}

export function createActivations(
  device: GPUDevice,
  pipelines: Pipelines,
  config: ClipTextConfig,
  weights: Weights,
  slots: number,
  choice?: KernelChoice,
): Activations {
  const buffers = allocate(device, schedule(config, slots), weights);
  const prepared = new Map<string, Promise<readonly PreparedStep[]>>();
  return {
    ...buffers,
    slots,
    bytes: buffers.own.reduce((sum, { size }) => sum + size, 0),
    dispatches(range) {
      const key = `${range.slot} ${range.passes} ${range.first} ${range.end}`;
      const steps =
        prepared.get(key) ??
        prepare(device, pipelines, schedule(config, slots, range), { config, choice }, buffers, weights);
      // Puts the range that was used last at the end, so that the first one is the oldest.
      prepared.delete(key);
      prepared.set(key, steps);
      // A compilation that failed once may succeed at the next attempt.
      steps.catch(() => prepared.get(key) === steps && prepared.delete(key));
      if (prepared.size > maxPrepared) prepared.delete(prepared.keys().next().value!);
      return steps;
    },
  };
}
