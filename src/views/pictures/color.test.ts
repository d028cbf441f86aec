import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { cssColour, cssGradient, tableIndex, weightScale } from './color.ts';
import { probabilityKinds, probabilityScale, signedScale } from './valueScales.ts';

const scales = {
  linear: probabilityScale('linear', 0.8),
  sqrt: probabilityScale('sqrt', 0.8),
  log: probabilityScale('log', 0.8),
  signed: signedScale(3, false),
  signedDark: signedScale(3, true),
  weight: weightScale(false),
};

test.each(Object.entries(scales))('%s: labelled ticks rise from one end to the other', (_, scale) => {
  const at = scale.ticks.map(scale.position);
  expect(at[0]).toBe(0);
  expect(at.at(-1)).toBeCloseTo(1, 12);
  expect(at).toEqual(at.toSorted((a, b) => a - b));
  expect(new Set(scale.ticks.map(scale.format)).size).toBe(scale.ticks.length);
});

test.each(Object.entries(scales))('%s: rises with the value and clamps beyond its ends', (_, scale) => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      expect(scale.position(low)).toBeLessThanOrEqual(scale.position(high));
      expect(scale.position(low)).toBeGreaterThanOrEqual(0);
      expect(scale.position(high)).toBeLessThanOrEqual(1);
    }),
  );
});

test('probabilities: linear is the share of the maximum, sqrt its root, log its decades', () => {
  expect(scales.linear.position(0.2)).toBeCloseTo(0.25, 12);
  expect(scales.sqrt.position(0.2)).toBeCloseTo(0.5, 12);
  expect(probabilityScale('log', 1).position(0.01)).toBeCloseTo(0.5, 12);
  for (const kind of probabilityKinds) expect(probabilityScale(kind, 0.8).position(0)).toBe(0);
});

test('a picture of nothing but zeros still has a scale', () => {
  for (const kind of probabilityKinds) expect(probabilityScale(kind, 0).position(0)).toBe(0);
  expect(signedScale(0, false).position(0)).toBe(0.5);
});

test('signed and weight scales are symmetric about their middles', () => {
  expect(scales.signed.position(0)).toBe(0.5);
  expect(scales.signed.position(-1.2) + scales.signed.position(1.2)).toBeCloseTo(1, 12);
  expect(scales.weight.position(1)).toBe(0.5);
  expect(scales.weight.position(1.1) + scales.weight.position(1 / 1.1)).toBeCloseTo(1, 12);
});

test('weights of zero and below are drawn as the low end', () => {
  for (const weight of [0, -1, Number.NEGATIVE_INFINITY]) expect(tableIndex(scales.weight, weight)).toBe(0);
});

test('the middle recedes into the page in either theme, and the ends stand out', () => {
  const luma = (css: string) => {
    const [r, g, b] = css.match(/\d+/g)!.map(Number);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  expect(luma(cssColour(scales.signed, 0))).toBeGreaterThan(230);
  expect(luma(cssColour(scales.signedDark, 0))).toBeLessThan(50);
  expect(luma(cssColour(scales.signed, 3))).toBeLessThan(130);
  // Weights are drawn behind dark text in the light theme, and behind light text in the dark one.
  for (const weight of [0, 0.5, 1, 2]) {
    expect(luma(cssColour(weightScale(false), weight))).toBeGreaterThan(145);
    expect(luma(cssColour(weightScale(true), weight))).toBeLessThan(105);
  }
  expect(luma(cssColour(scales.signedDark, 3))).toBeGreaterThan(150);
});

test('a legend is drawn from the same colours as the picture', () => {
  const gradient = cssGradient(scales.linear);
  expect(gradient).toContain(cssColour(scales.linear, 0));
  expect(gradient).toContain(cssColour(scales.linear, 0.8));
});
