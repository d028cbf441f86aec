import { describe, expect, test } from 'vitest';
import { appliesWeights, applyMethod } from '../weighting/apply.ts';
import { methodNames, methods } from '../weighting/methods.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt } from './pipeline.ts';
import { a1111, fakeZ, tokenizer } from './testing/prompts.ts';

const prepare = (prompt: string, options: Partial<PromptOptions>) =>
  preparePrompt(prompt, { ...defaultOptions, ...options }, tokenizer);
const codes = (prompt: string, options: Partial<PromptOptions>) =>
  prepare(prompt, options).diagnostics.map(({ code, start, end }) => [code, prompt.slice(start, end)]);

test.each(methodNames)('%s applies weights exactly if it changes a weighted prompt', (name) => {
  const before = applyMethod(methods.none, a1111('a (red:1.3) car'), fakeZ);
  const after = applyMethod(methods[name], a1111('a (red:1.3) car'), fakeZ);
  expect(appliesWeights(methods[name])).toBe(after.some((value, i) => value !== before[i]));
});

describe('weights that change nothing', () => {
  test.each<[string, Partial<PromptOptions>, [string, string][]]>([
    ['a (red:1.3) car', {}, []],
    ['a (red:1.3) car', { weighting: 'none' }, [['weights-not-applied', 'red']]],
    ['a (red:1.3) [car]', { weighting: 'none' }, [['weights-not-applied', 'red:1.3) [car']]],
    ['a red car', { weighting: 'none' }, []],
    ['a (red:1) car', { weighting: 'none' }, []],
    ['', { weighting: 'none' }, []],
    ['a (red)1.3 car', { syntax: 'compel', weighting: 'none' }, [['weights-not-applied', 'red']]],
    ['a (red:1.3) car', { syntax: 'comfy', weighting: 'none' }, [['weights-not-applied', 'red']]],
    ['(a red car:1.3)', { weighting: 'comfy', normalisation: 'mean' }, [['weights-not-applied', 'a red car']]],
    ['a (red car:1.3)', { weighting: 'comfy', normalisation: 'mean' }, []],
    ['(a red car:1.3)', { weighting: 'adv-down-weight' }, [['weights-not-applied', 'a red car']]],
    ['(a red car:0.5)', { weighting: 'adv-down-weight' }, []],
    ['[a (red:1.1)|car]', { step: 2 }, []],
    ['a (red:1.3) car', { brackets: 'text' }, [['brackets-as-text', '(red:1.3)']]],
    ['a red car', { brackets: 'text' }, []],
    ['a (red:1.3) car', { weighting: 'psi', rowMaps: '2: z * 2' }, [['weights-not-applied', 'red']]],
    ['a (red:1.3) car', { weighting: 'psi', rowMaps: '2: z * w' }, []],
    ['cat AND (dog:1.2)', { weighting: 'none' }, [['weights-not-applied', 'dog']]],
  ])('%s with %o', (prompt, options, expected) => {
    expect(codes(prompt, options)).toEqual(expected);
  });

  test('the message names a way that applies them', () => {
    expect(prepare('(cat:2)', { weighting: 'none' }).diagnostics[0].message).toBe(
      '“A1111 Ignore” applies no weights, so those typed here change nothing: choose another way under Weighting, such as “A1111 Original”.',
    );
  });
});

test('weights that are applied: as typed, normalised, or none', () => {
  const applied = (options: Partial<PromptOptions>) =>
    Array.from(prepare('a (red:1.5) car', options).texts[0].applied[0].subarray(0, 5));
  expect(applied({})).toEqual([1, 1, 1.5, 1, 1]);
  expect(applied({ weighting: 'none' })).toEqual([1, 1, 1, 1, 1]);
  const [, a, red, car] = applied({ weighting: 'comfy', normalisation: 'mean' });
  expect((a + red + car) / 3).toBeCloseTo(1, 12);
});
