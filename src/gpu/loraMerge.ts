import type { WeightedLora } from '../engine/backend.ts';
import {
  changedParts,
  changesOf,
  type LowRankChanges,
  lowRanks,
  mergedTogether,
  type ReadTensor,
  stackUpdates,
} from '../engine/weightChanges.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { usage } from './flags.ts';
import { dispatch, type Pipelines } from './kernels.ts';
import { destroyWeights, type Weight, type Weights } from './upload.ts';

/** Workgroups for a weight [N, K]. */
export const mergeGrid = (N: number, K: number): [number, number, number] => [
  Math.ceil(K / 4 / 16),
  Math.ceil(N / mergedTogether / 4),
  1,
];

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

/** A matrix, and the updates of its parts. */
interface LowRankMerge {
  readonly name: string;
  readonly weight: Weight;
  readonly updates: LowRankChanges;
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
