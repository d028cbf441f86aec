import { expect, test } from 'vitest';
import { whole } from '../../prompt/slices.ts';
import { syntaxes } from '../../prompt/syntax.ts';
import { type LazyConditioning, stacking } from '../composition.ts';
import { padToEqual, stackParts } from './padding.ts';

/** A conditioning in chunks of two rows of one dimension, or one row of two. */
const of = (...rows: number[]): LazyConditioning => ({
  n: rows.length / 2,
  rowsOf: (at) => Float32Array.from(rows.slice(2 * at, 2 * at + 2)),
});
const rowsOf = (conditionings: readonly LazyConditioning[]) => conditionings.map((each) => [...whole(stacking(each))]);
const empty = () => Float32Array.of(8, 9);
const one = of(1, 2);
const two = of(1, 2, 3, 4);
const three = of(1, 2, 3, 4, 5, 6);

test.each(['a1111', 'compel'] as const)('%s completes with the empty prompt', (syntax) => {
  expect(rowsOf(padToEqual([one, three], syntax, empty))).toEqual([
    [1, 2, 8, 9, 8, 9],
    [1, 2, 3, 4, 5, 6],
  ]);
  expect(rowsOf(padToEqual([two, one], syntax, empty))).toEqual([
    [1, 2, 3, 4],
    [1, 2, 8, 9],
  ]);
});

test('ComfyUI repeats up to the least common multiple', () => {
  expect(rowsOf(padToEqual([one, two], 'comfy', empty))).toEqual([
    [1, 2, 1, 2],
    [1, 2, 3, 4],
  ]);
  expect(rowsOf(padToEqual([two, three], 'comfy', empty))).toEqual([
    [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4],
    [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6],
  ]);
});

test.each(syntaxes)('%s: those of one length stay as they are', (syntax) => {
  const equal = of(5, 6, 7, 8);
  const [a, b] = padToEqual([two, equal], syntax, empty);
  expect(a).toBe(two);
  expect(b).toBe(equal);
});

test('parts of an AND are completed with their last row', () => {
  expect(rowsOf(stackParts([one, two], 1))).toEqual([
    [1, 2, 2, 2],
    [1, 2, 3, 4],
  ]);
  expect(rowsOf(stackParts([one, two], 2))).toEqual([
    [1, 2, 1, 2],
    [1, 2, 3, 4],
  ]);
});
