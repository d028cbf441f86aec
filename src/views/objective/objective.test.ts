import { expect, test } from 'vitest';
import { formulaText } from '../../clip/formula.ts';
import { shownObjective } from '../../state/lab/labNumbers.ts';
import { defaultLab } from '../../state/lab/labSettings.ts';
import type { LabRecord } from '../../state/lab/labStore.ts';
import { largestSize, layerScale, roundUp } from './cells.ts';
import { labCharts, thinned } from './labCurves.ts';
import { labEquations } from './labFormulas.ts';

test('an end of a scale is 1, 2 or 5 of a power of ten', () => {
  expect([0, 0.9, 1, 1.01, 4, 7, 0.0003, 0.00051].map(roundUp)).toEqual([1, 1, 1, 2, 5, 10, 0.0005, 0.001]);
});

test('the gradient’s scale is that of the cells off the diagonal, and says that the diagonal goes beyond it', () => {
  const values = Float64Array.of(-0.4, 0.03, 0.02, -0.4);
  expect(largestSize(values, 2, true)).toBe(0.4);
  expect(largestSize(values, 2, false)).toBe(0.03);
  const { ticks, format } = layerScale('gradient', values, 2, false);
  expect(ticks.map(format)).toEqual(['≤ -0.05', '0', '≥ +0.05']);
});

test('a line has a point a pixel at most, each a mean', () => {
  expect(thinned([1, 2, 3, 4, 5], 5)).toEqual([1, 2, 3, 4, 5]);
  expect(thinned([1, 2, 3, 4, 5], 3)).toEqual([1.5, 3.5, 5]);
});

const step = (number: number, loss: number) => ({
  ...{ step: number, loss, diagonal: 0.5, logScale: Math.log(50), bias: 0, dlogScale: 0, gradientNorm: 1 },
});
const record = (batch: number, losses: number[]): LabRecord => ({
  id: batch,
  settings: { ...defaultLab, batch },
  steps: losses.map((loss, i) => step(i + 1, loss)),
  measures: [],
});

test('curves run over pairs seen, with earlier runs in grey and the loss of chance marked', () => {
  const [loss, scale] = labCharts(record(8, [3, 2]), [record(32, [4])]);
  expect(loss.lines.map(({ colour, xs, ys }) => [colour === 'var(--muted)', xs, ys])).toEqual([
    [true, [32], [4]],
    [false, [8, 16], [3, 2]],
  ]);
  expect(loss.marks[0].at).toBeCloseTo(Math.log(8), 12);
  expect(loss.domain[1]).toBeGreaterThan(4);
  expect(scale.lines[1].ys[0]).toBeCloseTo(50, 9);
});

test('each equation has this batch’s own numbers', () => {
  const cosines = Float64Array.of(0.9, 0.1, -0.2, 0.8);
  const frame = { u: Float64Array.of(1, 0, 0, 1), v: Float64Array.of(0.6, 0.8, -0.8, 0.6), E: 2 };
  const shown = shownObjective('clip', { cosines, bias: 0 }, Math.log(10));
  const equations = labEquations(shown, frame, 1, 0);
  expect(equations.map(({ number }) => number)).toEqual(['60', '61', '62', '63', '64']);
  const [, similarity, byRow, byColumn, whole] = equations.map(({ numbers }) => numbers.map(formulaText).join('; '));
  expect(similarity).toContain('= − 2.00');
  // Softmax of (9, 1) and (−2, 8), and of (9, −2) and (1, 8).
  const rows = [Math.log1p(Math.exp(-8)), Math.log1p(Math.exp(-10))];
  const columns = [Math.log1p(Math.exp(-11)), Math.log1p(Math.exp(-7))];
  const mean = ([a, b]: number[]) => ((a + b) / 2).toFixed(3);
  expect(byRow).toContain(`= ${mean(rows)}`);
  expect(byColumn).toContain(`= ${mean(columns)}`);
  const all = [...rows, ...columns];
  expect(whole).toContain(`= ${(all.reduce((a, b) => a + b) / 4).toFixed(3)}`);
  const siglip = labEquations(shownObjective('siglip', { cosines, bias: -10 }, Math.log(10)), frame, 0, 0);
  expect(siglip.map(({ number }) => number)).toEqual(['60', '61', 'SigLIP']);
  expect(formulaText(siglip[1].numbers[0])).toContain('− 10.00 = − 1.00');
});
