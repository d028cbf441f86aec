import { expect, test } from 'vitest';
import type { PromptToken } from '../clip/tokens.ts';
import { promptSegments, tokenAtCaret } from './promptSegments.ts';

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

test('every character of the prompt is in one segment, tokens where they were typed', () => {
  const prompt = 'a (red:1.3) car';
  const tokens = [special, typed(0, 1), typed(3, 6, 1.3), typed(12, 15), { ...special, kind: 'eos' as const }];
  const segments = promptSegments(prompt, tokens, []);
  expect(segments.map(({ text, token, weight }) => [text, token, weight])).toEqual([
    ['a', 1, 1],
    [' (', null, 1],
    ['red', 2, 1.3],
    [':1.3) ', null, 1],
    ['car', 3, 1],
  ]);
});

test('of two tokens typed as the same character, the first has it', () => {
  const segments = promptSegments('ﬁx', [typed(0, 1), typed(0, 1), typed(1, 2)], []);
  expect(segments.map(({ text, token }) => [text, token])).toEqual([
    ['ﬁ', 0],
    ['x', 2],
  ]);
});

test('what was cut off is marked as such', () => {
  const segments = promptSegments('one two', [special, typed(0, 3)], [typed(4, 7)]);
  expect(segments.map(({ text, token, cut }) => [text, token, cut])).toEqual([
    ['one', 1, false],
    [' ', null, false],
    ['two', null, true],
  ]);
});

test('the caret is in a token, or at the end of one, or in none', () => {
  const tokens = [special, typed(0, 3), typed(3, 5), typed(8, 9)];
  expect([0, 2, 3, 5, 6, 8, 9].map((caret) => tokenAtCaret(tokens, caret))).toEqual([1, 1, 2, 2, null, 3, 3]);
});
