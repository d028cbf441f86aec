import { describe, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { parseCompel } from '../prompt/compel/compelPrompt.ts';
import { referenceZ } from '../road/testing/encodings.ts';
import { d, fakeZ, fragmentsOf, tokenizer } from '../road/testing/prompts.ts';
import { type CompelPromptOptions, compelPrompt, compelPromptDefaults } from '../road/weightedPrompt.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { applyMethod } from './apply.ts';
import { compelMask } from './compelMask.ts';
import { compelRemove } from './compelRemove.ts';
import { downweightFactor } from './compelVersions.ts';
import type { Method, WeightedPrompt } from './method.ts';
import { padded } from './rows.ts';

function read(prompt: string, options: Partial<CompelPromptOptions> = {}): WeightedPrompt {
  return compelPrompt(parseCompel(prompt).fragments, tokenizer, { ...compelPromptDefaults, ...options });
}

const cats = (count: number) => Array(count).fill('cat').join(' ');
const isHidden = (keyMask: Uint8Array) => [...keyMask.keys()].filter((row) => !keyMask[row]);

test.each([
  [1, 0],
  [0.5, 1],
  [0.25, 2.414213562],
  [0.9, 0.15838444],
  [0, 63661.9772],
  [-3, 63661.9772],
  [Number.NEGATIVE_INFINITY, 63661.9772],
])('a weight of %d counts %d', (weight, factor) => {
  expect(downweightFactor(weight) / Math.max(factor, 1)).toBeCloseTo(factor / Math.max(factor, 1), 8);
});

test('a phrase of half the weight, on the tiny encoder', async () => {
  const embeds = applyMethod(compelMask, read('a photo of a (cat)0.5 on grass'), (await referenceZ(clipTiny))(1));
  const { hiddenSize } = clipTiny;
  expectClose('row 5', embeds.slice(5 * hiddenSize, 5 * hiddenSize + 2), [0.841543, 0.015188], 1e-6);
  expectClose('row 7', embeds.slice(7 * hiddenSize, 7 * hiddenSize + 2), [0.139025, -0.347869], 1e-6);
});

/** The formula row by row, from nothing but outputs. */
function byHand(prompt: WeightedPrompt, which: 'masked' | 'removed', row: number): number[] {
  const versions = [prompt.chunks, ...prompt.downweighted.map((fragment) => fragment[which])];
  const factors = [1, ...prompt.downweighted.map(({ weight }) => Math.tan(((1 - weight) * Math.PI) / 2))];
  const total = factors.reduce((a, b) => a + b, 0);
  return Array.from({ length: d }, (_, c) => {
    const terms = versions.map((chunks, k) => {
      const { pass, perTokenWeights } = chunks[Math.floor(row / 77)];
      const i = (row % 77) * d + c;
      const e = fakeZ(prompt.empty)[i];
      return factors[k] * (e + (fakeZ(pass)[i] - e) * perTokenWeights[row % 77]);
    });
    return terms.reduce((a, b) => a + b, 0) / total;
  });
}

test.each([
  ['masked', compelMask],
  ['removed', compelRemove],
] as ['masked' | 'removed', Method][])('%s: the whole prompt and those without a light fragment', (which, method) => {
  const prompt = read(`(red)0.3 car, (${cats(80)})1.2 and a (dog sunset)0.75 on grass`, {
    truncate: false,
    split: 'BRUTAL',
  });
  expect(prompt.chunks).toHaveLength(2);
  expect(prompt.downweighted.map(({ weight }) => weight)).toEqual([0.3, 0.75]);
  const embeds = applyMethod(method, prompt, fakeZ);
  expect(embeds).toHaveLength(2 * 77 * d);
  for (let row = 0; row < 154; row++)
    expectClose(`row ${row}`, embeds.slice(row * d, (row + 1) * d), byHand(prompt, which, row), 1e-5);
});

describe('masked', () => {
  test('the keys of the fragment, and nothing else', () => {
    const { chunks, downweighted } = read('a (red car)0.5 on (grass)0.2');
    expect(downweighted.map(({ masked }) => isHidden(masked[0].pass.keyMask))).toEqual([[2, 3], [5]]);
    for (const { masked } of downweighted) {
      expect(masked[0].pass.inputIds).toEqual(chunks[0].pass.inputIds);
      expect(masked[0].perTokenWeights).toEqual(chunks[0].perTokenWeights);
    }
  });

  test('a fragment over the boundary of two chunks, which stays visible', () => {
    const { downweighted } = read(`${cats(74)} (dog dog dog)0.5 cat`, { truncate: false, split: 'BRUTAL' });
    expect(downweighted[0].masked.map(({ pass }) => isHidden(pass.keyMask))).toEqual([[75], [1, 2]]);
  });

  test('with padding hidden too, the last row is seen where nothing is cut off', () => {
    const hidden = (truncate: boolean) => {
      const { chunks, downweighted, empty } = read('a (red)0.5 car', { truncate, mask: 'hf' });
      expect(isHidden(empty.keyMask)).toEqual([]);
      expect(isHidden(chunks[0].pass.keyMask)[0]).toBe(5);
      return isHidden(downweighted[0].masked[0].pass.keyMask);
    };
    expect(hidden(true)).toEqual([2, ...Array.from({ length: 72 }, (_, i) => i + 5)]);
    expect(hidden(false)).toEqual([2, ...Array.from({ length: 71 }, (_, i) => i + 5)]);
  });

  test('what is cut off, and what has no tokens, is not weighed down', () => {
    expect(read(`${cats(75)} (dog)0.5`).downweighted).toEqual([]);
    expect(
      compelPrompt(
        fragmentsOf([
          ['', 0.5],
          ['cat', 1],
        ]),
        tokenizer,
      ).downweighted,
    ).toEqual([]);
    expect(read('a (red)0.5 car').downweighted).toHaveLength(1);
  });
});

describe('removed', () => {
  const ids = (prompt: WeightedPrompt) => prompt.downweighted[0].removed.map(({ pass }) => pass.inputIds);

  test('what follows moves up, with its weights, and no key is masked', () => {
    const prompt = read('a (red)0.5 car (sunset)1.5', { mask: 'hf' });
    const [{ removed }] = prompt.downweighted;
    expect(removed[0].pass.inputIds).toEqual(read('a car (sunset)1.5').chunks[0].pass.inputIds);
    expect(removed[0].perTokenWeights[3]).toBe(1.5);
    expect(isHidden(removed[0].pass.keyMask)).toEqual([]);
  });

  test('later tokens come into a prompt that is cut off', () => {
    const prompt = read(`(red)0.5 ${cats(73)} dog sunset`);
    const dog = read('dog sunset').chunks[0].pass.inputIds;
    expect(prompt.chunks[0].pass.inputIds.slice(75)).toEqual(Uint32Array.of(dog[1], eosTokenId));
    expect(ids(prompt)[0].slice(74)).toEqual(Uint32Array.of(dog[1], dog[2], eosTokenId));
  });

  test('the only fragment leaves an empty prompt', () => {
    const prompt = read('cat-');
    expect(ids(prompt)).toEqual([prompt.empty.inputIds]);
  });

  test('a prompt of fewer chunks is completed with the empty one', () => {
    const prompt = read(`(${cats(10)})0.5 dog ${cats(70)}`, { truncate: false });
    expect([prompt.chunks.length, ids(prompt).length]).toEqual([2, 1]);
    const embeds = applyMethod(compelRemove, prompt, fakeZ);
    const [e, z] = [fakeZ(prompt.empty), fakeZ(prompt.chunks[1].pass)];
    expectClose(
      'second chunk',
      embeds.slice(77 * d),
      z.map((value, i) => (value + e[i]) / 2),
      1e-6,
    );
    expect(padded([1, 2], 7, [3, 4])).toEqual(Float64Array.of(1, 2, 3, 4, 3, 4, 3));
  });
});
