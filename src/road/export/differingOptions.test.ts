import { expect, test } from 'vitest';
import { defaultOptions, type PromptOptions, writtenOptions } from '../options.ts';
import { differingOptions } from './differingOptions.ts';

const metadataOf = (options: PromptOptions, prefix = '') =>
  new Map(Object.entries(writtenOptions(options)).map(([name, value]) => [prefix + name, value]));

test('a file of the same options differs in none', () => {
  expect(differingOptions(metadataOf(defaultOptions), '', defaultOptions)).toEqual([]);
  // A file of another program says nothing of them.
  expect(differingOptions(new Map(), '', defaultOptions)).toEqual([]);
});

test('options that differ are named with both values, where they have an effect in one of the languages', () => {
  const there: PromptOptions = {
    ...defaultOptions,
    syntax: 'comfy',
    weighting: 'comfy',
    squareFactor: '0.9',
    split: 'WORDS',
    clipSkip: 2,
  };
  expect(differingOptions(metadataOf(there, '3.'), '3.', defaultOptions)).toEqual([
    { name: 'syntax', file: 'comfy', page: 'a1111' },
    { name: 'tokenizer', file: 'hf-slow', page: 'hf-slow-ftfy' },
    { name: 'weighting', file: 'comfy', page: 'original' },
    { name: 'squareFactor', file: '0.9', page: '1/1.1' },
    { name: 'clipSkip', file: '2', page: '1' },
  ]);
  const page = { ...defaultOptions, syntax: 'compel' } as const;
  expect(differingOptions(metadataOf({ ...page, steps: 5, split: 'WORDS' }), '', page)).toEqual([
    { name: 'split', file: 'WORDS', page: 'cut' },
  ]);
});
