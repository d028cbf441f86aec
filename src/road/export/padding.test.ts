import { expect, test } from 'vitest';
import { syntaxes } from '../../prompt/syntax.ts';
import { padToEqual, stackParts } from './padding.ts';

/** Chunks of two rows of one dimension. */
const empty = Float32Array.of(8, 9);
const one = Float32Array.of(1, 2);
const two = Float32Array.of(1, 2, 3, 4);
const three = Float32Array.of(1, 2, 3, 4, 5, 6);

test.each(['a1111', 'compel'] as const)('%s completes with the empty prompt', (syntax) => {
  expect(padToEqual([one, three], syntax, empty)).toEqual([Float32Array.of(1, 2, 8, 9, 8, 9), three]);
  expect(padToEqual([two, one], syntax, empty)).toEqual([two, Float32Array.of(1, 2, 8, 9)]);
});

test('ComfyUI repeats up to the least common multiple', () => {
  expect(padToEqual([one, two], 'comfy', empty)).toEqual([Float32Array.of(1, 2, 1, 2), two]);
  const [a, b] = padToEqual([two, three], 'comfy', empty);
  expect(a).toEqual(Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4));
  expect(b).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6));
});

test.each(syntaxes)('%s: those of one length stay as they are', (syntax) => {
  const [a, b] = padToEqual([two, two], syntax, empty);
  expect([a, b]).toEqual([two, two]);
  expect(a).toBe(two);
});

test('parts of an AND are completed with their last row', () => {
  expect(stackParts([one, two], 1)).toEqual([Float32Array.of(1, 2, 2, 2), two]);
  expect(stackParts([Float32Array.of(1, 2), two], 2)).toEqual([Float32Array.of(1, 2, 1, 2), two]);
});
