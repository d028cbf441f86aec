import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LoraUpdate } from '../models/loraDelta.ts';
import type { RowRange, Schedule } from './schedule.ts';
import type { WeightSpec } from './weightReading.ts';

/** A LoRA's updates, and by how much they are added. */
export interface WeightedLora {
  readonly updates: readonly LoraUpdate[];
  readonly multiplier: number;
}

/** A slot whose pass is read back, and how many of its rows are computed. */
export interface ReadySlot {
  readonly slot: number;
  readonly ready: number;
}

/** Times of a schedule's steps, in its order. */
export interface StepTimes {
  readonly steps: readonly {
    readonly kernel: string;
    /** Null where the engine has no clock for it. */
    readonly milliseconds: number | null;
  }[];
  /** Why there are no times; null where there are. */
  readonly noTimes: string | null;
}

/** The input of an inspection: a pass, its token rows [L, d], and a kept tensor of a slot to begin with instead of these. */
export interface InspectionInput {
  readonly pass: EncoderPass;
  readonly tokenRows: Float32Array<ArrayBuffer>;
  readonly kept?: { readonly tensor: string; readonly slot: number };
  /** Tensors of the schedule that it begins with, whole, in the place of steps that would write them. */
  readonly given?: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/**
 * Runs the schedule: WGSL on a GPU, or WebAssembly on a CPU. It holds the weights, and the activations of some slots, `minSlots`
 * at first. Operations run one at a time. All that fail reject with an error in words, and leave the weights and rows as they were.
 */
export interface Backend {
  /** The weights that the steps read, by their names in the schedule; those with LoRAs merged into them are F32. */
  readonly weights: ReadonlyMap<string, WeightSpec>;
  /** Bytes of the weights as they were loaded. */
  readonly weightBytes: number;
  /** Bytes of the weights with LoRAs merged into them, held in addition. */
  readonly mergedBytes: number;
  readonly activationBytes: number;
  /** Makes room for as many passes, more than there is room for; rows that are there are kept. */
  grow(slots: number): Promise<void>;
  /** Writes the inputs of a pass: its token rows [L, d] and its mask. */
  write(slot: number, pass: EncoderPass, tokenRows: Float32Array<ArrayBuffer>): void;
  /**
   * Computes the ranges in order, and reads back the rows that are ready then; the others are zeros. The signal ends it with its
   * reason, unless the engine cannot stop halfway.
   */
  compute(
    ranges: readonly RowRange[],
    want: EncoderWant,
    slots: readonly ReadySlot[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<EncoderOutput[]>;
  /** Merges these LoRAs into the weights, and no others. All rows are lost, and there is room for `minSlots` passes again. */
  merge(loras: readonly WeightedLora[]): Promise<void>;
  /** Computes a range and times each step; without a clock it computes nothing. */
  time(range: RowRange): Promise<StepTimes>;
  /** Runs a schedule of one slot beside the kept rows, and returns these of its tensors, whole. */
  inspect(
    plan: Schedule,
    input: InspectionInput,
    names: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Float32Array>>;
  /** Reads one row of a weight [rows, width], or one number of a vector, as float32. */
  readRow(weight: string, row: number): Promise<Float32Array>;
  /** Prepares what an encode of one pass with any number of rows needs; each piece of work waits for `idle`. */
  compile(idle: () => Promise<void>, signal?: AbortSignal): Promise<void>;
  destroy(): void;
}
