import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { tableIndex } from './color.ts';
import { heatmapPixels, range } from './pixels.ts';
import { probabilityKinds, probabilityScale, signedScale } from './valueScales.ts';

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
  const infinityAndNan = new Float32Array(Uint32Array.of(0x7f800000, 0x7f800001).buffer);
  const both = heatmapPixels({ values: infinityAndNan, stride: 2, rows: [0], columns: [0, 1], scale });
  expect([pixel(both, 0), pixel(both, 1)]).toEqual([colour(255), [255, 0, 255, 255]]);
});

test('every value has its own colour, or the one beside it', () => {
  const kinds = [...probabilityKinds.map((kind) => probabilityScale(kind, 0.7)), signedScale(2, false)];
  for (const scale of kinds)
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ min: 0, max: 1, noNaN: true }), (any, probability) => {
        for (const value of [any, probability, -2 * probability]) {
          const drawn = pixel(heatmapPixels({ values: [value], stride: 1, rows: [0], columns: [0], scale }), 0);
          const index = tableIndex(scale, value);
          const near = [index - 1, index, index + 1].map((i) => [...scale.table.slice(i * 4, i * 4 + 4)].join());
          expect(near).toContain(drawn.join());
        }
      }),
    );
});

test('several matrices, one below the other, under one mask', () => {
  const values = range(18).map((i) => i / 17);
  const mask = [1, 1, 1, 0, 1, 1, 1, 1, 1];
  const picture = { stride: 3, rows: [1, 2], columns: [0, 1, 2], scale, mask };
  const both = heatmapPixels({ ...picture, values, matrices: 2 });
  const one = (offset: number) => [...heatmapPixels({ ...picture, values, offset })];
  expect([...both]).toEqual([...one(0), ...one(9)]);
  expect(pixel(both, 6)).toEqual([0, 0, 0, 0]);
  const used = both.slice().fill(9);
  expect(heatmapPixels({ ...picture, values, matrices: 2, into: used })).toBe(used);
  expect(used).toEqual(both);
  expect([...heatmapPixels({ ...picture, values, into: used })]).toEqual(one(0));
});

test('one matrix of a stack, some of its rows and columns, under one mask', () => {
  // Two 3 × 3 matrices, of which rows 2 and 0 and columns 0 and 2 are drawn.
  const values = [...range(9).map(() => 1), ...range(9).map((i) => i / 8)];
  const mask = [1, 1, 0, 1, 1, 1, 1, 1, 1];
  const rgba = heatmapPixels({ values, stride: 3, offset: 9, rows: [2, 0], columns: [0, 2], scale, mask });
  expect(range(4).map((i) => pixel(rgba, i))).toEqual([colour(191), colour(255), colour(0), [0, 0, 0, 0]]);
});
