import { expect, test } from 'vitest';
import type { PromptToken } from '../../../tokens/promptTokens.ts';
import { chunkAtCaret, firstAfter, tokenAtCaret, tokenRanges } from './tokenRanges.ts';

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

const text = (chunks: readonly (readonly PromptToken[])[], cut: readonly PromptToken[] = []) => ({
  chunks: chunks.map((tokens) => ({ tokens, inputIds: new Uint32Array(), perTokenWeights: new Float64Array() })),
  applied: chunks.map((tokens) => Float64Array.from(tokens, ({ weight }) => weight)),
  cut,
});

test('tokens where they were typed, with their chunk and their index in it', () => {
  const chunk = [special, typed(0, 1), typed(3, 6, 1.3), { ...special, kind: 'eos' as const }];
  expect(tokenRanges([text([chunk, [special, typed(7, 9), typed(12, 15)]]), text([[special, typed(20, 21)]])])).toEqual(
    [
      { start: 0, end: 1, place: { chunk: 0, token: 1 }, weight: 1, startsChunk: false },
      { start: 3, end: 6, place: { chunk: 0, token: 2 }, weight: 1.3, startsChunk: false },
      { start: 7, end: 9, place: { chunk: 1, token: 1 }, weight: 1, startsChunk: true },
      { start: 12, end: 15, place: { chunk: 1, token: 2 }, weight: 1, startsChunk: false },
      { start: 20, end: 21, place: { chunk: 2, token: 1 }, weight: 1, startsChunk: false },
    ],
  );
});

test('of two tokens typed as the same character, the first has it', () => {
  const ranges = tokenRanges([text([[typed(0, 1), typed(0, 1), typed(0, 2)]])]);
  expect(ranges.map(({ start, end, place }) => [start, end, place?.token])).toEqual([
    [0, 1, 0],
    [1, 2, 2],
  ]);
});

test('what was cut off is one range without a place', () => {
  const cut = [typed(4, 7), typed(9, 12, 1.3)];
  expect(tokenRanges([text([[special, typed(0, 3)]], cut), text([[typed(14, 15)]])])).toEqual([
    { start: 0, end: 3, place: { chunk: 0, token: 1 }, weight: 1, startsChunk: false },
    { start: 4, end: 12, place: null, weight: 1, startsChunk: false },
    { start: 14, end: 15, place: { chunk: 1, token: 0 }, weight: 1, startsChunk: false },
  ]);
});

test('the first that is greater', () => {
  expect([0, 1, 3, 4, 9].map((at) => firstAfter([1, 3, 3, 7], at))).toEqual([0, 1, 3, 3, 4]);
});

test('the caret is in a token, or at the end of one, or in none', () => {
  const texts = [text([[special, typed(0, 3), typed(3, 5)], [typed(8, 9)]])];
  const places = [0, 2, 3, 5, 6, 8, 9].map((caret) => tokenAtCaret(texts, caret));
  expect(places.map((place) => place && [place.chunk, place.token])).toEqual([
    [0, 1],
    [0, 1],
    [0, 2],
    [0, 2],
    null,
    [1, 0],
    [1, 0],
  ]);
});

test('the caret is in the chunk of the last token before it', () => {
  const texts = [text([[special, typed(2, 3)], [typed(8, 9)]]), text([[special]]), text([[typed(20, 21)]])];
  expect([0, 2, 7, 8, 12, 20, 30].map((caret) => chunkAtCaret(texts, caret))).toEqual([null, 0, 0, 1, 1, 3, 3]);
});
