import { expect, test } from 'vitest';
import { probabilityScale } from './color.ts';
import { heatmapPixels, range } from './heatmap.ts';

const scale = probabilityScale('linear', 1);
const colour = (index: number) => [...scale.table.slice(index * 4, index * 4 + 4)];
const pixel = (rgba: Uint8ClampedArray, i: number) => [...rgba.slice(i * 4, i * 4 + 4)];

test('cells take the colours of the scale, from end to end and beyond', () => {
  const rgba = heatmapPixels({ values: [0, 0.5, 1, 7], stride: 2, rows: range(2), columns: range(2), scale });
  expect(rgba.length).toBe(16);
  expect([0, 1, 2, 3].map((i) => pixel(rgba, i))).toEqual([0, 128, 255, 255].map(colour));
});

test('masked cells are transparent even where their value is small or not a number; others never are', () => {
  const values = [1, 0, 0, Number.NaN];
  const rgba = heatmapPixels({ values, stride: 2, rows: range(2), columns: range(2), scale, mask: [1, 0, 1, 0] });
  expect(pixel(rgba, 0)).toEqual(colour(255));
  expect(pixel(rgba, 1)).toEqual([0, 0, 0, 0]);
  expect(pixel(rgba, 2)).toEqual(colour(0));
  expect(pixel(rgba, 3)).toEqual([0, 0, 0, 0]);
});

test('a value that is not a number is drawn as none of the scale', () => {
  const rgba = heatmapPixels({ values: [Number.NaN], stride: 1, rows: [0], columns: [0], scale });
  expect(pixel(rgba, 0)).toEqual([255, 0, 255, 255]);
});

test('one matrix of a stack, some of its rows and columns, under one mask', () => {
  // Two 3 × 3 matrices; of the second, rows 2 and 0 and columns 0 and 2.
  const values = [...range(9).map(() => 1), ...range(9).map((i) => i / 8)];
  const mask = [1, 1, 0, 1, 1, 1, 1, 1, 1];
  const rgba = heatmapPixels({ values, stride: 3, offset: 9, rows: [2, 0], columns: [0, 2], scale, mask });
  expect(range(4).map((i) => pixel(rgba, i))).toEqual([colour(191), colour(255), colour(0), [0, 0, 0, 0]]);
});
