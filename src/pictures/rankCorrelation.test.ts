import { expect, test } from 'vitest';
import { ranksOf, spearman } from './rankCorrelation.ts';

test('equal values share the mean of their ranks', () => {
  expect(ranksOf([10, 30, 20])).toEqual([1, 3, 2]);
  // 5 is both first and second, 9 is third to fifth.
  expect(ranksOf([5, 9, 9, 5, 9])).toEqual([1.5, 4, 4, 1.5, 4]);
});

test('the correlation is that of the order, whatever the steps', () => {
  expect(spearman([0, 1, 2, 3], [1, 10, 100, 1000])).toBe(1);
  expect(spearman([0, 1, 2, 3], [4, 3, 2, -9])).toBe(-1);
  // d = 0, 1, 1, 0 by rank: 1 − 6 · 2 / (4 · 15).
  expect(spearman([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(0.8, 12);
});

test('ties: ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4', () => {
  // Covariance 4.5, variances 4.5 and 5.
  expect(spearman([1, 2, 2, 3], [5, 6, 7, 8])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 12);
});

test('where nothing moves there is no order', () => {
  expect(spearman([0, 1, 2], [7, 7, 7])).toBe(0);
});
