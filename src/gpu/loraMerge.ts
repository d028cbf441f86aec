import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import type { LoraUpdate, Projection } from '../models/loraFile.ts';
import { dispatch, type Pipelines } from './kernels.ts';

const storage = 0x80; // GPUBufferUsage, which Node has no global for: STORAGE, COPY_DST
const copyTarget = 0x08;

/** A LoRA's updates, and by how much they are added. */
export interface WeightedLora {
  readonly updates: readonly LoraUpdate[];
  readonly multiplier: number;
}

/** A weight of one layer on the GPU, as it is stored. */
export interface Weight {
  readonly buffer: GPUBuffer;
  readonly dtype: WeightDtype;
}

type ScaledUpdate = Pick<LoraUpdate, 'rank' | 'up' | 'down' | 'alpha'> & { readonly multiplier: number };

/** Rows of a weight that a thread has. */
const rowsOfThread = 8;

/**
 * Updates of one and the same weight [N, K] one below the other, as lora_merge reads them: weight + upᵀ · down is the merged
 * one. At least one.
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

const qkv = 'self_attn.qkv_proj.weight';
/** The matrix in which each projection's weight is kept, and the rows of it: Q, K and V are a third of one each. */
const places: Readonly<Record<Projection, { readonly matrix: string; readonly part: number; readonly parts: number }>> =
  {
    qProj: { matrix: qkv, part: 0, parts: 3 },
    kProj: { matrix: qkv, part: 1, parts: 3 },
    vProj: { matrix: qkv, part: 2, parts: 3 },
    outProj: { matrix: 'self_attn.out_proj.weight', part: 0, parts: 1 },
    fc1: { matrix: 'mlp.fc1.weight', part: 0, parts: 1 },
    fc2: { matrix: 'mlp.fc2.weight', part: 0, parts: 1 },
  };

/**
 * The matrices that LoRAs change, changed, by name: in buffers of their own, which the caller destroys, and in float32
 * whatever the originals are in. The originals are only read. Null where the GPU has no room.
 */
export async function mergeLoras(
  device: GPUDevice,
  pipelines: Pipelines,
  weights: ReadonlyMap<string, Weight>,
  loras: readonly WeightedLora[],
): Promise<Map<string, Weight> | null> {
  /** By matrix, then by part of it. */
  const changes = new Map<string, Map<number, ScaledUpdate[]>>();
  for (const { updates, multiplier } of loras)
    for (const update of updates) {
      const { matrix, part } = places[update.projection];
      const name = `layers.${update.layer}.${matrix}`;
      const parts = changes.get(name) ?? new Map<number, ScaledUpdate[]>();
      changes.set(name, parts.set(part, [...(parts.get(part) ?? []), { ...update, multiplier }]));
    }
  const merges = await Promise.all(
    [...changes].map(async ([name, changed]) => {
      const weight = weights.get(name)!;
      const { parts } = Object.values(places).find(({ matrix }) => name.endsWith(`.${matrix}`))!;
      const [[{ down, rank }]] = changed.values();
      const K = down.length / rank;
      const pipeline = await pipelines('lora_merge', { K }, weight.dtype);
      return { name, changed, weight, pipeline, K, parts, elements: weight.buffer.size / weightBytes[weight.dtype] };
    }),
  );

  const merged = new Map<string, Weight>();
  const temporary: GPUBuffer[] = [];
  const upload = (data: Float32Array<ArrayBuffer>) => {
    const buffer = device.createBuffer({ size: data.byteLength, usage: storage | copyTarget });
    temporary.push(buffer);
    device.queue.writeBuffer(buffer, 0, data);
    return { buffer };
  };
  // Nothing is awaited until it is popped, so that no other scope comes between.
  device.pushErrorScope('out-of-memory');
  const encoder = device.createCommandEncoder({ label: 'lora_merge' });
  const pass = encoder.beginComputePass({ label: 'lora_merge' });
  for (const { name, changed, weight, pipeline, K, parts, elements } of merges) {
    const buffer = device.createBuffer({ label: `${name} with LoRAs`, size: elements * 4, usage: storage });
    merged.set(name, { buffer, dtype: 'F32' });
    const size = elements / parts;
    // A part that nothing changes is copied, by an update of zeros.
    const none = { rank: 1, alpha: 1, multiplier: 0, up: new Float32Array(size / K), down: new Float32Array(K) };
    for (let part = 0; part < parts; part++) {
      const partOf = ({ buffer, dtype }: Weight) => {
        const bytes = size * weightBytes[dtype];
        return { buffer, offset: part * bytes, size: bytes };
      };
      const { up, down } = stackUpdates(changed.get(part) ?? [none]);
      const resources = [partOf(weight), upload(up), upload(down), partOf({ buffer, dtype: 'F32' })];
      const bindGroup = device.createBindGroup({
        label: name,
        layout: pipeline.getBindGroupLayout(0),
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
      dispatch(pass, { pipeline, bindGroup, grid: mergeGrid(size / K, K) });
    }
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
  for (const buffer of temporary) buffer.destroy();
  if (!(await device.popErrorScope())) return merged;
  for (const { buffer } of merged.values()) buffer.destroy();
  return null;
}
