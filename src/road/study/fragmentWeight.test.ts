import { expect, test } from 'vitest';
import { maskModes } from '../../clip/masks.ts';
import { type Syntax, syntaxes } from '../../prompt/syntax.ts';
import fc from '../../properties.ts';
import { defaultOptions, type PromptOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import { tokenizer } from '../testing/prompts.ts';
import { fragmentRows, typedWithWeight, withFragmentWeight } from './fragmentWeight.ts';

test.each(syntaxes)('%s: another weight of a fragment is that weight typed', (syntax) => {
  const typed = (weight: number, before: string) => {
    const weighted = syntax === 'compel' ? `(red cat)${weight}` : `(red cat:${weight})`;
    return `${before}${weighted}, dog`;
  };
  const anyOptions = fc.record({
    mask: fc.constantFrom(...maskModes),
    split: fc.constantFrom('cut', 'PHRASES'),
    weighting: fc.constantFrom('original', 'comfy'),
    normalisation: fc.constantFrom('none', 'mean', 'length+mean'),
    comfyUnit: fc.constantFrom('segments', 'words'),
  });
  const weight = fc.constantFrom(0, 0.25, 0.75, 1.5, 3);
  const before = fc.constantFrom('a ', `${'cat, '.repeat(36)}a `);
  fc.assert(
    fc.property(weight, weight, before, anyOptions, (was, is, text, some) => {
      const options: PromptOptions = { ...defaultOptions, ...(some as Partial<PromptOptions>), syntax };
      const [shown] = preparePrompt(typed(was, text), options, tokenizer).texts;
      const fragment = shown.fragments.findIndex(({ weight }) => weight === was);
      expect(fragmentRows(shown, fragment)).not.toHaveLength(0);
      const [expected] = preparePrompt(typed(is, text), options, tokenizer).texts;
      expect(withFragmentWeight(shown, fragment, is, options, tokenizer)).toEqual(expected.weighted);
    }),
    { numRuns: 25 },
  );
});

test.each<[Syntax, string, string]>([
  ['a1111', 'a (moody cat:0.5), dog', 'a (moody cat:1.5), dog'],
  ['comfy', 'a (embedding:moody cat:0.5), dog', 'a (embedding:moody cat:1.5), dog'],
  ['compel', 'a (moody cat)0.5, dog', 'a (moody cat)1.5, dog'],
])('%s: the vectors of textual inversions stay in their rows', (syntax, was, is) => {
  const options: PromptOptions = { ...defaultOptions, syntax };
  const embeddings = [{ name: 'moody', vectors: [Float32Array.of(1, 2), Float32Array.of(3, 4)] }];
  const [shown] = preparePrompt(was, options, tokenizer, 'positive', embeddings).texts;
  const [expected] = preparePrompt(is, options, tokenizer, 'positive', embeddings).texts;
  const fragment = shown.fragments.findIndex(({ weight }) => weight === 0.5);
  expect(fragmentRows(shown, fragment)).toEqual([2, 3, 4]);
  const swept = withFragmentWeight(shown, fragment, 1.5, options, tokenizer, embeddings);
  expect(swept).toEqual(expected.weighted);
  expect([...swept.chunks[0].pass.vectors!.keys()]).toEqual([2, 3]);
  // Masking a light fragment leaves its vectors; removing it takes them out.
  const [light] = withFragmentWeight(shown, fragment, 0.5, options, tokenizer, embeddings).downweighted;
  expect(light.masked[0].pass.vectors?.size).toBe(2);
  expect(light.removed[0].pass.vectors).toBeUndefined();
});

test.each<[Syntax, string, string, number, string | null]>([
  ['a1111', 'a (red:1.3) car', 'red', 0.55, 'a (red:0.55) car'],
  ['a1111', 'a (red:1.3) car', 'red', -0.5, 'a (red:-0.5) car'],
  ['a1111', '((cat:1.3)) dog', 'cat', 2.2, '((cat:2)) dog'],
  ['a1111', 'a (red:0) car', 'red', 1.5, 'a (red:1.5) car'],
  ['a1111', '((cat:0)) dog', 'cat', 2.2, '((cat:2)) dog'],
  ['compel', 'a (red)0 car', 'red', 1.5, 'a (red)1.5 car'],
  // Nothing of its own weighs it; the number weighs other words too.
  ['a1111', '((cat)) dog', 'cat', 2, null],
  ['a1111', 'a red car', 'a red car', 2, null],
  ['a1111', '(a (red) car:1.3)', 'red', 2, null],
  ['a1111', 'cat AND (dog:1.2) :2', 'dog', 1.5, 'cat AND (dog:1.5) :2'],
  ['comfy', '((cat:1.3)) dog', 'cat', 2, '((cat:2)) dog'],
  ['compel', 'a (red)1.3 car', 'red', 0.55, 'a (red)0.55 car'],
  ['compel', 'a red++ car', 'red', 2, null],
  // Compel has no weights below 0.
  ['compel', 'a (red)1.3 car', 'red', -1, null],
])('%s: %s with %s at %s', (syntax, source, swept, weight, expected) => {
  const options = { ...defaultOptions, syntax };
  const prepared = preparePrompt(source, options, tokenizer);
  const text = prepared.texts.findIndex(({ fragments }) => fragments.some((one) => one.text.trim() === swept));
  const fragment = prepared.texts[text].fragments.findIndex((one) => one.text.trim() === swept);
  expect(typedWithWeight(prepared, text, fragment, weight, options, tokenizer)).toBe(expected);
});
