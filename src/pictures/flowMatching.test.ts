import { expect, test } from 'vitest';
import { createRandom, normal } from '../models/seededRandom.ts';
import { expectDifferences } from '../training/testing/differences.ts';
import { flowLoss, mixNoise } from './flowMatching.ts';
import { gatherSquares, picturesToRows, rowsToPictures, scatterSquares } from './gridLayers.ts';

const random = createRandom(3);
const numbers = (length: number) => Float64Array.from({ length }, () => normal(random));

test('a noisy picture is the clean one at time 0, noise at time 1, and half of both between', () => {
  const [clean, noise] = [numbers(6), numbers(6)];
  const noisy = new Float64Array(6);
  mixNoise(noisy, clean, noise, [0, 1, 0.5]);
  expect(noisy.subarray(0, 2)).toEqual(clean.subarray(0, 2));
  expect(noisy.subarray(2, 4)).toEqual(noise.subarray(2, 4));
  expect(noisy[5]).toBeCloseTo((clean[5] + noise[5]) / 2, 12);
});

test('the gradient of the loss is that of finite differences, and an error weighs more where there is less noise', () => {
  const [predicted, clean] = [numbers(8), numbers(8)];
  const times = [0.05, 0.9];
  const gradient = new Float64Array(8);
  flowLoss(gradient, predicted, clean, times);
  const loss = () => flowLoss(new Float64Array(8), predicted, clean, times);
  expectDifferences('predicted', loss, predicted, gradient);
  const off = (t: number) =>
    flowLoss(new Float64Array(1), [1] as unknown as Float64Array, [0] as unknown as Float64Array, [t]);
  expect(off(0.05)).toBeGreaterThan(5 * off(0.9));
});

test('pictures become rows of squares of 2 × 2 pixels, and rows become pictures again', () => {
  const grid = { B: 2, side: 2 };
  const pictures = numbers(2 * 4 * 16);
  const rows = new Float64Array(pictures.length);
  picturesToRows(rows, pictures, grid);
  // The second picture's green at row 2, column 3 lies in its square (1, 1), there above right.
  expect(rows[(4 + 3) * 16 + 4 + 1]).toBe(pictures[64 + 16 + 2 * 4 + 3]);
  const back = new Float64Array(pictures.length);
  rowsToPictures(back, rows, grid);
  expect(back).toEqual(pictures);
});

test('squares of fine rows become coarse rows, and are added again where they were', () => {
  const grid = { B: 2, side: 2 };
  const fine = numbers(2 * 16 * 3);
  const coarse = new Float64Array(fine.length);
  gatherSquares(coarse, fine, grid, 3);
  expect(coarse[(4 + 1) * 12 + 9]).toBe(fine[(16 + 1 * 4 + 3) * 3]);
  const twice = fine.slice();
  scatterSquares(twice, coarse, grid, 3);
  expect(twice).toEqual(fine.map((number) => 2 * number));
});
