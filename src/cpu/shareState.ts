import type { ClipTextConfig } from '../clip/config.ts';
import type { Schedule } from '../engine/schedule.ts';
import type { WeightSpec } from '../engine/weightReading.ts';
import { fromFloat32, toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { cut, pieceOf, type Share, type WeightPiece } from './division.ts';
import type { Heap } from './heap.ts';
import { type CpuKernels, panelBytes, panelColumns, type TileRows } from './kernels.ts';
import type { Layout, Segment } from './layout.ts';

/** A share's piece of a weight in its memory: a matrix in panels, or the elements one after the other. */
export interface HeldWeight {
  readonly piece: WeightPiece;
  readonly at: number;
  readonly dtype: WeightDtype;
  readonly isMatrix: boolean;
}

/** A schedule of one pass, and where a share has its tensors. */
export interface PlacedPlan {
  readonly plan: Schedule;
  readonly segments: readonly Segment[];
  readonly layout: Layout;
}

/** Updates of low rank of one part of a weight, cut to a share's piece [N, K]; `R` is the sum of their ranks. */
export interface LowRankPiece {
  readonly R: number;
  /** [R, N], scaled */
  readonly up: Float32Array<ArrayBuffer>;
  /** [R, K] */
  readonly down: Float32Array<ArrayBuffer>;
}

/** Updates of low rank of a weight; null for a part that nothing changes. */
export interface LowRankPieces {
  readonly name: string;
  readonly parts: readonly (LowRankPiece | null)[];
}

/** A merge that is being prepared: nothing that an encode reads is written yet. */
export interface Merge {
  readonly merged: Map<string, HeldWeight>;
  readonly lowRank: LowRankPieces[];
  /** Blocks that are freed if it is given up. */
  readonly blocks: number[];
  /** Room for the updates of one part. */
  updates: { readonly at: number; readonly bytes: number } | undefined;
}

/** Everything that one share holds, in one memory. */
export interface ShareState {
  readonly config: ClipTextConfig;
  readonly share: Share;
  readonly heap: Heap;
  readonly kernels: CpuKernels;
  readonly encode: PlacedPlan;
  /** The weights as they were loaded. */
  readonly weights: Map<string, HeldWeight>;
  /** Weights with LoRAs merged into them, in blocks of their own. */
  merged: Map<string, HeldWeight>;
  merge: Merge;
  readonly scratch: number;
  /** Beginnings of the blocks of the slots. */
  readonly slots: number[];
  inspection: (PlacedPlan & { readonly block: number }) | undefined;
  tileRows: TileRows;
}

/** Stored bytes of a weight that are packed at once: little enough to stay in a cache. */
const packedTogether = 1 << 18;

/** Allocates a share's weights, all in one block, and its scratch block. Null where there is no room. */
export function allocateWeights(
  heap: Heap,
  config: ClipTextConfig,
  share: Share,
  specs: ReadonlyMap<string, WeightSpec>,
  scratchBytes: number,
): Pick<ShareState, 'weights' | 'scratch'> | null {
  const pieces = [...specs].flatMap(([name, spec]) => {
    const piece = pieceOf(config, share, name, spec);
    return piece ? [{ name, spec, piece }] : [];
  });
  const padded = (bytes: number) => Math.ceil(bytes / 64) * 64;
  const block = heap.allocate(pieces.reduce((sum, { piece }) => sum + padded(piece.bytes), 0));
  const scratch = heap.allocate(Math.max(scratchBytes, packedTogether));
  if (block === null || scratch === null) return null;
  const weights = new Map<string, HeldWeight>();
  let at = block;
  for (const { name, spec, piece } of pieces) {
    weights.set(name, { piece, at, dtype: spec.dtype, isMatrix: spec.kind === 'matrix' });
    at += padded(piece.bytes);
  }
  return { weights, scratch };
}

/** Writes a share's piece of one part of a weight; `data` has all of the part. Overwrites the scratch block. Throws RangeError as `pack` does. */
export function writePart(
  { heap, kernels, scratch }: Pick<ShareState, 'heap' | 'kernels' | 'scratch'>,
  { piece, at, dtype, isMatrix }: HeldWeight,
  part: number,
  data: Uint8Array<ArrayBuffer>,
): void {
  const { K, width, columns } = piece;
  const N = piece.N / piece.parts;
  const [first, end] = piece.rows;
  const bytesOf = (from: number, to: number, room?: Uint8Array<ArrayBuffer>) =>
    cut(data, width, weightBytes[dtype], { rows: [from, to], columns }, room);
  const rowBytes = K * weightBytes[dtype];
  if (!isMatrix) {
    heap.bytes(at + part * N * rowBytes, N * rowBytes).set(bytesOf(first, end));
    return;
  }
  const together = Math.max(1, Math.floor(packedTogether / rowBytes / panelColumns)) * panelColumns;
  const panels = at + part * panelBytes(N, K, dtype);
  for (let row = 0; row < N; row += together) {
    const rows = Math.min(together, N - row);
    const room = heap.bytes(scratch, rows * rowBytes);
    const bytes = bytesOf(first + row, first + row + rows, room);
    if (bytes !== room) room.set(bytes);
    kernels.pack({ dtype, stored: scratch, rowStride: K, panels: panels + row * rowBytes, N: rows, K });
  }
}

/** Copies the first parts of a weight into a block of its own, in float32. Null where there is no room. */
function widened({ heap, kernels }: ShareState, { piece, at, dtype }: HeldWeight, parts: number): HeldWeight | null {
  const [N, K] = [piece.N / piece.parts, piece.K];
  const wide = heap.allocate(panelBytes(piece.N, K, 'F32'));
  if (wide === null) return null;
  const none = { up: 0, upStride: 0, down: 0, downStride: 0, R: 0 };
  if (parts > 0) kernels.loraMerge({ weight: { at, dtype }, merged: wide, ...none, N: N * parts, K });
  return { piece, at: wide, dtype: 'F32', isMatrix: true };
}

/**
 * Writes a share's piece of one part of a weight as it is loaded, parts in order; `data` has all of the part, in the type `stored`. A weight with an F16 element that
 * panels of halves cannot hold is kept in float32 from then on. False where there is no room for that.
 */
export function loadPart(
  state: ShareState,
  name: string,
  part: number,
  stored: WeightDtype,
  data: Uint8Array<ArrayBuffer>,
): boolean {
  const weight = state.weights.get(name)!;
  const widen = () => fromFloat32(toFloat32(data, stored), 'F32');
  try {
    writePart(state, weight, part, weight.dtype === stored ? data : widen());
    return true;
  } catch (error) {
    if (weight.dtype !== 'F16' || !(error instanceof RangeError)) throw error;
  }
  const wide = widened(state, weight, part);
  if (!wide) return false;
  state.weights.set(name, wide);
  writePart(state, wide, part, widen());
  return true;
}

/** Reads one row of a piece as the kernels read it. Overwrites the scratch block. */
export function readPieceRow(
  { heap, kernels, scratch }: ShareState,
  weight: HeldWeight,
  row: number,
): Float32Array<ArrayBuffer> {
  const { piece, at, dtype, isMatrix } = weight;
  const { K } = piece;
  if (!isMatrix) return heap.floats(at + row * K * 4, K).slice();
  const column = row % panelColumns;
  const panel = { at: at + (row - column) * K * weightBytes[dtype], dtype };
  const none = { up: 0, upStride: 0, down: 0, downStride: 0, R: 0 };
  kernels.loraMerge({ weight: panel, merged: scratch, ...none, N: panelColumns, K });
  const widened = heap.floats(scratch, panelColumns * K);
  return Float32Array.from({ length: K }, (_, k) => widened[k * panelColumns + column]);
}
