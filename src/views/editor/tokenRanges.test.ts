import { expect, test } from 'vitest';
import type { PromptToken } from '../../clip/tokens.ts';
import { firstAfter, tokenAtCaret, tokenRanges } from './tokenRanges.ts';

const special: PromptToken = {
  kind: 'bos',
  id: 49406,
  text: '<|startoftext|>',
  weight: 1,
  range: null,
  fragment: null,
};
const typed = (start: number, end: number, weight = 1): PromptToken => ({
  kind: 'text',
  id: 1,
  text: 'x',
  weight,
  range: { start, end },
  fragment: 0,
});

test('tokens where they were typed, with their index in the row', () => {
  const tokens = [special, typed(0, 1), typed(3, 6, 1.3), typed(12, 15), { ...special, kind: 'eos' as const }];
  expect(tokenRanges(tokens, [])).toEqual([
    { start: 0, end: 1, token: 1, weight: 1 },
    { start: 3, end: 6, token: 2, weight: 1.3 },
    { start: 12, end: 15, token: 3, weight: 1 },
  ]);
});

test('of two tokens typed as the same character, the first has it', () => {
  const ranges = tokenRanges([typed(0, 1), typed(0, 1), typed(0, 2)], []);
  expect(ranges.map(({ start, end, token }) => [start, end, token])).toEqual([
    [0, 1, 0],
    [1, 2, 2],
  ]);
});

test('what was cut off is one range without an index', () => {
  expect(tokenRanges([special, typed(0, 3)], [typed(4, 7), typed(9, 12, 1.3)])).toEqual([
    { start: 0, end: 3, token: 1, weight: 1 },
    { start: 4, end: 12, token: null, weight: 1 },
  ]);
});

test('the first that is greater', () => {
  expect([0, 1, 3, 4, 9].map((at) => firstAfter([1, 3, 3, 7], at))).toEqual([0, 1, 3, 3, 4]);
});

test('the caret is in a token, or at the end of one, or in none', () => {
  const tokens = [special, typed(0, 3), typed(3, 5), typed(8, 9)];
  expect([0, 2, 3, 5, 6, 8, 9].map((caret) => tokenAtCaret(tokens, caret))).toEqual([1, 1, 2, 2, null, 3, 3]);
});
