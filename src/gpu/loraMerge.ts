import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { type LoraUpdate, loraTarget } from '../models/loraFile.ts';
import { usage } from './flags.ts';
import { dispatch, type Pipelines } from './kernels.ts';
import { destroyWeights, findTensor, type Weight, type Weights } from './upload.ts';

/** A LoRA's updates, and by how much they are added. */
export interface WeightedLora {
  readonly updates: readonly LoraUpdate[];
  readonly multiplier: number;
}

type ScaledUpdate = Pick<LoraUpdate, 'rank' | 'up' | 'down' | 'alpha'> & { readonly multiplier: number };

/** Rows of a weight that one thread computes. */
const rowsOfThread = 8;

/**
 * Stacks the updates of one weight [N, K], at least one, as lora_merge reads them: the merged weight is weight + upᵀ · down.
 * R is the sum of their ranks.
 */
export function stackUpdates(updates: readonly ScaledUpdate[]): {
  /** [R, M], scaled; M is N rounded up to 8. */
  readonly up: Float32Array<ArrayBuffer>;
  /** [R, K] */
  readonly down: Float32Array<ArrayBuffer>;
} {
  const R = updates.reduce((sum, { rank }) => sum + rank, 0);
  const [N, K] = [updates[0].up.length / updates[0].rank, updates[0].down.length / updates[0].rank];
  const M = Math.ceil(N / rowsOfThread) * rowsOfThread;
  const stacked = { up: new Float32Array(R * M), down: new Float32Array(R * K) };
  let from = 0;
  for (const { rank, up, down, alpha, multiplier } of updates) {
    const scale = (multiplier * alpha) / rank;
    for (let r = 0; r < rank; r++)
      for (let row = 0; row < N; row++) stacked.up[(from + r) * M + row] = scale * up[row * rank + r];
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

/**
 * Merges LoRAs into the matrices that they change. Returns these matrices by name, in float32 and in buffers of their own, which
 * the caller destroys; the originals are only read. Null where the GPU has no room for them.
 */
export async function mergeLoras(
  device: GPUDevice,
  pipelines: Pipelines,
  weights: Weights,
  loras: readonly WeightedLora[],
): Promise<Map<string, Weight> | null> {
  const changes = changesOf(weights, loras);
  const merges = await Promise.all(
    [...changes].map(async ([name, updates]) => {
      const weight = weights.get(name)!;
      const pipeline = await pipelines('lora_merge', { K: weight.shape[1] }, weight.dtype);
      return { name, updates, weight, pipeline };
    }),
  );

  const merged = new Map<string, Weight>();
  const temporary: GPUBuffer[] = [];
  const upload = (data: Float32Array<ArrayBuffer>) => {
    const buffer = device.createBuffer({ size: data.byteLength, usage: usage.storage | usage.copyTarget });
    temporary.push(buffer);
    device.queue.writeBuffer(buffer, 0, data);
    return { buffer };
  };
  // Nothing is awaited until this scope is popped, so that no other scope comes between.
  device.pushErrorScope('out-of-memory');
  const encoder = device.createCommandEncoder({ label: 'lora_merge' });
  const pass = encoder.beginComputePass({ label: 'lora_merge' });
  for (const { name, updates, weight, pipeline } of merges) {
    const buffer = device.createBuffer({
      label: `${name} with LoRAs`,
      size: elementCount(weight.shape) * 4,
      usage: usage.storage | usage.copySource,
    });
    merged.set(name, { ...weight, buffer, dtype: 'F32' });
    const [N, K] = [weight.shape[0] / weight.from.length, weight.shape[1]];
    const partOf = (buffer: GPUBuffer, part: number, dtype: WeightDtype) => {
      const size = N * K * weightBytes[dtype];
      return { buffer, offset: part * size, size };
    };
    // A part that nothing changes is copied, by an update of zeros.
    const zeros = { rank: 1, alpha: 1, multiplier: 0, up: new Float32Array(N), down: new Float32Array(K) };
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
  if (!(await device.popErrorScope())) return merged;
  destroyWeights(merged);
  return null;
}

/** Sorts the updates of all LoRAs by the matrix that they change, then by the part of it: Q, K and V are parts of one. */
function changesOf(weights: Weights, loras: readonly WeightedLora[]): Map<string, Map<number, ScaledUpdate[]>> {
  const changes = new Map<string, Map<number, ScaledUpdate[]>>();
  for (const { updates, multiplier } of loras)
    for (const update of updates) {
      const { name, part } = findTensor(weights, loraTarget(update));
      const parts = changes.get(name) ?? new Map<number, ScaledUpdate[]>();
      changes.set(name, parts.set(part, [...(parts.get(part) ?? []), { ...update, multiplier }]));
    }
  return changes;
}
