import { describe, expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { applyMethod } from '../weighting/apply.ts';
import { compelMask } from '../weighting/compelMask.ts';
import type { Method } from '../weighting/method.ts';
import { methods } from '../weighting/methods.ts';
import { compose, compositionPasses, copyFirstEos } from './composition.ts';
import { defaultOptions } from './options.ts';
import { preparePrompt } from './pipeline.ts';
import { withPasses } from './testing/encodings.ts';
import { d, fakeZ, tokenizer } from './testing/prompts.ts';

const read = (prompt: string) =>
  preparePrompt(prompt, { ...defaultOptions, syntax: 'compel', split: 'BRUTAL' }, tokenizer).conditionings[0]
    .composition;
const cats = (count: number) => Array(count).fill('cat').join(' ');

function embedsOf(prompt: string, method: Method = compelMask): Float32Array {
  const composition = read(prompt);
  return withPasses(compositionPasses(method, composition), fakeZ, (z) => compose(method, composition, z));
}

test('a prompt alone is what its method makes of it', () => {
  const prompt = 'a (red)1.3 car and (a dog)0.5';
  for (const method of Object.values(methods))
    expect(embedsOf(prompt, method)).toEqual(applyMethod(method, read(prompt).parts[0].blend.prompts[0], fakeZ));
});

describe('blend', () => {
  const [a, b] = [embedsOf('a cat'), embedsOf('a dog')];
  const mix = (x: number, y: number) => a.map((value, i) => x * value + y * b[i]);

  test.each([
    ['.blend()', mix(0.5, 0.5)],
    ['.blend(3, 1)', mix(0.75, 0.25)],
    ['.blend(1, -0.5)', mix(2, -1)],
    ['.blend(1, -0.5, no_normalize)', mix(1, -0.5)],
  ])('%s', (options, expected) => {
    expectClose('blend', embedsOf(`("a cat", "a dog")${options}`), expected, 1e-6);
  });

  test('factors that add up to 0 leave nothing finite', () => {
    expect(embedsOf('("a cat", "a dog").blend(1, -1)').some(Number.isFinite)).toBe(false);
  });

  test('the shorter is completed with the empty prompt', () => {
    const long = embedsOf(cats(80));
    const embeds = embedsOf(`("a cat", "${cats(80)}").blend(1, 1)`);
    expect(embeds).toHaveLength(154 * d);
    const completed = [...a, ...embedsOf('')];
    expectClose(
      'blend',
      embeds,
      long.map((value, i) => (value + completed[i]) / 2),
      1e-6,
    );
  });
});

describe('and', () => {
  test('conditionings one under the other', () => {
    expect([...embedsOf('("a cat", "a dog").and()')]).toEqual([...embedsOf('a cat'), ...embedsOf('a dog')]);
    expect(compositionPasses(compelMask, read('("a cat", "a dog").and()'))).toHaveLength(2);
  });

  test('a part moves from the empty prompt by its weight', () => {
    const embeds = embedsOf(`("a cat", "${cats(80)}").and(1, 0.25)`);
    expect([...embeds.slice(0, 77 * d)]).toEqual([...embedsOf('a cat')]);
    const e = [...embedsOf(''), ...embedsOf('')];
    const expected = embedsOf(cats(80)).map((value, i) => e[i] + (value - e[i]) * 0.25);
    expectClose('second part', embeds.slice(77 * d), expected, 1e-6);
  });

  test('the same prompt twice is encoded once', () => {
    expect(compositionPasses(compelMask, read('("a cat", "a cat").and(1, 0.5)'))).toHaveLength(2);
  });
});

test('the first EOS of the first chunk stands in all', () => {
  const { chunks } = read(cats(100)).parts[0].blend.prompts[0];
  const embeds = embedsOf(cats(100));
  const row = (from: Float32Array, at: number) => [...from.slice(at * d, (at + 1) * d)];
  const copied = copyFirstEos(chunks, embeds);
  const eos = 77 + chunks[1].pass.inputIds.indexOf(eosTokenId);
  expect(eos).toBe(77 + 26);
  expect(row(copied, eos)).toEqual(row(embeds, 76));
  copied.set(embeds.subarray(eos * d, (eos + 1) * d), eos * d);
  expect(copied).toEqual(embeds);
});
