import { describe, expect, test } from 'vitest';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { eosTokenId } from '../tokens/clipVocabulary.ts';
import { applyMethod } from '../weighting/apply.ts';
import { compelMask } from '../weighting/compelMask.ts';
import type { Method, ZOf } from '../weighting/method.ts';
import { methods } from '../weighting/methods.ts';
import { type ClsMode, compose, composed, compositionPasses, stacking } from './composition.ts';
import { defaultOptions } from './options.ts';
import { preparePrompt } from './pipeline.ts';
import { withPasses } from './testing/encodings.ts';
import { d, fakeZ, tokenizer } from './testing/prompts.ts';

const read = (prompt: string, clsTokens: ClsMode = 'own') =>
  preparePrompt(prompt, { ...defaultOptions, syntax: 'compel', split: 'BRUTAL', clsTokens }, tokenizer).conditionings[0]
    .composition;
const cats = (count: number) => Array(count).fill('cat').join(' ');

function embedsOf(prompt: string, method: Method = compelMask, clsTokens: ClsMode = 'own'): Float32Array {
  const composition = read(prompt, clsTokens);
  return withPasses(compositionPasses(method, composition), fakeZ, (z) => compose(method, composition, z));
}

test('a prompt alone is what its method makes of it', () => {
  const prompt = 'a (red)1.3 car and (a dog)0.5';
  for (const method of Object.values(methods))
    expect(embedsOf(prompt, method)).toEqual(applyMethod(method, read(prompt).parts[0].blend.prompts[0], fakeZ));
});

test('what completes a shorter prompt is the empty one without a key mask, whatever mask the others have', () => {
  const composition = preparePrompt(
    `("${cats(80)}", "dog").blend(1, 1)`,
    { ...defaultOptions, syntax: 'compel', split: 'BRUTAL', mask: 'hf' },
    tokenizer,
  ).conditionings[0].composition;
  /** 1 for the empty prompt without a key mask, 10 with one, 100 for every other pass. */
  const marked: ZOf = ({ inputIds, keyMask }) => {
    const isEmpty = inputIds[1] === eosTokenId;
    return new Float32Array(inputIds.length * d).fill(isEmpty ? (keyMask.every((key) => key === 1) ? 1 : 10) : 100);
  };
  const rows = compose(compelMask, composition, marked);
  expect([rows[0], rows[77 * d]]).toEqual([100, 50.5]);
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

describe.each(['COPY_FIRST_CLS_TOKEN', 'MERGE_CLS_TOKENS'] as const)('%s', (mode) => {
  test.each(Object.values(methods))('first EOS rows of all chunks are one row, by $name', (method) => {
    const prompt = `(cat)1.3 ${cats(76)} (dog)0.5 ${cats(80)}`;
    const { chunks } = read(prompt).parts[0].blend.prompts[0];
    expect(chunks).toHaveLength(3);
    const eos = chunks.map(({ pass }, i) => i * 77 + pass.inputIds.indexOf(eosTokenId));
    expect(eos).toEqual([76, 153, 154 + 9]);
    const [own, shared] = [embedsOf(prompt, method), embedsOf(prompt, method, mode)];
    const row = (from: Float32Array, at: number) => [...from.slice(at * d, (at + 1) * d)];
    const mean = row(own, eos[0]).map((_, c) => eos.reduce((sum, at) => sum + own[at * d + c], 0) / 3);
    const expected = mode === 'COPY_FIRST_CLS_TOKEN' ? row(own, eos[0]) : mean;
    for (const at of eos) expectClose(`row ${at}`, row(shared, at), expected, 1e-5);
    for (const at of eos) shared.set(own.subarray(at * d, (at + 1) * d), at * d);
    expect(shared).toEqual(own);
  });

  test('one chunk keeps its row, and each text of a blend its own', () => {
    expect(embedsOf('a (red)1.3 car', compelMask, mode)).toEqual(embedsOf('a (red)1.3 car'));
    const [a, b] = [embedsOf(cats(100), compelMask, mode), embedsOf('a dog')];
    const empty = [...b, ...embedsOf('')];
    const blended = embedsOf(`("${cats(100)}", "a dog").blend(1, 1)`, compelMask, mode);
    expectClose(
      'blend',
      blended,
      a.map((value, i) => (value + empty[i]) / 2),
      1e-6,
    );
  });
});

test('a chunk is computed when it is asked for, from its own passes alone', () => {
  const composition = read(`${cats(80)} (dog)1.3 ${cats(80)} (fog)0.5`);
  const asked: EncoderPass[] = [];
  const zOf: ZOf = (pass) => {
    asked.push(pass);
    return fakeZ(pass);
  };
  const { n, rowsOf } = composed(methods.original, composition, zOf);
  expect([n, asked.length]).toEqual([3, 0]);
  const { chunks } = composition.parts[0].blend.prompts[0];
  for (const at of [1, 2]) {
    asked.length = 0;
    expect(rowsOf(at)).toEqual(
      embedsOf(`${cats(80)} (dog)1.3 ${cats(80)} (fog)0.5`, methods.original).slice(at * 77 * d, (at + 1) * 77 * d),
    );
    expect(new Set(asked)).toEqual(new Set([chunks[at].pass]));
  }
});

test('past its last chunk a conditioning is completed with the empty prompt', () => {
  const { n, rowsOf } = composed(compelMask, read('a (cat)1.3'), fakeZ);
  expect([rowsOf(n), rowsOf(n + 5)]).toEqual([embedsOf(''), embedsOf('')]);
});

test('a long conditioning is computed a chunk a slice', () => {
  const composition = read(cats(200));
  const work = stacking(composed(compelMask, composition, fakeZ));
  expect([work.next().done, work.next().done]).toEqual([false, false]);
  expect(work.next()).toEqual({ done: true, value: compose(compelMask, composition, fakeZ) });
});
