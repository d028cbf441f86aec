import { expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import fc from '../properties.ts';
import { fragmentsWith, someWeight, tokenizer } from '../road/testing/prompts.ts';
import { weightedPrompt } from '../road/weightedPrompt.ts';
import { chunkComfy } from '../tokens/chunks/comfyChunks.ts';
import type { WeightedPrompt } from './method.ts';
import { normaliseTokens, type TokenNormalisation } from './normalise.ts';

function read(prompt: string): WeightedPrompt {
  return weightedPrompt(chunkComfy(parseComfy(prompt).fragments, tokenizer, [], { unit: 'segments' }).chunks, 'causal');
}

function textWeights({ chunks }: WeightedPrompt): number[] {
  return chunks.flatMap(({ perTokenWeights, wordIds }) => [...perTokenWeights].filter((_, row) => wordIds[row] !== 0));
}

// Weights 3, 3, 3, 3, 0.5, 0.5: two words of four and two tokens.
test.each<[TokenNormalisation, number[]]>([
  ['none', [3, 3, 3, 3, 0.5, 0.5]],
  ['length', [2, 2, 2, 2, 1 - Math.SQRT1_2 / 2, 1 - Math.SQRT1_2 / 2]],
  ['mean', [3, 3, 3, 3, 0.5, 0.5].map((weight) => weight - 7 / 6)],
  ['length+mean', [2, 2, 2, 2, 1 - Math.SQRT1_2 / 2, 1 - Math.SQRT1_2 / 2].map((w) => w + 1 - (10 - Math.SQRT1_2) / 6)],
])('%s', (normalisation, expected) => {
  const prompt = normaliseTokens(read('(a cat a cat:3)(a dog:0.5)'), normalisation);
  expectClose('weights', textWeights(prompt), expected, 1e-12);
  expect([...prompt.chunks[0].perTokenWeights].filter((_, row) => row === 0 || row > 6)).toEqual(Array(71).fill(1));
});

test('a word counts its tokens through all chunks', () => {
  const prompt = normaliseTokens(read(`(${Array(100).fill('cat').join(' ')}:2)`), 'length');
  expect(prompt.chunks).toHaveLength(2);
  expectClose('weights', textWeights(prompt), Array(100).fill(1.1), 1e-12);
});

test('Compel finds nothing to weigh down by itself', () => {
  const prompt = read('(a cat:0.5)');
  expect(normaliseTokens(prompt, 'none').downweighted).toHaveLength(1);
  expect(normaliseTokens(prompt, 'mean').downweighted).toEqual([]);
});

test('the text of any prompt averages 1 after mean, and is as it was where it did before', () => {
  fc.assert(
    fc.property(fragmentsWith(someWeight), (fragments) => {
      const prompt = weightedPrompt(chunkComfy(fragments, tokenizer).chunks, 'causal');
      const once = normaliseTokens(prompt, 'mean');
      const weights = textWeights(once);
      if (weights.length > 0) expect(weights.reduce((a, b) => a + b, 0) / weights.length).toBeCloseTo(1, 12);
      expectClose('again', textWeights(normaliseTokens(once, 'mean')), weights, 1e-12);
    }),
  );
});
