import { expect, test } from 'vitest';
import { createContextSlots } from './contextSlots.ts';

const [a, b, c, d] = [1, 2, 3, 4].map((value) => Float32Array.of(value));

test('a condition keeps its slot, and the one that was used longest ago gives its own to a new one', () => {
  const slotsOf = createContextSlots(3);
  const given = (...contexts: Float32Array[]) => {
    const { slots, missing } = slotsOf(contexts);
    return [slots, [...missing]];
  };
  expect(given(a, b, a)).toEqual([
    [0, 1, 0],
    [
      [0, a],
      [1, b],
    ],
  ]);
  expect(given(a)).toEqual([[0], []]);
  expect(given(c)).toEqual([[2], [[2, c]]]);
  // b was used longest ago, but is needed beside d: a goes.
  expect(given(d, b, c)).toEqual([[0, 1, 2], [[0, d]]]);
  expect(given(a)).toEqual([[1], [[1, a]]]);
  // An array with the same numbers is another one.
  expect(given(Float32Array.of(2))[1]).toHaveLength(1);
});
