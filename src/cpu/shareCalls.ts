import type { ClipTextConfig } from '../clip/config.ts';
import { type Schedule, schedule } from '../engine/schedule.ts';
import type { WeightSpec } from '../engine/weightReading.ts';
import type { WeightDtype } from '../files/dtypes.ts';
import type { Share } from './division.ts';
import { createHeap } from './heap.ts';
import { type CompiledKernels, cpuKernels, type TileRows } from './kernels.ts';
import { layoutOf, segmentsOf } from './layout.ts';
import { abandonMerge, finishMerge, noMerge, prepareLowRank, prepareValues } from './shareMerge.ts';
import {
  allocateWeights,
  type LowRankPieces,
  loadPart,
  type PlacedPlan,
  readPieceRow,
  type ShareState,
} from './shareState.ts';
import { type Place, placesOf, runSegment, tensorPart, wholeRows } from './shareSteps.ts';

export interface ShareSetup {
  readonly config: ClipTextConfig;
  readonly share: Share;
  readonly specs: ReadonlyMap<string, WeightSpec>;
  readonly compiled: CompiledKernels;
}

/** One part of a weight, whole, in the type in which the weight is loaded. */
export interface WeightPart {
  readonly name: string;
  readonly part: number;
  readonly dtype: WeightDtype;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Rows of a pass to compute by the steps of a segment. */
export interface SegmentRun {
  readonly place: Place;
  readonly segment: number;
  readonly first: number;
  readonly end: number;
  /** Rows [end − first, d] that the segment reads; undefined where the share has them. */
  readonly input: Float32Array<ArrayBuffer> | undefined;
}

/** The share's summand of a segment's output. */
export interface SegmentResult {
  /** Rows [end − first, d], a view of the share's memory; undefined where the segment ends without an exchange. */
  readonly output: Float32Array<ArrayBuffer> | undefined;
  /** Time of each step. */
  readonly milliseconds: readonly number[];
}

/** A share of the encoder, in a memory of its own. All that allocate return false where there is no room, and change nothing then. */
export interface ShareCalls {
  /** Writes the share's piece of one part of a weight; parts come in order. Gives the part back, for other shares. */
  writeWeight(of: WeightPart): { readonly isWritten: boolean; readonly data: WeightPart['data'] };
  useTiles(tileRows: TileRows): void;
  /** Makes room for as many passes, the first of which are kept. */
  setSlots(slots: number): boolean;
  /** Writes a pass's mask [L, L], bytes, and where the share computes the embeddings its token rows [L, d]. */
  writeInputs(of: { readonly place: Place; readonly mask: Uint8Array; readonly tokenRows?: Float32Array }): void;
  run(of: SegmentRun): SegmentResult;
  /** Adds another share's summand [end − first, d] to a segment's output. Overwrites the scratch block. */
  add(of: Omit<SegmentRun, 'input'> & { readonly summand: Float32Array<ArrayBuffer> }): void;
  /** Reads the share's parts of tensors, whole; views of its memory. */
  read(of: { readonly place: Place; readonly names: readonly string[] }): readonly Float32Array<ArrayBuffer>[];
  /** Writes the share's part of a tensor, whole. */
  write(of: { readonly place: Place; readonly name: string; readonly values: Float32Array<ArrayBuffer> }): void;
  /** Reads one row of the share's piece of a weight, as the kernels read it. */
  readRow(of: { readonly name: string; readonly row: number }): Float32Array<ArrayBuffer>;
  prepareLowRank(of: LowRankPieces): boolean;
  prepareValues(of: { readonly name: string; readonly parts: readonly Float32Array<ArrayBuffer>[] }): boolean;
  finishMerge(): void;
  abandonMerge(): void;
  /** Makes a place beside the slots for a schedule of one pass. */
  beginInspection(plan: Schedule): boolean;
  endInspection(): void;
}

/** Makes a share, with room for its weights and for no pass. Null where there is no room. */
export async function createShare({ config, share, specs, compiled }: ShareSetup): Promise<ShareCalls | null> {
  const heap = createHeap();
  const place = (plan: Schedule): PlacedPlan => ({
    plan,
    segments: segmentsOf(plan),
    layout: layoutOf(config, share, plan),
  });
  const encode = place(schedule(config, 1));
  const allocated = allocateWeights(heap, config, share, specs, encode.layout.scratchBytes);
  if (!allocated) return null;
  const state: ShareState = {
    ...{ config, share, heap, encode, ...allocated },
    kernels: await cpuKernels(compiled, heap.memory),
    merged: new Map(),
    merge: noMerge(),
    slots: [],
    inspection: undefined,
    tileRows: 4,
  };
  return {
    writeWeight: ({ name, part, dtype, data }) => ({ isWritten: loadPart(state, name, part, dtype, data), data }),
    useTiles(tileRows) {
      state.tileRows = tileRows;
    },
    setSlots: (slots) => setSlots(state, slots),
    writeInputs({ place, mask, tokenRows }) {
      const { at, placed } = placesOf(state, place);
      if (placed.plan.tensors.has('mask')) heap.bytes(at('mask'), mask.length).set(mask);
      if (tokenRows && placed.plan.tensors.has('tokenRows'))
        heap.floats(at('tokenRows'), tokenRows.length).set(tokenRows);
    },
    run({ place, segment, first, end, input }) {
      const of = placesOf(state, place).placed.segments[segment];
      if (input) wholeRows(state, place, of.input!, first, end).set(input);
      const milliseconds = runSegment(state, place, segment, first, end);
      const { output } = of;
      return { output: output === undefined ? undefined : wholeRows(state, place, output, first, end), milliseconds };
    },
    add({ place, segment, first, end, summand }) {
      const { placed, matmulScratch } = placesOf(state, place);
      const sum = wholeRows(state, place, placed.segments[segment].output!, first, end).byteOffset;
      heap.floats(matmulScratch, summand.length).set(summand);
      state.kernels.embeddings(matmulScratch, sum, sum, summand.length);
    },
    read: ({ place, names }) => names.map((name) => tensorPart(state, place, name)),
    write: ({ place, name, values }) => tensorPart(state, place, name).set(values),
    readRow: ({ name, row }) => readPieceRow(state, state.merged.get(name) ?? state.weights.get(name)!, row),
    prepareLowRank: (pieces) => prepareLowRank(state, pieces),
    prepareValues: ({ name, parts }) => prepareValues(state, name, parts),
    finishMerge: () => finishMerge(state),
    abandonMerge: () => abandonMerge(state),
    beginInspection(plan) {
      const placed = place(plan);
      const block = heap.allocate(placed.layout.slotBytes + placed.layout.scratchBytes);
      if (block !== null) state.inspection = { ...placed, block };
      return block !== null;
    },
    endInspection() {
      if (state.inspection) heap.free(state.inspection.block);
      state.inspection = undefined;
    },
  };
}

function setSlots({ heap, slots, encode }: ShareState, count: number): boolean {
  const before = slots.length;
  while (slots.length < count) {
    const block = heap.allocate(encode.layout.slotBytes);
    if (block === null) return setSlots({ heap, slots, encode } as ShareState, before) && false;
    slots.push(block);
  }
  for (const block of slots.splice(count)) heap.free(block);
  return true;
}
