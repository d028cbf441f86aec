import { tokenEmbeddingName } from '../clip/weights.ts';
import { elementCount } from '../files/tensorFile.ts';
import { changedWeight, isLowRank, type LoraUpdate, type LowRankUpdate } from '../models/loraDelta.ts';
import type { WeightedLora } from './backend.ts';
import { findTensor, type WeightSpec } from './weightReading.ts';

export type Multiplied<U extends LoraUpdate> = U & { readonly multiplier: number };

/** Rows of a weight that one thread of lora_merge computes; `up` is padded to a multiple of them. */
export const mergedTogether = 8;

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
  const M = Math.ceil(N / mergedTogether) * mergedTogether;
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

/** Reads a tensor of the model by its Hugging Face name, as float32. */
export type ReadTensor = (name: string) => Promise<Float32Array<ArrayBuffer>>;

/** The updates of one weight, by the part of it that they change: Q, K and V are parts of one. */
export type Changes = ReadonlyMap<number, readonly Multiplied<LoraUpdate>[]>;

/** Updates of low rank, by the part of a matrix that they change. */
export type LowRankChanges = ReadonlyMap<number, readonly Multiplied<LowRankUpdate>[]>;

/** Returns a weight's updates if all of them are of low rank. */
export function lowRanks(changes: Changes): LowRankChanges | null {
  const updates = new Map<number, Multiplied<LowRankUpdate>[]>();
  for (const [part, all] of changes)
    for (const update of all) {
      if (!isLowRank(update)) return null;
      updates.set(part, [...(updates.get(part) ?? []), update]);
    }
  return updates;
}

/** Reads a weight's parts anew and changes them. */
export async function changedParts(
  { from, shape }: WeightSpec,
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

/** Sorts the updates of all LoRAs by the weight that they change; the token table's are not among them (see `tokenRowsOf`). */
export function changesOf(
  weights: ReadonlyMap<string, WeightSpec>,
  loras: readonly WeightedLora[],
): Map<string, Changes> {
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
