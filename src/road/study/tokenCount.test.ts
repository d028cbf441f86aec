import { expect, test } from 'vitest';
import type { Syntax } from '../../prompt/syntax.ts';
import { defaultOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import { tokenizer } from '../testing/prompts.ts';
import { countText, tokenCount } from './tokenCount.ts';

test.each<[Syntax, string, string]>([
  ['a1111', '', '0 / 75 tokens'],
  ['a1111', 'a photo of a cat', '5 / 75 tokens'],
  ['a1111', 'a cat BREAK a dog', '4 tokens in 2 chunks (A1111 shows 77/150)'],
  ['a1111', 'a cat AND a dog', '4 tokens in 2 chunks'],
  ['a1111', 'BREAK BREAK', '0 tokens in 2 chunks (A1111 shows 150/150)'],
  ['a1111', 'cat '.repeat(80), '80 tokens in 2 chunks'],
  ['compel', 'cat '.repeat(77), '77 / 75 tokens'],
  ['compel', '("a cat", "a dog").and()', '4 tokens in 2 chunks'],
  ['comfy', 'cat '.repeat(160), '160 tokens in 3 chunks'],
])('%s: %s', (syntax, prompt, expected) => {
  const count = tokenCount(preparePrompt(prompt, { ...defaultOptions, syntax }, tokenizer));
  expect(countText(count, syntax)).toBe(expected);
});

test('tokens past the last chunk are cut off', () => {
  const prepared = preparePrompt('cat '.repeat(77), { ...defaultOptions, syntax: 'compel' }, tokenizer);
  expect(tokenCount(prepared)).toMatchObject({ typed: 77, cut: 2, chunks: 1 });
});
