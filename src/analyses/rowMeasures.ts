/** Lengths and turns of rows, in float64. */

/** ‖aᵢ‖ of row i of `a` [·, d]. */
export function rowLength(a: ArrayLike<number>, i: number, d: number): number {
  let sum = 0;
  for (let c = 0; c < d; c++) sum += a[i * d + c] ** 2;
  return Math.sqrt(sum);
}

/** 1 − cos of two rows, by ½ ‖a/‖a‖ − b/‖b‖‖², which keeps its digits where they are nearly parallel; NaN where one is 0. */
export function rowTurn(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, d: number): number {
  const [lengthA, lengthB] = [rowLength(a, i, d), rowLength(b, j, d)];
  let sum = 0;
  for (let c = 0; c < d; c++) sum += (a[i * d + c] / lengthA - b[j * d + c] / lengthB) ** 2;
  return sum / 2;
}

/** ‖·‖ of several numbers together. */
export const together = (values: readonly number[]): number => Math.hypot(...values);
