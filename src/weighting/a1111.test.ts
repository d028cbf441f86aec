import fc from 'fast-check';
import { expect, test } from 'vitest';
import { a1111Original, meanRatio } from './a1111.ts';
import { scale } from './scale.ts';

const d = 4;
/** Small integers, so that float32 and float64 are exact. */
const integer = fc.integer({ min: -100, max: 100 });
const rowsAndWeights = (weight: fc.Arbitrary<number>) =>
  fc.integer({ min: 1, max: 6 }).chain((L) =>
    fc.record({
      z: fc.array(integer, { minLength: L * d, maxLength: L * d }).map((z) => Float32Array.from(z)),
      u: fc.array(weight, { minLength: L, maxLength: L }).map((w) => Float64Array.from(w)),
      v: fc.array(weight, { minLength: L, maxLength: L }).map((w) => Float64Array.from(w)),
    }),
  );
const sum = (z: Iterable<number>) => [...z].reduce((a, b) => a + b, 0);

test('scale multiplies each row by its weight', () => {
  const z = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  expect(Array.from(scale(z, Float64Array.of(0.5, -2), d))).toEqual([0.5, 1, 1.5, 2, -10, -12, -14, -16]);
});

test('scale is linear in the weights', () => {
  fc.assert(
    fc.property(rowsAndWeights(integer), integer, integer, ({ z, u, v }, a, b) => {
      const together = scale(
        z,
        u.map((w, i) => a * w + b * v[i]),
        d,
      );
      const [fromU, fromV] = [scale(z, u, d), scale(z, v, d)];
      together.forEach((value, i) => {
        expect(Math.abs(value - (a * fromU[i] + b * fromV[i]))).toBe(0);
      });
    }),
  );
});

test('original is scale times the ratio of the means of all elements', () => {
  const z = Float32Array.of(1, 2, 3, 4, -1, 0, 0, 1);
  const weights = Float64Array.of(3, 1);
  expect(meanRatio(z, weights, d)).toBe(10 / 30);
  expect(Array.from(a1111Original(z, weights, d))).toEqual(
    Array.from(scale(z, weights, d), (value) => Math.fround(value * (10 / 30))),
  );
});

test('original keeps the mean, whatever factor all weights share', () => {
  const positive = fc.integer({ min: 1, max: 8 }).map((w) => w / 4);
  fc.assert(
    fc.property(rowsAndWeights(positive), fc.constantFrom(-4, -0.5, 0.25, 2), ({ z, u }, factor) => {
      const ratio = meanRatio(z, u, d);
      fc.pre(Number.isFinite(ratio));
      const once = a1111Original(z, u, d);
      const magnitude = sum(once.map(Math.abs));
      expect(Math.abs(sum(once) - sum(z))).toBeLessThanOrEqual(1e-6 * magnitude);
      expect(
        a1111Original(
          z,
          u.map((w) => w * factor),
          d,
        ),
      ).toEqual(once);
    }),
  );
});

test('weights of 1 change nothing', () => {
  fc.assert(
    fc.property(rowsAndWeights(fc.constant(1)), ({ z, u }) => {
      fc.pre(sum(z) !== 0);
      expect(meanRatio(z, u, d)).toBe(1);
      expect(a1111Original(z, u, d)).toEqual(z);
      expect(scale(z, u, d)).toEqual(z);
    }),
  );
});

test('a mean of 0 shows as a ratio that is not finite', () => {
  const z = Float32Array.of(1, 1, 1, 1, 1, 1, 1, 1);
  expect(meanRatio(z, Float64Array.of(1, -1), d)).toBe(Number.POSITIVE_INFINITY);
  expect(
    meanRatio(
      z.map((v) => -v),
      Float64Array.of(1, -1),
      d,
    ),
  ).toBe(Number.NEGATIVE_INFINITY);
  expect(meanRatio(new Float32Array(8), Float64Array.of(1, 2), d)).toBeNaN();
  expect(meanRatio(z, Float64Array.of(1, -2), d)).toBe(-2);
  expect(Array.from(a1111Original(z, Float64Array.of(1, -1), d)).some(Number.isFinite)).toBe(false);
});
