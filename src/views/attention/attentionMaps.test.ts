import { expect, test } from 'vitest';
import { entropy, headMap, largest, meanMap, shownTokens, strongestKeys } from './attentionMaps.ts';

// [N = 2, h = 2, L = 2, L]
const attentions = Float32Array.of(1, 0, 0.25, 0.75, 1, 0, 0.5, 0.5, 1, 0, 0.125, 0.875, 1, 0, 0.375, 0.625);

test('a head is its part of the whole; the mean over heads is of one layer', () => {
  expect([...headMap(attentions, 1, 0, 2, 2)]).toEqual([1, 0, 0.125, 0.875]);
  expect([...meanMap(attentions, 0, 2, 2)]).toEqual([1, 0, 0.375, 0.625]);
});

test('the largest probability is that of the rows and columns on show', () => {
  expect(largest(attentions, 2, [0, 1], [0, 1])).toBe(1);
  expect(largest(attentions, 2, [1], [0])).toBe(0.5);
  expect(largest(headMap(attentions, 1, 0, 2, 2), 2, [1], [1])).toBe(0.875);
});

test('BOS and PAD can be left out, EOS and text never', () => {
  const tokens = ['bos', 'text', 'eos', 'pad', 'pad'];
  expect(shownTokens(tokens, { bos: true, pad: true })).toEqual([0, 1, 2, 3, 4]);
  expect(shownTokens(tokens, { bos: false, pad: false })).toEqual([1, 2]);
  expect(shownTokens(tokens, { bos: true, pad: true }, 3)).toEqual([0, 1, 2]);
});

test('entropy is 0 for one certain key and log2 n for n equal ones', () => {
  expect(entropy(attentions, 2, 0)).toBe(0);
  expect(entropy(headMap(attentions, 0, 1, 2, 2), 2, 1)).toBeCloseTo(1, 12);
});

test('the strongest keys come first, masked ones never', () => {
  expect(strongestKeys(Float32Array.of(0.2, 0.5, 0.3, 0), 4, 0, 3)).toEqual([1, 2, 0]);
  expect(strongestKeys(Float32Array.of(1, 0, 0, 0), 4, 0, 3)).toEqual([0]);
});
