/** Conditions that an engine keeps, in slots: what follows from them alone is computed once. */

import type { Floats } from '../training/products.ts';

/** Slots of the conditions of a batch. */
export interface ContextSlots {
  /** [B] */
  readonly slots: readonly number[];
  /** Conditions that are not there yet, by slot: they are to be filled in. */
  readonly missing: ReadonlyMap<number, Floats>;
}

/**
 * Returns a function that gives each condition of a batch its slot, the same one to the same array, of `count`, which must not be less than a
 * batch has. Where none is free, the condition that was used longest ago loses its own.
 */
export function createContextSlots(count: number): (contexts: readonly Floats[]) => ContextSlots {
  /** The one that was used longest ago comes first. */
  const kept = new Map<Floats, number>();
  const use = (rows: Floats, slot: number) => {
    kept.delete(rows);
    kept.set(rows, slot);
    return slot;
  };
  const freeSlot = (): number => {
    if (kept.size < count) return kept.size;
    const [[oldest, slot]] = kept;
    kept.delete(oldest);
    return slot;
  };
  return (contexts) => {
    const missing = new Map<number, Floats>();
    // Conditions that have a slot are used first. So none of them loses it to another of its batch.
    for (const rows of contexts) if (kept.has(rows)) use(rows, kept.get(rows)!);
    const slots = contexts.map((rows) => {
      const known = kept.get(rows);
      if (known !== undefined) return known;
      const slot = use(rows, freeSlot());
      missing.set(slot, rows);
      return slot;
    });
    return { slots, missing };
  };
}
