import type { ClipTextConfig } from '../clip/config.ts';
import type { WeightedLora } from '../engine/backend.ts';
import {
  type Changes,
  changedParts,
  changesOf,
  type LowRankChanges,
  lowRanks,
  type ReadTensor,
  stackUpdates,
} from '../engine/weightChanges.ts';
import type { WeightSpec } from '../engine/weightReading.ts';
import { float32View } from '../files/dtypes.ts';
import { cut, pieceOf, type WeightPiece } from './division.ts';
import type { LowRankPiece } from './shareState.ts';
import type { Shares } from './shares.ts';

/** Cuts rows and columns out of a float32 matrix of `width` columns. */
function cutFloats(
  { buffer, byteOffset, byteLength }: Float32Array<ArrayBuffer>,
  width: number,
  piece: Pick<WeightPiece, 'rows' | 'columns'>,
): Float32Array<ArrayBuffer> {
  return float32View(cut(new Uint8Array(buffer, byteOffset, byteLength), width, 4, piece));
}

function lowRankPieces({ from }: WeightSpec, updates: LowRankChanges, piece: WeightPiece): (LowRankPiece | null)[] {
  return from.map((_, part) => {
    const changes = updates.get(part);
    if (!changes) return null;
    const R = changes.reduce((sum, { change: { rank } }) => sum + rank, 0);
    const { up, down } = stackUpdates(changes);
    const cutOf = (matrix: Float32Array<ArrayBuffer>, columns: WeightPiece['columns']) =>
      cutFloats(matrix, matrix.length / R, { rows: [0, R], columns });
    return { R, up: cutOf(up, piece.rows), down: cutOf(down, piece.columns) };
  });
}

/** Prepares one weight's changes in every share that has a piece of it. False where one has no room. */
async function prepareWeight(
  shares: Shares,
  config: ClipTextConfig,
  [name, spec]: readonly [string, WeightSpec],
  changes: Changes,
  readTensor: ReadTensor,
): Promise<boolean> {
  const pieces = shares.all.map((share) => pieceOf(config, share, name, spec));
  const updates = spec.kind === 'matrix' ? lowRanks(changes) : null;
  const values = updates ? undefined : await changedParts(spec, changes, readTensor);
  const partOf = (part: number) => {
    const size = values!.length / spec.from.length;
    return values!.subarray(part * size, (part + 1) * size);
  };
  const asked = pieces.map((piece, i) => {
    if (!piece) return true;
    const call = i === 0 ? undefined : shares.others[i - 1];
    if (updates) {
      const argument = { name, parts: lowRankPieces(spec, updates, piece) };
      return call ? call.call('prepareLowRank', argument) : shares.first.prepareLowRank(argument);
    }
    const argument = { name, parts: spec.from.map((_, part) => partOf(part)) };
    return call ? call.call('prepareValues', argument) : shares.first.prepareValues(argument);
  });
  return (await Promise.all(asked)).every(Boolean);
}

/**
 * Merges LoRAs into the weights that they change, and no others. A matrix that only low ranks change is merged by the kernel; any
 * other weight is read anew and changed in float64. Returns the names of the changed weights, or null where there is no room;
 * then, and where it rejects with what `readTensor` throws, everything stays as it was.
 */
export async function mergeIntoShares(
  shares: Shares,
  config: ClipTextConfig,
  specs: ReadonlyMap<string, WeightSpec>,
  loras: readonly WeightedLora[],
  readTensor: ReadTensor,
): Promise<string[] | null> {
  const names: string[] = [];
  const abandon = () => shares.call('abandonMerge', () => undefined as never);
  try {
    for (const [name, changes] of changesOf(specs, loras)) {
      names.push(name);
      if (await prepareWeight(shares, config, [name, specs.get(name)!], changes, readTensor)) continue;
      await abandon();
      return null;
    }
  } catch (error) {
    await abandon();
    throw error;
  }
  await shares.call('finishMerge', () => undefined as never);
  return names;
}
