import { expect } from 'vitest';
import type { Floats } from '../products.ts';

/** [count] repeatable numbers of (−1, 1). */
export function numbers(count: number, seed: number): Float64Array {
  let state = Math.imul(seed, 2654435761);
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return (state >>> 8) * 2 ** -23 - 1;
  });
}

/** Σ a b */
export function weightedSum(a: Floats, b: Floats): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Holds a gradient to the central differences of `loss` by each element of `variable`. */
export function expectDifferences(name: string, loss: () => number, variable: Float64Array, gradient: Floats): void {
  const step = 1e-5;
  for (let i = 0; i < variable.length; i++) {
    const value = variable[i];
    variable[i] = value + step;
    const above = loss();
    variable[i] = value - step;
    const below = loss();
    variable[i] = value;
    const difference = (above - below) / (2 * step);
    if (!(Math.abs(gradient[i] - difference) <= 1e-8 * (1 + Math.abs(difference))))
      expect.fail(`${name}: gradient ${i} is ${gradient[i]}, the difference ${difference}`);
  }
}
