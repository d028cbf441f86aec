import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readNpy } from '../../files/npy.ts';

export interface RecordedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A float32 array below `src`: `clip/recorded/tiny_B_hf_last.npy`. */
export function recordedArray(path: string): RecordedArray {
  const { shape, data } = readNpy(readFileSync(`src/${path}`));
  if (!(data instanceof Float32Array)) throw new TypeError(`${path} is not float32.`);
  return { shape, data };
}

/** The part of an array at some leading indices: `at(hidden, 1, 2)` of [2, 3, L, d] is [L, d]. */
export function at({ shape, data }: RecordedArray, ...indices: number[]): Float32Array {
  const size = shape.slice(indices.length).reduce((a, b) => a * b, 1);
  const index = indices.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
  return data.subarray(index * size, (index + 1) * size);
}

/** |actual − expected| ≤ atol + rtol·|expected| everywhere; a failure names the array, the element and both values. */
export function expectClose(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  atol: number,
  rtol = 0,
): void {
  expect(actual.length, `${what}: elements`).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    // Written so that NaN fails.
    if (!(error <= atol + rtol * Math.abs(expected[i])))
      expect.fail(
        `${what}[${i}] is ${actual[i]}, expected ${expected[i]}: off by ${error} (atol ${atol}, rtol ${rtol})`,
      );
  }
}
