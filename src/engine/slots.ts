import type { EncoderPass } from '../clip/encoderPass.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import type { RowRange } from './schedule.ts';

/** One place in the engine's memory. It holds the first `rows` rows of `pass`, at every stage of the encoder. */
export interface Slot {
  pass: EncoderPass | undefined;
  rows: number;
  /** Counts up with every use. */
  used: number;
}

/** A pass with the slot in which it is computed, and the first row to compute. */
export interface Placed {
  readonly pass: EncoderPass;
  readonly slot: number;
  /** Rows before this one are there already; L where all are. */
  readonly first: number;
}

/**
 * Returns the first row of `pass` that can differ from the same row of `before`, or L where none can. Under a causal mask a row
 * depends on itself and earlier rows only; without one it depends on all rows.
 */
export function firstChangedRow(before: EncoderPass, pass: EncoderPass): number {
  if (before.causal !== pass.causal || before.inputIds.length !== pass.inputIds.length) return 0;
  const differs = (_: number, i: number) => {
    const [a, b] = [before.vectors?.get(i), pass.vectors?.get(i)];
    const vectorDiffers = a !== b && !(a && b && a.every((value, c) => value === b[c]));
    return before.inputIds[i] !== pass.inputIds[i] || before.keyMask[i] !== pass.keyMask[i] || vectorDiffers;
  };
  const first = Array.from(pass.inputIds).findIndex(differs);
  if (first < 0) return pass.inputIds.length;
  return pass.causal ? first : 0;
}

/** Whether every row of both comes out the same. */
export const isSamePass = (a: EncoderPass, b: EncoderPass) => firstChangedRow(a, b) === a.inputIds.length;

/**
 * Gives each pass a slot of its own; returns them in the order of the passes. There must be at least as many slots as passes.
 * Slots are taken in this order:
 * 1. Slots that hold nothing of `alsoNeeded`, then those that hold its less important passes: a later edit then finds its rows.
 * 2. Slots that hold more rows of the pass.
 * 3. Slots that were not used for longer; all prompts begin alike, so several often hold the same number of rows.
 * A pass that would keep less than half of its rows is computed whole if others are computed with it. Whole passes are computed
 * side by side, which takes less time than one after the other.
 */
export function placePasses(
  slots: readonly Slot[],
  passes: readonly EncoderPass[],
  alsoNeeded: readonly EncoderPass[] = [],
): Placed[] {
  /** How much each slot's pass is needed later; 0 where it is not. */
  const needs = slots.map(({ pass: held }) => {
    const at = held ? alsoNeeded.findIndex((other) => isSamePass(held, other)) : -1;
    return at < 0 ? 0 : alsoNeeded.length - at;
  });
  const pairs = passes.flatMap((pass, p) =>
    slots.map((held, slot) => {
      const same = held.pass ? firstChangedRow(held.pass, pass) : 0;
      return { p, pass, slot, first: Math.min(held.rows, same), loss: same === pass.inputIds.length ? 0 : needs[slot] };
    }),
  );
  pairs.sort(
    (a, b) =>
      a.loss - b.loss || b.first - a.first || slots[a.slot].used - slots[b.slot].used || a.slot - b.slot || a.p - b.p,
  );
  const placed = new Map<number, Placed>();
  const taken = new Set<number>();
  for (const { p, pass, slot, first } of pairs) {
    if (placed.has(p) || taken.has(slot)) continue;
    placed.set(p, { pass, slot, first });
    taken.add(slot);
  }
  if ([...placed.values()].filter(({ pass, first }) => first < pass.inputIds.length).length > 1)
    for (const [p, place] of placed)
      if (place.first < place.pass.inputIds.length / 2) placed.set(p, { ...place, first: 0 });
  // New passes gain nothing from their slots: they move to neighbouring ones, where one dispatch computes them together.
  const fresh = [...placed].filter(([, { first }]) => first === 0).sort(([a], [b]) => a - b);
  if (fresh.length > 1) {
    const own = new Set(fresh.map(([, { slot }]) => slot));
    const free = slots
      .map((_, slot) => slot)
      .filter((slot) => own.has(slot) || (!taken.has(slot) && needs[slot] === 0));
    const sideBySide = free.findIndex((slot, i) => free[i + fresh.length - 1] === slot + fresh.length - 1);
    for (const [i, [p, place]] of fresh.entries()) placed.set(p, { ...place, slot: free[Math.max(0, sideBySide) + i] });
  }
  return passes.map((_, p) => placed.get(p)!);
}

/** Returns the row after the prompt's EOS, where the padding begins; L where there is none. */
export function paddingStart({ inputIds, vectors }: EncoderPass): number {
  let eos = inputIds.length;
  while (eos > 0 && inputIds[eos - 1] === eosTokenId && !vectors?.has(eos - 1)) eos--;
  return Math.min(inputIds.length, eos + 1);
}

/**
 * Lists the row ranges to compute of placed passes of L rows. Neighbouring new passes form one range, whole; every other pass
 * has a range of its own. If `split`, `now` has its rows up to EOS and `later` its padding, but only under a causal mask, where
 * no earlier row depends on the padding.
 */
export function rowRanges(
  placed: readonly Placed[],
  L: number,
  split: boolean,
): { readonly now: RowRange[]; readonly later: RowRange[] } {
  const now: RowRange[] = [];
  const later: RowRange[] = [];
  const fresh = new Set(placed.filter(({ first }) => first === 0).map(({ slot }) => slot));
  for (const { pass, slot, first } of placed) {
    if (first === L) continue;
    if (first === 0 && (fresh.has(slot - 1) || fresh.has(slot + 1))) {
      let end = slot + 1;
      while (fresh.has(end)) end++;
      if (!fresh.has(slot - 1)) now.push({ slot, passes: end - slot, first: 0, end: L });
      continue;
    }
    const middle = split && pass.causal ? Math.max(first, paddingStart(pass)) : L;
    if (first < middle) now.push({ slot, passes: 1, first, end: middle });
    if (middle < L) later.push({ slot, passes: 1, first: middle, end: L });
  }
  return now.length > 0 ? { now, later } : { now: later, later: [] };
}
