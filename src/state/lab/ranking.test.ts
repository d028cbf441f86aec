import { expect, test } from 'vitest';
import { ranking, shownRanks } from './ranking.ts';

const row = Float64Array.of(0.6, 0.8);
const rows = Float64Array.of(1, 0, 0.6, 0.8, 0, 1, 1, 0);

test('rows are ranked by cosine, with the softmax at τ of the whole list', () => {
  const ranked = ranking(row, rows, Math.log(10));
  expect(ranked.map(({ index }) => index)).toEqual([1, 2, 0, 3]);
  const exps = [6, 10, 8, 6].map(Math.exp);
  const sum = exps.reduce((a, b) => a + b);
  for (const { index, cosine, probability } of ranked) {
    expect(cosine).toBeCloseTo([0.6, 1, 0.8, 0.6][index], 12);
    expect(probability).toBeCloseTo(exps[index] / sum, 12);
  }
  expect(ranking(row, rows, Math.log(1e6))[0].probability).toBe(1);
});

test('the first are shown, and after them what is always shown, at its place', () => {
  const shown = shownRanks(ranking(row, rows, 0), 2, (index) => index === 3);
  expect(shown.map(({ index, place }) => [index, place])).toEqual([
    [1, 1],
    [2, 2],
    [3, 4],
  ]);
});
