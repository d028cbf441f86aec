import { expect, test } from 'vitest';
import { defaultOptions } from '../../road/options.ts';
import { preparePrompt } from '../../road/pipeline.ts';
import { tokenizer } from '../../road/testing/prompts.ts';
import type { DrawnPicture } from '../../worker/pictures/pictureMessages.ts';
import {
  bracketed,
  breakingPoints,
  firstMovingWord,
  measured,
  movingWords,
  saidShapes,
  typedWeight,
} from './triedWords.ts';

const read = (prompt: string, syntax: 'a1111' | 'compel' | 'comfy' = 'a1111') =>
  preparePrompt(prompt, { ...defaultOptions, syntax }, tokenizer);
const wordsOf = (prompt: string) => movingWords(prompt).map(({ text, object }) => [text, object]);

test('words that say something of an object, and of which', () => {
  expect(wordsOf('a big (red:1.3) circle left of a dark blue square, white background')).toEqual([
    ['big', 0],
    ['red', 0],
    ['circle', 0],
    ['dark', 1],
    ['blue', 1],
    ['square', 1],
  ]);
  expect(wordsOf('circle on white')).toEqual([['circle', 0]]);
  expect(wordsOf('a circle on a (white:1.3) background')).toEqual([['circle', 0]]);
  expect(wordsOf('a star on white square')).toEqual([
    ['star', 0],
    ['white', 1],
    ['square', 1],
  ]);
  expect(wordsOf('a tiny moon')[0]).toEqual(['tiny', 0]);
  expect(saidShapes('a red disc and a blue shape')).toEqual(['circle', null]);
});

test('the word that weighs is tried first, then a size, then a colour', () => {
  const first = (prompt: string) => firstMovingWord(movingWords(prompt), read(prompt))?.text;
  expect(first('a large (red:1.3) circle')).toBe('red');
  expect(first('a red large circle')).toBe('large');
  expect(first('a red star')).toBe('red');
  expect(first('a cat')).toBeUndefined();
});

test.each([
  ['a1111', 'a large star', 'a (large:1.1) star'],
  ['comfy', 'a large star', 'a (large:1.1) star'],
  ['compel', 'a large star', 'a (large)1.1 star'],
  ['a1111', 'a (large:1.4) star', 'a (large:1.4) star'],
] as const)('%s: a word of “%s” gets brackets of its own', (syntax, prompt, positive) => {
  const tried = bracketed(prompt, movingWords(prompt)[0], read(prompt, syntax), syntax)!;
  expect(tried.positive).toBe(positive);
  expect(positive.slice(tried.start, tried.end)).toBe('large');
  expect(typedWeight(movingWords(prompt)[0], read(prompt, syntax))).toBe(prompt.includes('1.4') ? 1.4 : 1);
});

const picture = (objects: readonly { readonly shape: string; readonly area: number }[]) =>
  ({ seen: { objects }, shares: { red: 0.2 } }) as unknown as DrawnPicture;

test('a measure is that of the word’s object, and a strip breaks where objects come or go', () => {
  const two = picture([
    { shape: 'square', area: 0.3 },
    { shape: 'star', area: 0.1 },
  ]);
  expect(measured(two, 'area', 'star')).toBe(0.1);
  expect(measured(two, 'area', null)).toBe(0.3);
  expect(measured(two, { shareOf: 'red' }, 'star')).toBe(0.2);
  expect(measured(picture([]), 'area', 'star')).toBeNaN();
  expect(measured(null, 'area', 'star')).toBeNaN();
  const one = picture([{ shape: 'star', area: 0.1 }]);
  expect(breakingPoints([-1, 0, 1, 2, 3], [one, two, two, two, null], 2)).toEqual({ below: -1, above: 3 });
  expect(breakingPoints([-1, 0, 1, 2, 3], [one, one, two, one, null], 2)).toEqual({ below: 0, above: 2 });
  expect(breakingPoints([-1, 0, 1, 2, 3], [two, undefined, two, two, two], 2)).toEqual({ below: null, above: null });
});
