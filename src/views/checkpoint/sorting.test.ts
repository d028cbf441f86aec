import { expect, test } from 'vitest';
import { reordered, sorted } from './sorting.ts';

test('numbers by size, with what is none last either way', () => {
  const rows = [2, Number.NaN, -1, Number.POSITIVE_INFINITY];
  const value = (x: number) => x;
  expect(sorted(rows, value, false)).toEqual([-1, 2, Number.POSITIVE_INFINITY, Number.NaN]);
  expect(sorted(rows, value, true)).toEqual([Number.POSITIVE_INFINITY, 2, -1, Number.NaN]);
});

test('layers by their numbers, and equals as they were', () => {
  const names = ['layers.10', 'layers.2', 'layers.1'];
  expect(sorted(names, (name) => name, false)).toEqual(['layers.1', 'layers.2', 'layers.10']);
  expect(sorted(names, () => 0, true)).toEqual(names);
});

test('a column is turned round by a second click', () => {
  expect(reordered(null, 'std', false)).toEqual({ by: 'std', descending: true });
  expect(reordered({ by: 'std', descending: true }, 'std', false)).toEqual({ by: 'std', descending: false });
  expect(reordered({ by: 'std', descending: true }, 'name', true)).toEqual({ by: 'name', descending: false });
});
