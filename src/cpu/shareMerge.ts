import { panelBytes } from './kernels.ts';
import { type HeldWeight, type LowRankPieces, type Merge, type ShareState, writePart } from './shareState.ts';

export const noMerge = (): Merge => ({ merged: new Map(), lowRank: [], blocks: [], updates: undefined });

/** The bytes of a share's weight in float32. */
const mergedBytes = ({ piece: { N, K }, isMatrix }: HeldWeight) => (isMatrix ? panelBytes(N, K, 'F32') : N * K * 4);

/** Plans a merged weight: in the block at `there`, or in a new one. Null where there is no room. */
function planMerged({ heap, weights, merge }: ShareState, name: string, there?: number): HeldWeight | null {
  const weight = weights.get(name)!;
  const at = there ?? heap.allocate(mergedBytes(weight));
  if (at === null) return null;
  if (there === undefined) merge.blocks.push(at);
  const merged: HeldWeight = { ...weight, at, dtype: 'F32' };
  merge.merged.set(name, merged);
  return merged;
}

/**
 * Makes room for a matrix with updates of low rank, in the place of what is merged now: `finishMerge` computes it there. False
 * where there is no room.
 */
export function prepareLowRank(state: ShareState, pieces: LowRankPieces): boolean {
  const { heap, merged, merge } = state;
  if (!planMerged(state, pieces.name, merged.get(pieces.name)?.at)) return false;
  merge.lowRank.push(pieces);
  const bytes = Math.max(0, ...pieces.parts.map((part) => (part ? part.up.byteLength + part.down.byteLength : 0)));
  if (merge.updates && merge.updates.bytes >= bytes) return true;
  if (merge.updates) heap.free(merge.updates.at);
  const at = heap.allocate(bytes);
  merge.updates = at === null ? undefined : { at, bytes };
  return at !== null;
}

/** Writes the share's pieces of a weight's changed parts. False where there is no room. */
export function prepareValues(state: ShareState, name: string, parts: readonly Float32Array<ArrayBuffer>[]): boolean {
  const merged = planMerged(state, name);
  if (!merged) return false;
  for (const [part, { buffer, byteOffset, byteLength }] of parts.entries())
    writePart(state, merged, part, new Uint8Array(buffer, byteOffset, byteLength));
  return true;
}

/** Merges what was prepared into the weights as they were loaded, and nothing else. */
export function finishMerge(state: ShareState): void {
  const { heap, kernels, weights, merge } = state;
  for (const { name, parts } of merge.lowRank) {
    const { at, dtype, piece } = weights.get(name)!;
    const [N, K] = [piece.N / piece.parts, piece.K];
    for (const [part, update] of parts.entries()) {
      const up = merge.updates!.at;
      const down = up + (update?.up.byteLength ?? 0);
      if (update) {
        heap.floats(up, update.up.length).set(update.up);
        heap.floats(down, update.down.length).set(update.down);
      }
      kernels.loraMerge({
        weight: { at: at + part * panelBytes(N, K, dtype), dtype },
        merged: merge.merged.get(name)!.at + part * panelBytes(N, K, 'F32'),
        ...{ up, upStride: N, down, downStride: K, N, K, R: update?.R ?? 0 },
      });
    }
  }
  const kept = new Set([...merge.merged.values()].map(({ at }) => at));
  for (const { at } of state.merged.values()) if (!kept.has(at)) heap.free(at);
  if (merge.updates) heap.free(merge.updates.at);
  state.merged = merge.merged;
  state.merge = noMerge();
}

/** Forgets what was prepared. */
export function abandonMerge(state: ShareState): void {
  const { heap, merge } = state;
  for (const block of merge.blocks) heap.free(block);
  if (merge.updates) heap.free(merge.updates.at);
  state.merge = noMerge();
}
