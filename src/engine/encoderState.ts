import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { tokenEmbeddingName } from '../clip/weights.ts';
import { addToRows, type TokenTable, tokenRows } from '../models/tokenTable.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Backend, WeightedLora } from './backend.ts';
import { type Placed, placePasses, type Slot } from './slots.ts';

/** Passes of one batch; more are encoded in several. */
const maxSlots = 8;
/** Rows of one batch. Bounds what activations take: 17 MB a pass of 77 rows at full size. */
const maxRows = maxSlots * contextLength;
/** Passes there is room for from the start: a prompt and a negative prompt, encoded together or in turn. */
export const minSlots = 2;

/** Passes of one batch of an encoder: 8 of 77 rows each, and fewer where they are longer. */
export function slotBound({ maxPositionEmbeddings: L }: ClipTextConfig): number {
  return Math.min(maxSlots, Math.max(minSlots, Math.floor(maxRows / L)));
}

/** An encoder's state. Operations on it must run one at a time: each builds on the rows of the one before. */
export interface EncoderState {
  readonly backend: Backend;
  readonly config: ClipTextConfig;
  readonly tokenTable: TokenTable;
  /** The LoRAs that are merged now. */
  loras: readonly WeightedLora[];
  slots: readonly Slot[];
  /** The largest number of passes that may still find memory: one less than the last that did not. */
  mostSlots: number;
  /** Counts the uses of slots. */
  uses: number;
}

/** Makes slots that hold nothing. */
export const emptySlots = (count: number): Slot[] =>
  Array.from({ length: count }, () => ({ pass: undefined, rows: 0, used: 0 }));

/**
 * Grows to `wished` passes where there is memory for them, else to `passes` or to as many as there is; rows that are there are kept. Returns
 * how many of the passes there is room for: `minSlots` at least, which are there from the start.
 */
export async function makeRoom(state: EncoderState, passes: number, wished: number): Promise<number> {
  const wanted = Math.max(passes, Math.min(state.mostSlots, wished));
  const room = state.slots.length;
  if (wanted <= room) return passes;
  try {
    await state.backend.grow(wanted);
  } catch (error) {
    state.mostSlots = wanted - 1;
    if (room === 0) throw error;
    return makeRoom(state, Math.min(passes, wanted - 1), wished);
  }
  state.slots = [...state.slots, ...emptySlots(wanted - room)];
  return passes;
}

/** Gathers the token embeddings of a pass [L, d] as LoRAs change them, with its textual-inversion vectors in their places. */
export function tokenRowsOf({ tokenTable, config, loras }: EncoderState, pass: EncoderPass): Float32Array<ArrayBuffer> {
  const { hiddenSize: d } = config;
  const { compact } = tokenTable;
  const rows = tokenRows(tokenTable, pass.inputIds, d);
  for (const { updates, multiplier } of loras)
    for (const update of updates)
      if (update.target === tokenEmbeddingName) addToRows(rows, pass.inputIds, d, update, { multiplier, compact });
  for (const [at, vector] of pass.vectors ?? []) rows.set(vector, at * d);
  return rows;
}

/** Gives each pass a slot, and writes the inputs of the passes that have rows to compute. */
export function place(
  state: EncoderState,
  passes: readonly EncoderPass[],
  alsoNeeded?: readonly EncoderPass[],
): readonly Placed[] {
  const placed = placePasses(state.slots, passes, alsoNeeded);
  for (const { pass, slot, first } of placed) {
    if (first < pass.inputIds.length) state.backend.write(slot, pass, tokenRowsOf(state, pass));
    Object.assign(state.slots[slot], { pass, rows: first, used: ++state.uses });
  }
  return placed;
}

/**
 * Merges these LoRAs into the weights, and no others. Does nothing where they are merged already: the same updates with the
 * same multipliers in the same order. Rejects with the backend's error where there is no memory, and changes nothing then.
 */
export async function useLoras(state: EncoderState, wanted: readonly WeightedLora[]): Promise<void> {
  const loras = wanted.filter(({ updates, multiplier }) => multiplier !== 0 && updates.length > 0);
  const isMerged = (lora: WeightedLora, i: number) =>
    lora.updates === state.loras[i].updates && lora.multiplier === state.loras[i].multiplier;
  if (loras.length === state.loras.length && loras.every(isMerged)) return;
  await state.backend.merge(loras);
  Object.assign(state, { loras, slots: emptySlots(minSlots), mostSlots: slotBound(state.config) });
}
