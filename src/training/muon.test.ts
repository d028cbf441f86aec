import { expect, test } from 'vitest';
import { createRandom, normal } from '../models/seededRandom.ts';
import { createMoments } from './adamW.ts';
import { createMuon, drawDirections, followDirections, orthogonalDirection, orthogonalise } from './muon.ts';
import { createParameters } from './parameters.ts';
import { float64Products } from './products.ts';

const random = createRandom(5);

test.each([
  [5, 9],
  [9, 5],
])('a matrix of %i × %i becomes nearly orthogonal, and keeps its directions', (N, K) => {
  const muon = createMuon(float64Products, [{ name: 'm', shape: [N, K], length: N * K }], () => true);
  const matrix = Float64Array.from({ length: N * K }, () => normal(random));
  muon.x.set(matrix);
  orthogonalise(muon, N, K);
  const side = Math.min(N, K);
  const [rowStep, step] = N <= K ? [K, 1] : [1, K];
  let along = 0;
  for (let i = 0; i < matrix.length; i++) along += matrix[i] * muon.x[i];
  for (let a = 0; a < side; a++)
    for (let b = 0; b < side; b++) {
      let product = 0;
      for (let i = 0; i < Math.max(N, K); i++)
        product += muon.x[a * rowStep + i * step] * muon.x[b * rowStep + i * step];
      expect(Math.abs(product - (a === b ? 1 : 0)), `${a}, ${b}`).toBeLessThan(0.6);
    }
  // The nearest orthogonal matrix has the largest such product: the sum of the singular values, which is at most √side times the length.
  expect(along).toBeGreaterThan(0.6 * Math.sqrt(side) * Math.sqrt(matrix.reduce((sum, x) => sum + x * x, 0)));
});

test('a step is as long as it is said, and leaves all else alone', () => {
  const shapes = new Map([
    ['matrix', [4, 3, 2]],
    ['other', [4, 6]],
  ]);
  const parameters = createParameters(shapes, float64Products.allocate);
  for (let i = 0; i < 48; i++) parameters.gradients[i] = normal(random);
  const isMatrix = (name: string) => name === 'matrix';
  const muon = createMuon(float64Products, parameters.places.values(), isMatrix);
  const settings = { momentum: 0.9, weightDecay: 0 };
  const directions = new Float64Array(48);
  drawDirections(muon, parameters, createMoments(parameters), settings, directions);
  orthogonalDirection(muon, parameters.places.get('matrix')!, directions);
  followDirections(muon, parameters, settings, 0.1, directions);
  expect(parameters.values.subarray(24)).toEqual(new Float64Array(24));
  const squares = parameters.values.subarray(0, 24).map((value) => value * value) as Float64Array;
  const length = Math.sqrt(squares.reduce((a, b) => a + b) / 24);
  expect(length / (0.1 * 0.2)).toBeGreaterThan(0.7);
  expect(length / (0.1 * 0.2)).toBeLessThan(1.3);
});
