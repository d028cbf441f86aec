import { expect, test } from 'vitest';
import { difference, reach, rowNorms } from './embeddingMaps.ts';

test('norms are of rows', () => {
  expect(rowNorms(Float32Array.of(3, 4, 0, 0, -5, 12), 2)).toEqual([5, 0, 13]);
});

test('differences are elementwise', () => {
  expect([...difference(Float32Array.of(3, 2), Float32Array.of(1, 5))]).toEqual([2, -3]);
});

test('a few huge values do not stretch the colour scale, but are told', () => {
  const values = Float32Array.from({ length: 1000 }, (_, i) => (i < 3 ? -40 : i % 2 ? 1 : -1));
  expect(reach(values)).toEqual({ reach: 1, largest: 40 });
  expect(reach(new Float32Array(4))).toEqual({ reach: 0, largest: 0 });
});
