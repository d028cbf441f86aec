import { expect, test } from 'vitest';
import { type ObjectiveName, objective, similarity } from '../../training/objective.ts';
import { numbers } from '../../training/testing/differences.ts';
import {
  batchRecall,
  bitsOverChance,
  cellNumbers,
  distribution,
  entropyBits,
  layerValues,
  likeliest,
  lossFloor,
  meanRowEntropy,
  multiplicities,
  shownObjective,
  temperatureWish,
} from './labNumbers.ts';

const [N, E] = [6, 8];
const [text, image] = [numbers(N * E, 5), numbers(N * E, 6)];

function shownAs(name: ObjectiveName, logScale: number, bias = 0) {
  const trained = objective(name, text, image, E, logScale, bias);
  const cosines = similarity(trained.u, trained.v, E, 1);
  return { trained, shown: shownObjective(name, { cosines, bias }, logScale) };
}

test.each([
  ['clip', 2.66, 0],
  ['clip', 0, 0],
  ['clip', Math.log(100), 0],
  ['siglip', 2.3, -10],
] as const)('the numbers on show are those that training computes: %s, −ln τ = %d', (name, logScale, bias) => {
  const { trained, shown } = shownAs(name, logScale, bias);
  expect(shown.loss).toBeCloseTo(trained.loss, 12);
  expect(shown.temperature).toBeCloseTo(Math.exp(-logScale), 12);
  for (let at = 0; at < N * N; at++) {
    expect(shown.S[at]).toBeCloseTo(trained.S[at], 10);
    expect(shown.dS[at]).toBeCloseTo(trained.dS[at], 12);
    if (trained.clip)
      expect(shown.clip.imageToText.probabilities[at]).toBeCloseTo(trained.clip.imageToText.probabilities[at], 12);
  }
});

test.each(['clip', 'siglip'] as const)('∂L/∂τ is the slope of the loss over τ: %s', (name) => {
  const [tau, step, bias] = [0.2, 1e-5, -1];
  const lossAt = (temperature: number) => shownAs(name, -Math.log(temperature), bias).shown.loss;
  const slope = (lossAt(tau + step) - lossAt(tau - step)) / (2 * step);
  const { trained, shown } = shownAs(name, -Math.log(tau), bias);
  expect(shown.dTemperature).toBeCloseTo(slope, 6);
  expect(shown.dTemperature).toBeCloseTo(-trained.dlogScale / tau, 12);
});

test('a batch that goes together would like a sharper softmax, one that does not a flatter one', () => {
  const wish = (cosines: number[], name: ObjectiveName = 'clip') =>
    temperatureWish(shownObjective(name, { cosines: Float64Array.from(cosines), bias: -5 }, Math.log(10)));
  expect(wish([0.9, 0.8, 0.7, 0.9])).toBe('this batch would like a sharper softmax');
  expect(wish([0.2, 0.8, 0.7, 0.1])).toBe('this batch would like a flatter softmax');
  expect(wish([0.5, 0.5, 0.5, 0.5])).toBe('this batch likes the softmax as sharp as it is');
  expect(wish([0.2, 0.8, 0.7, 0.1], 'siglip')).toBe('this batch would like a flatter sigmoid');
});

test('each layer is its matrix, and a cell has its numbers of all of them', () => {
  const { shown } = shownAs('clip', 2.66);
  const cell = cellNumbers(shown, 2, 4);
  const at = 2 * N + 4;
  expect(layerValues(shown, 'cosine')[at]).toBe(cell.cosine);
  expect(layerValues(shown, 'logits')[at]).toBe(cell.logit);
  expect(layerValues(shown, 'byRow')[at]).toBe(cell.byRow);
  expect(layerValues(shown, 'byColumn')[at]).toBe(cell.byColumn);
  expect(layerValues(shown, 'gradient')[at]).toBe(cell.gradient);
  expect(layerValues(shown, 'sigmoid')[at]).toBeCloseTo(1 / (1 + Math.exp(-cell.logit)), 12);
  expect(distribution(shown, 'row', 2)[4]).toBe(cell.byRow);
  expect(distribution(shown, 'column', 4)[2]).toBe(cell.byColumn);
  for (const of of ['row', 'column'] as const)
    expect(distribution(shown, of, 1).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
});

test('entropy falls from log₂ N to 0 as τ falls', () => {
  expect(entropyBits([1, 0, 0])).toBe(0);
  expect(entropyBits([0.5, 0.25, 0.25])).toBeCloseTo(1.5, 12);
  const at = (temperature: number) => meanRowEntropy(shownAs('clip', -Math.log(temperature)).shown);
  expect(at(1e6)).toBeCloseTo(Math.log2(N), 6);
  expect(at(1)).toBeGreaterThan(at(0.1));
  expect(at(1e-4)).toBeLessThan(1e-6);
});

test('chance is no bit, and certainty log₂ N bits', () => {
  expect(bitsOverChance(Math.log(32), 32)).toBeCloseTo(0, 12);
  expect(bitsOverChance(0, 32)).toBeCloseTo(5, 12);
});

test('a batch’s recall counts pictures of the same caption as right', () => {
  const S = Float64Array.of(1, 5, 0, 5, 1, 0, 0, 0, 9);
  const shown = { ...shownAs('clip', 1).shown, S, N: 3 };
  expect(batchRecall(shown, [0, 1, 2])).toEqual({ row: 1 / 3, column: 1 / 3 });
  expect(batchRecall(shown, [0, 0, 2])).toEqual({ row: 1, column: 1 });
});

/** The least loss that gradient descent on the pictures finds, where captions 0 and 1, and 2, 3 and 4, are the same. */
function descended(name: ObjectiveName): number {
  const alike = [0, 0, 2, 2, 2, 5];
  let loss = 0;
  const rows = new Float64Array(N * N);
  for (const [i, first] of alike.entries()) rows[i * N + first] = 1;
  const pictures = Float64Array.from({ length: N * N }, (_, at) => rows[at] + 0.01 * Math.sin(at));
  for (let step = 0; step < 6000; step++) {
    // Both loss forms get their own scale and bias: what is least is least for some of them.
    const logScale = name === 'clip' ? 3 : Math.log(12);
    const result = objective(name, rows, pictures, N, logScale, name === 'clip' ? 0 : -8.5);
    loss = result.loss;
    for (let at = 0; at < pictures.length; at++) pictures[at] -= 0.05 * result.dimage[at];
  }
  return loss;
}

test('duplicated captions put a floor under the loss, which descent comes near to and never below', () => {
  const alike = [0, 0, 2, 2, 2, 5];
  expect(multiplicities(alike)).toEqual([2, 2, 3, 3, 3, 1]);
  expect(lossFloor('clip', alike)).toBeCloseTo((2 * Math.log(2) + 3 * Math.log(3)) / 6, 12);
  expect(lossFloor('clip', [0, 1, 2])).toBe(0);
  for (const name of ['clip', 'siglip'] as const) {
    const floor = lossFloor(name, alike);
    const least = descended(name);
    expect(least).toBeGreaterThanOrEqual(floor - 1e-9);
    expect(least - floor).toBeLessThan(0.1);
  }
});

test('the likeliest come first', () => {
  expect(likeliest([0.1, 0.5, 0.15, 0.25], 3)).toEqual([1, 3, 2]);
});
