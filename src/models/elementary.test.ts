import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cosineOfHalfTurn, exp, log, log1p, sigmoid } from './elementary.ts';

/** Largest error of `actual` relative to `expected` over points of [from, to]. */
function largestError(
  actual: (x: number) => number,
  expected: (x: number) => number,
  from: number,
  to: number,
): number {
  let largest = 0;
  for (let i = 0; i <= 20_000; i++) {
    const x = from + ((to - from) * i) / 20_000;
    largest = Math.max(largest, Math.abs(actual(x) - expected(x)) / Math.abs(expected(x) || 1));
  }
  return largest;
}

const unit = 2 ** -52;

test('exp, log and log1p are within a few units in the last place', () => {
  expect(largestError(exp, Math.exp, -700, 709)).toBeLessThan(4 * unit);
  expect(largestError(exp, Math.exp, -1, 1)).toBeLessThan(4 * unit);
  expect(largestError(log, Math.log, 1e-3, 3)).toBeLessThan(3 * unit);
  expect(largestError(log, Math.log, 1, 1e9)).toBeLessThan(3 * unit);
  expect(
    largestError(
      (x) => log1p(2 ** x),
      (x) => Math.log1p(2 ** x),
      -80,
      20,
    ),
  ).toBeLessThan(4 * unit);
  expect(largestError(sigmoid, (x) => 1 / (1 + Math.exp(-x)), -40, 40)).toBeLessThan(5 * unit);
});

test('the ends of their ranges are right', () => {
  expect([-800, -746, 800, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(exp)).toEqual([
    0,
    0,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    0,
  ]);
  expect(exp(0)).toBe(1);
  expect(Math.abs(exp(-744) - Math.exp(-744))).toBeLessThanOrEqual(Number.MIN_VALUE);
  expect([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1].map(log)).toEqual([
    Number.NEGATIVE_INFINITY,
    Number.NaN,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    0,
  ]);
  expect(log(Number.MIN_VALUE)).toBeCloseTo(Math.log(Number.MIN_VALUE), 10);
});

test('the cosine of a half turn goes from 1 to −1', () => {
  for (let i = 0; i <= 1000; i++) {
    const t = i / 1000;
    expect(Math.abs(cosineOfHalfTurn(t) - Math.cos(Math.PI * t))).toBeLessThan(4e-16);
  }
});

/** Functions and operators of JavaScript whose last bits engines are free to choose. */
const inexact = /Math\.(a?(sin|cos|tan)h?|atan2|cbrt|exp|expm1|hypot|log|log10|log1p|log2|pow)\b|\*\*/;

test.each(['src/training', 'src/world'])('%s computes the same bits in every engine', (room) => {
  const sources = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.includes('testing/'),
  );
  expect(sources.length).toBeGreaterThan(5);
  for (const name of sources) {
    const code = readFileSync(`${room}/${name}`, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    expect(inexact.exec(code)?.[0], name).toBeUndefined();
  }
});
