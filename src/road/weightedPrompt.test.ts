import { expect, test } from 'vitest';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { sourceText } from '../prompt/sourceText.ts';
import fc from '../properties.ts';
import { chunkA1111 } from '../tokens/chunks/a1111Chunks.ts';
import { a1111, fragmentsWith, someWeight, tokenizer } from './testing/prompts.ts';
import { compelPrompt, compelPromptDefaults, weightedPrompt } from './weightedPrompt.ts';

const row = (ids: ArrayLike<number>, length = 8) => Array.from(ids).slice(0, length);

test('fragments are words where the chunks know of none', () => {
  const { chunks } = a1111('a red (car:1.2), BREAK a dog');
  expect(row(chunks[0].wordIds, 6)).toEqual([0, 1, 1, 2, 3, 0]);
  expect(row(chunks[1].wordIds, 4)).toEqual([0, 5, 5, 0]);
});

test('a light fragment is masked, or removed, in its chunk', () => {
  const { chunks, downweighted } = a1111('a (red:0.5) car, (sunset:1.5) BREAK a dog', 'hf');
  expect(downweighted).toHaveLength(1);
  const [{ weight, masked, removed }] = downweighted;
  expect(weight).toBe(0.5);
  expect(row(chunks[0].pass.keyMask)).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
  expect(row(masked[0].pass.keyMask)).toEqual([1, 1, 0, 1, 1, 1, 1, 0]);
  expect(row(removed[0].pass.keyMask)).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
  const [[bos, a, , car, comma, sunset, eos]] = [chunks[0].pass.inputIds];
  expect(row(removed[0].pass.inputIds)).toEqual([bos, a, car, comma, sunset, eos, eos, eos]);
  expect(row(removed[0].perTokenWeights)).toEqual([1, 1, 1, 1, 1.5, 1, 1, 1]);
  expect([masked[1], removed[1]]).toEqual([chunks[1], chunks[1]]);
});

test('vectors stay with their tokens', () => {
  const { chunks } = chunkA1111(parseA1111('a (red:0.5) car').fragments, tokenizer);
  const [red, car] = [Float32Array.of(1), Float32Array.of(2)];
  const vectors = new Map([
    [2, red],
    [3, car],
  ]);
  const prompt = weightedPrompt([{ ...chunks[0], vectors }], 'causal');
  expect(prompt.chunks[0].pass.vectors).toBe(vectors);
  const [{ masked, removed }] = prompt.downweighted;
  expect(masked[0].pass.vectors).toBe(vectors);
  expect(removed[0].pass.vectors).toEqual(new Map([[2, car]]));
});

test('the empty prompt is masked as the others are', () => {
  expect(row(a1111('cat', 'hf').empty.keyMask, 4)).toEqual([1, 1, 0, 0]);
  expect(row(a1111('cat', 'causal').empty.keyMask, 4)).toEqual([1, 1, 1, 1]);
  expect(a1111('', 'lecture').chunks[0].pass).toEqual(a1111('cat', 'lecture').empty);
});

test('a fragment that Compel removes leaves the prompt of the others', () => {
  fc.assert(
    fc.property(fragmentsWith(someWeight), fc.boolean(), (fragments, truncate) => {
      const options = { ...compelPromptDefaults, truncate };
      const { downweighted } = compelPrompt(fragments, tokenizer, options);
      const light = Array.from(fragments.keys()).filter((index) => {
        const alone = compelPrompt(fragments.slice(0, index + 1), tokenizer, options).downweighted;
        return alone.length > compelPrompt(fragments.slice(0, index), tokenizer, options).downweighted.length;
      });
      expect(downweighted.map(({ removed }) => removed)).toEqual(
        light.map((index) => compelPrompt(fragments.toSpliced(index, 1), tokenizer, options).chunks),
      );
    }),
    { numRuns: 30 },
  );
});

test('each fragment is tokenised once, however many are weighed down', () => {
  let calls = 0;
  const counting = {
    ...tokenizer,
    tokenize: (...args: Parameters<typeof tokenizer.tokenize>) => {
      calls++;
      return tokenizer.tokenize(...args);
    },
  };
  const fragments = Array.from({ length: 20 }, (_, i) => ({
    kind: 'text' as const,
    weight: 0.5 + i / 100,
    ...sourceText('cat'),
    start: 0,
    end: 3,
  }));
  expect(compelPrompt(fragments, counting).downweighted).toHaveLength(20);
  expect(calls).toBe(20);
});
