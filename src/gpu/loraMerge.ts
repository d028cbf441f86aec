import { tokenEmbeddingName } from '../clip/weights.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { changedWeight, isLowRank, type LoraUpdate, type LowRankUpdate } from '../models/loraDelta.ts';
import { usage } from './flags.ts';
import { dispatch, type Pipelines } from './kernels.ts';
import { destroyWeights, findTensor, type Weight, type Weights } from './upload.ts';

/** A LoRA's updates, and by how much they are added. */
export interface WeightedLora {
  readonly updates: readonly LoraUpdate[];
  readonly multiplier: number;
}

type Multiplied<U extends LoraUpdate> = U & { readonly multiplier: number };

/** Rows of a weight that one thread computes. */
const rowsOfThread = 8;

/**
 * Stacks the updates of one weight [N, K], at least one, as lora_merge reads them: the merged weight is weight + upᵀ · down.
 * R is the sum of their ranks.
 */
export function stackUpdates(updates: readonly Pick<Multiplied<LowRankUpdate>, 'change' | 'scale' | 'multiplier'>[]): {
  /** [R, M], scaled; M is N rounded up to 8. */
  readonly up: Float32Array<ArrayBuffer>;
  /** [R, K] */
  readonly down: Float32Array<ArrayBuffer>;
} {
  const R = updates.reduce((sum, { change: { rank } }) => sum + rank, 0);
  const [{ change: first }] = updates;
  const [N, K] = [first.up.length / first.rank, first.down.length / first.rank];
  const M = Math.ceil(N / rowsOfThread) * rowsOfThread;
  const stacked = { up: new Float32Array(R * M), down: new Float32Array(R * K) };
  let from = 0;
  for (const { change, scale, multiplier } of updates) {
    const { rank, up, down } = change;
    const factor = multiplier * scale;
    for (let r = 0; r < rank; r++)
      for (let row = 0; row < N; row++) stacked.up[(from + r) * M + row] = factor * up[row * rank + r];
    stacked.down.set(down, from * K);
    from += rank;
  }
  return stacked;
}

/** Workgroups for a weight [N, K]. */
export const mergeGrid = (N: number, K: number): [number, number, number] => [
  Math.ceil(K / 4 / 16),
  Math.ceil(N / rowsOfThread / 4),
  1,
];

/** Reads a tensor of the model by its Hugging Face name, as float32. */
export type ReadTensor = (name: string) => Promise<Float32Array<ArrayBuffer>>;

/** The updates of one weight, by the part of it that they change: Q, K and V are parts of one. */
type Changes = ReadonlyMap<number, readonly Multiplied<LoraUpdate>[]>;

/**
 * Merges LoRAs into the weights that they change. Returns these weights by name, in float32 and in buffers of their own, which
 * the caller destroys; the originals are only read. A matrix that only low ranks change is merged on the GPU; any other weight
 * is read anew, changed in float64 and uploaded. Null where the GPU has no room for them. Rejects with what `readTensor` throws.
 */
export async function mergeLoras(
  device: GPUDevice,
  pipelines: Pipelines,
  weights: Weights,
  loras: readonly WeightedLora[],
  readTensor: ReadTensor,
): Promise<Map<string, Weight> | null> {
  const onGpu: LowRankMerge[] = [];
  const uploads: { readonly name: string; readonly weight: Weight; readonly values: Float32Array<ArrayBuffer> }[] = [];
  for (const [name, changes] of changesOf(weights, loras)) {
    const weight = weights.get(name)!;
    const updates = weight.kind === 'matrix' ? lowRanks(changes) : null;
    if (updates) {
      const pipeline = await pipelines('lora_merge', { K: weight.shape[1] }, weight.dtype);
      onGpu.push({ name, updates, weight, pipeline });
    } else uploads.push({ name, weight, values: await changedParts(weight, changes, readTensor) });
  }

  const merged = new Map<string, Weight>();
  // Nothing is awaited until this scope is popped, so that no other scope comes between.
  device.pushErrorScope('out-of-memory');
  const bufferFor = (name: string, weight: Weight) => {
    const buffer = device.createBuffer({
      label: `${name} with LoRAs`,
      size: elementCount(weight.shape) * 4,
      usage: usage.storage | usage.copySource | usage.copyTarget,
    });
    merged.set(name, { ...weight, buffer, dtype: 'F32' });
    return buffer;
  };
  for (const { name, weight, values } of uploads) device.queue.writeBuffer(bufferFor(name, weight), 0, values);
  mergeLowRanks(device, onGpu, bufferFor);
  if (!(await device.popErrorScope())) return merged;
  destroyWeights(merged);
  return null;
}

/** Returns a weight's updates if all of them are of low rank. */
function lowRanks(changes: Changes): LowRankMerge['updates'] | null {
  const updates = new Map<number, Multiplied<LowRankUpdate>[]>();
  for (const [part, all] of changes)
    for (const update of all) {
      if (!isLowRank(update)) return null;
      updates.set(part, [...(updates.get(part) ?? []), update]);
    }
  return updates;
}

/** Reads a weight's parts anew and changes them. */
async function changedParts(
  { from, shape }: Weight,
  changes: Changes,
  readTensor: ReadTensor,
): Promise<Float32Array<ArrayBuffer>> {
  const values = new Float32Array(elementCount(shape));
  let at = 0;
  for (const [part, name] of from.entries()) {
    const tensor = changedWeight(await readTensor(name), changes.get(part) ?? []);
    values.set(tensor, at);
    at += tensor.length;
  }
  return values;
}

/** A matrix, and the updates of its parts. */
interface LowRankMerge {
  readonly name: string;
  readonly weight: Weight;
  readonly updates: ReadonlyMap<number, readonly Multiplied<LowRankUpdate>[]>;
  readonly pipeline: GPUComputePipeline;
}

/** Merges on the GPU, into buffers that `bufferFor` makes. */
function mergeLowRanks(
  device: GPUDevice,
  merges: readonly LowRankMerge[],
  bufferFor: (name: string, weight: Weight) => GPUBuffer,
): void {
  const temporary: GPUBuffer[] = [];
  const upload = (data: Float32Array<ArrayBuffer>) => {
    const buffer = device.createBuffer({ size: data.byteLength, usage: usage.storage | usage.copyTarget });
    temporary.push(buffer);
    device.queue.writeBuffer(buffer, 0, data);
    return { buffer };
  };
  const encoder = device.createCommandEncoder({ label: 'lora_merge' });
  const pass = encoder.beginComputePass({ label: 'lora_merge' });
  for (const { name, updates, weight, pipeline } of merges) {
    const buffer = bufferFor(name, weight);
    const [N, K] = [weight.shape[0] / weight.from.length, weight.shape[1]];
    const partOf = (buffer: GPUBuffer, part: number, dtype: WeightDtype) => {
      const size = N * K * weightBytes[dtype];
      return { buffer, offset: part * size, size };
    };
    // A part that nothing changes is copied, by an update of zeros.
    const zeros = {
      scale: 1,
      multiplier: 0,
      change: { kind: 'LoRA', rank: 1, up: new Float32Array(N), down: new Float32Array(K) },
    } as const;
    for (let part = 0; part < weight.from.length; part++) {
      const { up, down } = stackUpdates(updates.get(part) ?? [zeros]);
      const resources = [
        partOf(weight.buffer, part, weight.dtype),
        upload(up),
        upload(down),
        partOf(buffer, part, 'F32'),
      ];
      const bindGroup = device.createBindGroup({
        label: name,
        layout: pipeline.getBindGroupLayout(0),
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
      dispatch(pass, { pipeline, bindGroup, grid: mergeGrid(N, K) });
    }
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
  for (const buffer of temporary) buffer.destroy();
}

/** Sorts the updates of all LoRAs by the weight that they change; the token table's are not among them (see tokenRowsOf). */
function changesOf(weights: Weights, loras: readonly WeightedLora[]): Map<string, Changes> {
  const changes = new Map<string, Map<number, Multiplied<LoraUpdate>[]>>();
  for (const { updates, multiplier } of loras)
    for (const update of updates) {
      if (update.target === tokenEmbeddingName) continue;
      const { name, part } = findTensor(weights, update.target);
      const parts = changes.get(name) ?? new Map<number, Multiplied<LoraUpdate>[]>();
      changes.set(name, parts.set(part, [...(parts.get(part) ?? []), { ...update, multiplier }]));
    }
  return changes;
}
