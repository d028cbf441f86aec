import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { WeightedLora } from './backend.ts';
import { type EncoderState, makeRoom, place } from './encoderState.ts';
import type { RowRange } from './schedule.ts';
import { isSamePass, type Placed, paddingStart, rowRanges } from './slots.ts';

export interface EncodeRun {
  readonly outputs: readonly EncoderOutput[];
  /** Rows (tokens) of all passes that were computed; the others were kept from an earlier encode. */
  readonly rows: number;
  /** Time from the call until the results are in memory. */
  readonly milliseconds: number;
}

/** A run that is not over: the first ready[i] rows of outputs[i] are final, the others zeros. */
export interface EncodeStart extends EncodeRun {
  readonly ready: readonly number[];
}

export interface EncodeOptions {
  /**
   * Receives the rows up to EOS before the padding is computed, and is awaited. Not called where that gains nothing: there is
   * no padding to compute, several new passes are computed together, or there is no causal mask, so that every row depends on
   * the padding.
   */
  readonly onRows?: (start: EncodeStart) => void | Promise<void>;
  /** Ends the encode with the signal's reason, as soon as the engine can stop. Rows that `onRows` received are kept. */
  readonly signal?: AbortSignal;
  /**
   * LoRAs to merge into the weights, and no others; without any, the outputs are to the bit those of the model. Nothing is
   * merged anew where they are those of the encode before: the same updates in the same order. Rejects with
   * the engine's error, and leaves things as they were, where there is no room for the merged weights.
   */
  readonly loras?: readonly WeightedLora[];
  /** Passes that will be edited too, the most important first. Their rows are kept, and room is made for them up to a bound. */
  readonly alsoNeeded?: readonly EncoderPass[];
}

/** Computes `ranges`, and reads back the rows of the placed passes that are there then; the others are zeros. */
async function compute(
  { backend, slots }: EncoderState,
  ranges: readonly RowRange[],
  placed: readonly Placed[],
  want: EncoderWant,
  options?: { readonly signal?: AbortSignal },
) {
  const rowsOf = new Map(slots.map(({ rows }, slot) => [slot, rows]));
  for (const { slot, passes, end } of ranges) for (let s = slot; s < slot + passes; s++) rowsOf.set(s, end);
  const ready = placed.map(({ slot }) => ({ slot, ready: rowsOf.get(slot)! }));
  const outputs = await backend.compute(ranges, want, ready, options);
  for (const [slot, rows] of rowsOf) slots[slot].rows = rows;
  return {
    outputs,
    ready: ready.map(({ ready }) => ready),
    rows: ranges.reduce((sum, { passes, first, end }) => sum + passes * (end - first), 0),
  };
}

/** Encodes passes with the LoRAs that are merged, in batches of as many as have room together. Rejects with RangeError where one is of another length. */
export async function encodePasses(
  state: EncoderState,
  passes: readonly EncoderPass[],
  want: EncoderWant,
  options: EncodeOptions,
): Promise<EncodeRun> {
  const { onRows, signal } = options;
  const L = state.config.maxPositionEmbeddings;
  const other = passes.find(({ inputIds }) => inputIds.length !== L);
  if (other) throw new RangeError(`A pass has ${other.inputIds.length} ids; this encoder takes ${L}.`);
  // A prompt without words is quickly computed again: its rows are not worth keeping.
  const alsoNeeded = (options.alsoNeeded ?? []).filter((pass) => paddingStart(pass) > 2);
  const start = performance.now();
  const outputs: EncoderOutput[] = [];
  let rows = 0;
  for (let from = 0; from < passes.length; from = outputs.length) {
    signal?.throwIfAborted();
    const wanted = passes.slice(from, from + state.mostSlots);
    const others = alsoNeeded.filter((other) => !wanted.some((pass) => isSamePass(pass, other)));
    const batch = wanted.slice(0, await makeRoom(state, wanted.length, wanted.length + others.length));
    const placed = place(state, batch, alsoNeeded);
    // `onRows` receives all passes at once, so they have to be in one batch.
    const { now, later } = rowRanges(placed, L, onRows !== undefined && batch.length === passes.length);
    // The first rows are always finished: whoever types on and on would else never see any.
    let run = await compute(state, now, placed, want, later.length > 0 ? undefined : { signal });
    rows += run.rows;
    if (later.length > 0) {
      await onRows?.({ ...run, milliseconds: performance.now() - start });
      signal?.throwIfAborted();
      run = await compute(state, later, placed, want, { signal });
      rows += run.rows;
    }
    outputs.push(...run.outputs);
  }
  return { outputs, rows, milliseconds: performance.now() - start };
}
