import { expect, test } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { clipSkip, clipSkipHiddenStates } from './clipSkip.ts';

const tiny = { ...clipTiny, hiddenSize: 2, layerNormEps: 0 };
const output = {
  lastHiddenState: Float32Array.of(9, 9),
  hiddenStates: new Map([[1, Float32Array.of(1, 3, 10, 6)]]),
};
const finalLayerNorm = { weight: Float32Array.of(2, 3), bias: Float32Array.of(0.5, 0) };

test('layers are counted from the last of the hidden states', () => {
  expect(clipSkipHiddenStates(1, clipVitL14)).toEqual([]);
  expect(clipSkipHiddenStates(2, clipVitL14)).toEqual([11]);
  expect(clipSkipHiddenStates(12, clipVitL14)).toEqual([1]);
  expect(clipSkipHiddenStates(13, clipVitL14)).toEqual([0]);
});

test('the final LayerNorm is applied to what is taken', () => {
  expect(clipSkip(output, 1, tiny, finalLayerNorm)).toBe(output.lastHiddenState);
  expectClose('k = 2', clipSkip(output, 2, tiny, finalLayerNorm), [-1.5, 3, 2.5, -3], 1e-6);
});

test('what is not there is refused', () => {
  for (const k of [0, -1, 4, 1.5, Number.NaN])
    expect(() => clipSkip(output, k, tiny, finalLayerNorm)).toThrow(RangeError);
  expect(() => clipSkip(output, 0, tiny, finalLayerNorm)).toThrow('from 1 to 3');
  expect(() => clipSkip(output, 3, tiny, finalLayerNorm)).toThrow('hidden state 0');
});
