import { expect, test } from 'vitest';
import { passKey } from './encoderPass.ts';
import { encoderPass } from './masks.ts';

const pass = (...vectors: readonly (readonly [number, readonly number[]])[]) => ({
  ...encoderPass(Uint32Array.of(49406, 0, 0, 49407), 'causal'),
  ...(vectors.length > 0 && { vectors: new Map(vectors.map(([row, v]) => [row, Float32Array.from(v)])) }),
});

test('vectors are told apart by their numbers and rows, not by which array holds them', () => {
  const key = passKey(pass([1, [1, 2]], [2, [3, 4]]));
  expect(passKey(pass([1, [1, 2]], [2, [3, 4]]))).toBe(key);
  const others = [pass(), pass([1, [1, 2]]), pass([1, [3, 4]], [2, [1, 2]]), pass([1, [1, 2]], [2, [3, 4.5]])];
  expect(new Set([key, ...others.map(passKey)]).size).toBe(5);
});
