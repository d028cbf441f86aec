import { describe, expect, test } from 'vitest';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { d, fakeZ, tokenizer } from '../road/testing/prompts.ts';
import { weightedPrompt } from '../road/weightedPrompt.ts';
import { chunkComfy } from '../tokens/chunks/comfyChunks.ts';
import { advA1111 } from './advA1111.ts';
import { advComfyPlusPlus } from './advComfyPlusPlus.ts';
import { advCompel } from './advCompel.ts';
import { advDownWeight } from './advDownWeight.ts';
import { applyMethod, methodPasses } from './apply.ts';
import { comfy } from './comfy.ts';
import type { WeightedPrompt } from './method.ts';

function read(prompt: string): WeightedPrompt {
  return weightedPrompt(chunkComfy(parseComfy(prompt).fragments, tokenizer, [], { unit: 'words' }).chunks, 'causal');
}

/** The pass with `+</w>` at some rows. */
function replaced(pass: EncoderPass, ...rows: number[]): EncoderPass {
  return { ...pass, inputIds: pass.inputIds.map((id, row) => (rows.includes(row) ? 266 : id)) };
}

const cats = (count: number) => Array(count).fill('cat').join(' ');

function sum(...terms: [number, ArrayLike<number>][]): number[] {
  return Array.from(terms[0][1], (_, i) => terms.reduce((total, [factor, z]) => total + factor * z[i], 0));
}

describe('what weighs less than 1', () => {
  test('0.2 of all, 0.3 without pears, 0.5 without either', () => {
    const prompt = read('(pears:0.2) and (apples:0.5)');
    const [{ pass }] = prompt.chunks;
    const expected = sum([0.2, fakeZ(pass)], [0.3, fakeZ(replaced(pass, 1))], [0.5, fakeZ(replaced(pass, 1, 3))]);
    for (const method of [advCompel, advComfyPlusPlus, advDownWeight])
      expectClose('sum', applyMethod(method, prompt, fakeZ), expected, 1e-6);
  });

  test('a negative weight takes more than all of what is without', () => {
    const prompt = read('a (cat:-0.5)');
    const [{ pass }] = prompt.chunks;
    const expected = sum([-0.5, fakeZ(pass)], [1.5, fakeZ(replaced(pass, 2))]);
    expectClose('sum', applyMethod(advCompel, prompt, fakeZ), expected, 1e-6);
  });

  test('at 0 nothing of the whole prompt is encoded', () => {
    const prompt = read('a (cat:0)');
    const passes = [replaced(prompt.chunks[0].pass, 2)];
    for (const method of [advCompel, advComfyPlusPlus, advDownWeight])
      expect(methodPasses(method, prompt)).toEqual(passes);
  });

  test('next to a heavy word all others are light to down_weight', () => {
    const prompt = read('a (cat:2) and (a dog:0.5)');
    const [{ pass }] = prompt.chunks;
    const expected = sum(
      [0.25, fakeZ(pass)],
      [0.25, fakeZ(replaced(pass, 4, 5))],
      [0.5, fakeZ(replaced(pass, 1, 3, 4, 5))],
    );
    expectClose('sum', applyMethod(advDownWeight, prompt, fakeZ), expected, 1e-6);
  });

  test('compel moves what weighs more from the empty prompt first, in every part of the sum', () => {
    const prompt = read('(a cat:1.5) and (dog:0.5)');
    const [chunk] = prompt.chunks;
    const perTokenWeights = chunk.perTokenWeights.with(4, 1);
    const moved = (...rows: number[]) =>
      applyMethod(
        comfy,
        { ...prompt, chunks: [{ ...chunk, pass: replaced(chunk.pass, ...rows), perTokenWeights }] },
        fakeZ,
      );
    expectClose('sum', applyMethod(advCompel, prompt, fakeZ), sum([0.5, moved()], [0.5, moved(4)]), 1e-6);
  });
});

describe('what weighs more than 1 in comfy++', () => {
  test('at the rows of a word, the difference to the prompt without that word', () => {
    const prompt = read('a (apricots bicycles:1.5) and');
    const [{ pass, wordIds }] = prompt.chunks;
    const rows = (word: number) => [...wordIds.keys()].filter((row) => wordIds[row] === word);
    const z = fakeZ(pass);
    const expected = z.map((value, i) => {
      const word = wordIds[Math.floor(i / d)];
      return word === 2 || word === 3 ? value + 0.5 * (value - fakeZ(replaced(pass, ...rows(word)))[i]) : value;
    });
    expectClose('sum', applyMethod(advComfyPlusPlus, prompt, fakeZ), expected, 1e-6);
  });

  test('a word in two chunks is taken out of both', () => {
    const word = 'qzxqzx'.repeat(6);
    const prompt = read(`${cats(60)} (${word}:1.5)`);
    expect(prompt.chunks).toHaveLength(2);
    expect(prompt.chunks.every(({ wordIds }) => wordIds.includes(61))).toBe(true);
    expect(methodPasses(advComfyPlusPlus, prompt)).toHaveLength(4);
    const embeds = applyMethod(advComfyPlusPlus, prompt, fakeZ);
    const z = prompt.chunks.map(({ pass }) => fakeZ(pass));
    const at = (77 + 1) * d;
    const without = fakeZ(methodPasses(advComfyPlusPlus, prompt)[3]);
    expectClose(
      'second chunk',
      embeds.slice(at, at + d),
      sum([1.5, z[1].slice(d, 2 * d)], [-0.5, without.slice(d, 2 * d)]),
      1e-6,
    );
  });
});

test('A1111 in ADV has one mean over all chunks', () => {
  const prompt = read(`(cat:1.5) ${cats(80)} (red:0.5)`);
  const z = prompt.chunks.flatMap(({ pass }) => [...fakeZ(pass)]);
  const weights = prompt.chunks.flatMap(({ perTokenWeights }) => [...perTokenWeights]);
  const weighted = z.map((value, i) => value * weights[Math.floor(i / d)]);
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const ratio = total(z) / total(weighted);
  const { chunks } = prompt;
  const own = chunks.map((chunk) => applyMethod(advA1111, { ...prompt, chunks: [chunk] }, fakeZ));
  const embeds = applyMethod(advA1111, prompt, fakeZ);
  expectClose(
    'rows',
    embeds,
    weighted.map((value) => value * ratio),
    1e-5,
  );
  expect([...embeds]).not.toEqual(own.flatMap((rows) => [...rows]));
});

test('the vectors of a replaced token go with it', () => {
  const { chunks, ...prompt } = read('(cat:0.5) dog');
  const [cat, dog] = [Float32Array.of(1), Float32Array.of(2)];
  const vectorsIn = (vectors: ReadonlyMap<number, Float32Array>) => {
    const embedded = chunks.map((chunk) => ({ ...chunk, pass: { ...chunk.pass, vectors } }));
    return methodPasses(advCompel, { ...prompt, chunks: embedded }).map((pass) => pass.vectors);
  };
  const both = new Map([[1, cat]]).set(2, dog);
  expect(vectorsIn(both)).toEqual([both, new Map([[2, dog]])]);
  expect(vectorsIn(new Map([[1, cat]]))).toEqual([new Map([[1, cat]]), undefined]);
});
