import { expect, test } from 'vitest';
import { expectDifferences, numbers } from '../training/testing/differences.ts';
import { type Ground, groundingLoss, isGrounded } from './grounding.ts';

/** Two heads, squares of 2 × 2 that are 4 pixels wide, and five rows of which two tell of the first object and one of the second. */
const [h, side, T] = [2, 2, 5];
const S = 4;
/** Covers of two objects: the left half, and three quarters of the lower right square. */
const covers = new Float32Array(2 * S * S);
for (let y = 0; y < S; y++) for (let x = 0; x < S / 2; x++) covers[y * S + x] = 1;
for (const pixel of [10, 11, 14]) covers[S * S + pixel] = 1;
const ground: Ground = { objects: Int8Array.of(-1, 0, 0, -1, 1), covers };

/** Probabilities [h, side², T] that are 0 but for those of one row in each square of a head. */
const looksOf = (row: number, heads: readonly (readonly number[])[]) => {
  const probabilities = new Float64Array(h * side * side * T);
  for (const [head, squares] of heads.entries())
    for (const [square, look] of squares.entries()) probabilities[(head * side * side + square) * T + row] = look;
  return probabilities;
};
const only = (row: number, object: number): Ground => ({
  objects: new Int8Array(T).fill(-1).fill(object, row, row + 1),
  covers,
});
const lossOf = (probabilities: Float64Array, of: Ground) =>
  groundingLoss(new Float64Array(probabilities.length), probabilities, side, of, 1);

test('the loss is the squared share of looks from outside of the object, of all heads together', () => {
  // The left squares are the first and the third. Inside 0.2 + 0.4 + 0.2, outside 0.4 + 0.8.
  const looks = looksOf(1, [
    [0.2, 0.4, 0.4, 0],
    [0, 0.8, 0.2, 0],
  ]);
  expect(lossOf(looks, only(1, 0))).toBeCloseTo(0.6 ** 2, 12);
  // A square that is covered in part counts in part.
  expect(
    lossOf(
      looksOf(4, [
        [0, 0, 0, 0.5],
        [0, 0, 0, 0.1],
      ]),
      only(4, 1),
    ),
  ).toBeCloseTo(0.25 ** 2, 12);
  const within = looksOf(2, [
    [0.1, 0, 0.7, 0],
    [0.3, 0, 0, 0],
  ]);
  expect(lossOf(within, only(2, 0))).toBe(0);
  // Rows that nothing looks at, and rows of no object, add nothing.
  expect(lossOf(within, only(3, 0))).toBe(0);
  expect(lossOf(within, only(2, -1))).toBe(0);
  expect([isGrounded(only(2, -1)), isGrounded(only(2, 0))]).toEqual([false, true]);
});

test('its gradient is that of finite differences', () => {
  const probabilities = numbers(h * side * side * T, 3).map((value) => (value + 1.1) / 5);
  const dlooks = new Float64Array(probabilities.length).fill(Number.NaN);
  groundingLoss(dlooks, probabilities, side, ground, 0.7);
  expectDifferences('probabilities', () => 0.7 * lossOf(probabilities, ground), probabilities, dlooks);
});
