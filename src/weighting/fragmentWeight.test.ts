import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maskModes } from '../clip/masks.ts';
import { syntaxes } from '../prompt/syntax.ts';
import { fragmentRows, withFragmentWeight } from './fragmentWeight.ts';
import { defaultOptions, type PromptOptions, preparePrompt } from './pipeline.ts';
import { tokenizer } from './testing/prompts.ts';

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
