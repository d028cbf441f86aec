import type { EncoderPass } from './encoderPass.ts';

export interface RowEffects {
  /**
   * [L] ‖z − reference‖ / ‖reference‖, exactly 0 where the rows are equal; infinite where only the reference is 0, NaN where
   * something is not finite.
   */
  readonly relative: Float64Array;
  /** Rows that are not equal, NaN ones included. */
  readonly changed: readonly number[];
  /** The largest of `relative`; NaN where one is. */
  readonly largest: number;
  /** Its row; null where nothing changed. */
  readonly largestAt: number | null;
}

/** How far each row is from the reference's. z, reference [L, d]. */
export function rowEffects(z: ArrayLike<number>, reference: ArrayLike<number>, L: number): RowEffects {
  if (z.length !== reference.length || z.length % L !== 0)
    throw new RangeError(
      `Outputs of ${z.length} and ${reference.length} elements do not compare in ${L} rows: take two of one encoder.`,
    );
  const d = z.length / L;
  const relative = Float64Array.from({ length: L }, (_, row) => {
    let change = 0;
    let norm = 0;
    for (let i = row * d; i < (row + 1) * d; i++) {
      change += (z[i] - reference[i]) ** 2;
      norm += reference[i] ** 2;
    }
    return change === 0 ? 0 : Math.sqrt(change / norm);
  });
  const changed = [...relative.keys()].filter((row) => relative[row] !== 0);
  const largest = Math.max(0, ...relative);
  return { relative, changed, largest, largestAt: changed.find((row) => Object.is(relative[row], largest)) ?? null };
}

/** Hides some rows from all others: they keep their places, and nothing attends to them. */
export function withRowsHidden(pass: EncoderPass, rows: readonly number[]): EncoderPass {
  return { ...pass, keyMask: pass.keyMask.map((visible, row) => (rows.includes(row) ? 0 : visible)) };
}

/** Leaves nothing to be seen but the first row and some others: those have no context then, at the places that they had. */
export function withRowsAlone(pass: EncoderPass, rows: readonly number[]): EncoderPass {
  return { ...pass, keyMask: pass.keyMask.map((visible, row) => (row === 0 || rows.includes(row) ? visible : 0)) };
}

/**
 * Masks one more key of a pass, so that nothing attends to it; the token keeps its row. With BOS masked the first row of a causal
 * pass sees nothing, and its attention is 0.
 */
export function withKeyMasked(pass: EncoderPass, row: number): EncoderPass {
  const L = pass.keyMask.length;
  if (!Number.isInteger(row) || row < 0 || row >= L)
    throw new RangeError(`There is no row ${row} to mask: take one from 0 to ${L - 1}.`);
  return { ...pass, keyMask: pass.keyMask.with(row, 0) };
}
