import type { EncoderPass } from '../clip/encoderPass.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import type { RowRange } from './schedule.ts';

/** What the GPU holds in one place of its buffers: the first `rows` rows of `pass`, at every stage of the encoder. */
export interface Slot {
  pass: EncoderPass | undefined;
  rows: number;
  /** Counts up with every use. */
  used: number;
}

/** A pass, where it is computed, and from which row on. */
export interface Placed {
  readonly pass: EncoderPass;
  readonly slot: number;
  /** Rows before this one are there already; L where all are. */
  readonly first: number;
}

/**
 * The first row of `pass` that can differ from the same row of `before`: under a causal mask a row depends on nothing that
 * comes after it, without one on everything. L where nothing differs.
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
 * A slot for each pass, in their order: the slot that holds most of a pass goes to it, and where several hold as much (all
 * prompts begin alike) the one that was not used for longest. There are at least as many slots as passes. What holds another
 * pass that is `alsoNeeded` goes last, and of those what holds the first of them: a later edit of it finds its rows.
 * Of several passes to compute, those that keep less than half are taken for new: together they are done faster than each for
 * itself.
 */
export function placePasses(
  slots: readonly Slot[],
  passes: readonly EncoderPass[],
  alsoNeeded: readonly EncoderPass[] = [],
): Placed[] {
  /** How much what each slot holds is needed; 0 where it is not. */
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
    for (const [p, one] of placed) if (one.first < one.pass.inputIds.length / 2) placed.set(p, { ...one, first: 0 });
  // Passes that are new to their slots may as well take others, side by side, so that they are done together.
  const fresh = [...placed].filter(([, { first }]) => first === 0).sort(([a], [b]) => a - b);
  if (fresh.length > 1) {
    const own = new Set(fresh.map(([, { slot }]) => slot));
    const free = slots
      .map((_, slot) => slot)
      .filter((slot) => own.has(slot) || (!taken.has(slot) && needs[slot] === 0));
    const sideBySide = free.findIndex((slot, i) => free[i + fresh.length - 1] === slot + fresh.length - 1);
    for (const [i, [p, one]] of fresh.entries()) placed.set(p, { ...one, slot: free[Math.max(0, sideBySide) + i] });
  }
  return passes.map((_, p) => placed.get(p)!);
}

/** The row after the prompt's EOS: from there on there is only padding. */
export function paddingStart({ inputIds, vectors }: EncoderPass): number {
  let eos = inputIds.length;
  while (eos > 0 && inputIds[eos - 1] === eosTokenId && !vectors?.has(eos - 1)) eos--;
  return Math.min(inputIds.length, eos + 1);
}

/**
 * What to compute of placed passes of L rows: new passes side by side together and whole, and the others row range by row
 * range; if `split`, the rows up to EOS in `now` and the padding in `later`, which no earlier row depends on unless every
 * row depends on all.
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
