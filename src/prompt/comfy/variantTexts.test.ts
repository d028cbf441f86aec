import { expect, test } from 'vitest';
import { openPrompt } from './dynamicPrompt.ts';
import { variantTexts } from './variantTexts.ts';

test('all variants in their order, or as many as are wanted', () => {
  const open = openPrompt('{a|b} {c|} // d');
  expect(variantTexts(open, 100)).toEqual(['a c ', 'a  ', 'b c ', 'b  ']);
  expect(variantTexts(open, 3)).toEqual(['a c ', 'a  ', 'b c ']);
  expect(variantTexts(openPrompt('cat'), 100)).toEqual(['cat']);
});

test('of more variants than numbers can count, the first', () => {
  const open = openPrompt('{a|b}'.repeat(2000));
  expect(open.variants).toBe(Number.POSITIVE_INFINITY);
  const texts = variantTexts(open, 10);
  expect(new Set(texts).size).toBe(10);
  expect(texts[9]).toBe(`${'a'.repeat(1996)}baab`);
});

test('few of a long prompt, one at least', () => {
  const long = (length: number) => variantTexts(openPrompt(`{a|b|c|d}${'x'.repeat(length)}`), 4).length;
  expect([long(1000), long(40_000), long(500_000)]).toEqual([4, 3, 1]);
});
