import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { curveEnd, curvePath, domainOf, sameCurves, spread } from './curves.ts';

const identity = (value: number) => value;

test('a curve is broken where it is not finite, and where it goes through infinity', () => {
  expect(curvePath([0, 1, 2, 3], [1, 2, Number.NaN, 4], identity, identity)).toBe('M0.0,1.0L1.0,2.0M3.0,4.0');
  expect(curvePath([0, 1, 2], [9, -9, -4], identity, identity, [0.5])).toBe('M0.0,9.0M1.0,-9.0L2.0,-4.0');
  expect(curvePath([0, 1], [1e30, 1], identity, identity)).toBe('M0.0,10000.0L1.0,1.0');
  expect(curvePath([], [], identity, identity)).toBe('');
});

test('a curve ends at its last finite value', () => {
  expect(curveEnd([1, 2, Number.POSITIVE_INFINITY])).toBe(2);
  expect(curveEnd([Number.NaN])).toBeNull();
});

test('labels keep their order, their distance and within their room', () => {
  const places = fc.array(fc.double({ min: -50, max: 250, noNaN: true }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(places, (at) => {
      const moved = spread(at, 12, 0, 200);
      const order = Array.from(at.keys()).sort((a, b) => at[a] - at[b]);
      order.forEach((i, k) => {
        expect(moved[i]).toBeGreaterThanOrEqual(0);
        expect(moved[i]).toBeLessThanOrEqual(200);
        if (k > 0) expect(moved[i] - moved[order[k - 1]]).toBeGreaterThan(12 - 1e-9);
      });
    }),
  );
  expect(spread([10, 100], 12, 0, 200)).toEqual([10, 100]);
});

test('curves that lie upon one another are found', () => {
  const nan = Number.NaN;
  expect(
    sameCurves(
      [
        [1, 2, nan],
        [1, 3, nan],
        [1.0001, 2, nan],
        [1, 2, 5],
      ],
      0.001,
    ),
  ).toEqual([[0, 2], [1], [3]]);
});

test('a curve without bounds does not flatten the others', () => {
  expect(domainOf([[1, 3]], [[-1e9, 2, 1e9, Number.NaN]], [0])).toEqual([-1.5, 4.5]);
  expect(domainOf([[1, 3]], [[2, 3.5]], [0])).toEqual([0, 3.5]);
});
