import { expect, test } from 'vitest';
import { readSteps } from '../../pictures/promptSteps.ts';
import { defaultOptions } from '../../road/options.ts';
import { preparePrompt } from '../../road/pipeline.ts';
import { tokenizer } from '../../road/testing/prompts.ts';
import type { DrawnPicture } from '../../worker/pictures/pictureMessages.ts';
import { readCaption } from '../../world/captionReading.ts';
import {
  bracketed,
  firstMovingWord,
  isBroken,
  measured,
  movingWords,
  saidInStrip,
  typedWeight,
  wholeRange,
  wordNames,
} from './triedWords.ts';

const optionsOf = (syntax: 'a1111' | 'compel' | 'comfy') => ({ ...defaultOptions, syntax });
const read = (prompt: string, syntax: 'a1111' | 'compel' | 'comfy' = 'a1111') =>
  preparePrompt(prompt, optionsOf(syntax), tokenizer);
const words = (prompt: string, syntax: 'a1111' | 'compel' | 'comfy' = 'a1111') =>
  movingWords(readSteps(prompt, optionsOf(syntax), tokenizer, 'positive').readings);
const wordsOf = (...prompt: Parameters<typeof words>) => words(...prompt).map(({ text, object }) => [text, object]);

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
  expect(wordsOf('a red disc and a blue shape')).toEqual([
    ['red', 0],
    ['disc', 0],
    ['blue', 1],
  ]);
});

test('the objects of a schedule are those of the last step', () => {
  expect(wordsOf('a [circle:star:0.5] left of a blue square')).toEqual([
    ['circle', 0],
    ['star', 0],
    ['blue', 1],
    ['square', 1],
  ]);
  expect(wordsOf('a [big red:blue:0.5] circle').map(([text]) => text)).toEqual(['big', 'red', 'blue', 'circle']);
});

test('comments, tags, and objects that weigh nothing are none of the prompt’s', () => {
  expect(wordsOf('a <lora:star:1> red circle # blue square')).toEqual([
    ['red', 0],
    ['circle', 0],
  ]);
  expect(wordsOf('a green star AND a blue square :-0.5 AND a red circle').at(-1)).toEqual(['circle', 1]);
  expect(wordsOf('a (star:0) and a red circle').slice(1)).toEqual([
    ['red', 0],
    ['circle', 0],
  ]);
  expect(wordsOf('a red circle // blue star', 'comfy').map(([text]) => text)).toEqual(['red', 'circle']);
});

test('the second word of one text has another name', () => {
  expect(wordNames(words('red circle left of red square, red, red'))).toEqual([
    ...['red', 'circle', 'red, 2nd', 'square', 'red, 3rd', 'red, 4th'],
  ]);
});

test('the word that weighs is tried first, then a size, then a colour', () => {
  const first = (prompt: string) => firstMovingWord(words(prompt), read(prompt))?.text;
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
  const tried = bracketed(prompt, words(prompt, syntax)[0], read(prompt, syntax), syntax)!;
  expect(tried.positive).toBe(positive);
  expect(positive.slice(tried.start, tried.end)).toBe('large');
  expect(typedWeight(words(prompt, syntax)[0], read(prompt, syntax))).toBe(prompt.includes('1.4') ? 1.4 : 1);
});

interface DrawnObject {
  readonly shape: 'star' | 'square';
  readonly area: number;
  /** From the left. */
  readonly x: number;
}

const picture = (said: string | null, ...objects: readonly DrawnObject[]) =>
  ({
    seen: { objects: objects.map((object) => ({ ...object, y: 0.5, radius: 0.16, rgb: [0.9, 0.1, 0.1] })) },
    shares: { red: 0.2 },
    verdict: { meaning: said && readCaption(said) },
  }) as unknown as DrawnPicture;
const [square, star]: DrawnObject[] = [
  { shape: 'square', area: 0.3, x: 0.3 },
  { shape: 'star', area: 0.1, x: 0.7 },
];

test('a measure is that of the word’s object, also of two of one shape', () => {
  const said = readCaption('red square left of red star')!;
  const two = picture(null, square, star);
  expect(measured(two, 'area', said, 0)).toBe(0.3);
  expect(measured(two, 'area', said, 1)).toBe(0.1);
  expect(measured(two, 'area', null, 1)).toBe(0.3);
  expect(measured(two, { shareOf: 'red' }, said, 1)).toBe(0.2);
  const stars = picture(null, { ...star, area: 0.3, x: 0.3 }, star);
  const both = readCaption('red star right of red star')!;
  expect([measured(stars, 'area', both, 0), measured(stars, 'area', both, 1)]).toEqual([0.1, 0.3]);
  // A blend of two texts has one object.
  expect(measured(picture(null, star), 'area', readCaption('red star'), 1)).toBe(0.1);
  expect(measured(picture(null), 'area', said, 0)).toBeNaN();
  expect(measured(null, 'area', said, 0)).toBeNaN();
});

test('a strip’s objects are those that are named where the word counts', () => {
  const one = picture('red star', star);
  const two = picture('red square left of red star', square, star);
  expect(saidInStrip([-1, 0, 1], [one, one, two])!.objects).toHaveLength(2);
  expect(saidInStrip([-1, 0, 1, 2], [one, one, null, two])!.objects).toHaveLength(2);
  expect(saidInStrip([-1, 0, 1], [one, one, picture(null, star)])).toBeNull();
  expect(saidInStrip([-1, 0, 1], [one, one, undefined])).toBeNull();
});

test('a strip is whole about 1 as far as no object comes or goes', () => {
  const weights = [-1, 0, 1, 2, 3];
  const said = readCaption('red square left of red star')!;
  const [one, two, three] = [picture(null, star), picture(null, square, star), picture(null, square, star, star)];
  const rangeOf = (...pictures: (DrawnPicture | null)[]) =>
    wholeRange(
      weights,
      pictures.map((each) => isBroken(each, said)),
    );
  expect(rangeOf(one, two, two, two, null)).toEqual({ from: 0, to: 2 });
  expect(rangeOf(two, one, two, three, two)).toEqual({ from: 1, to: 1 });
  expect(rangeOf(two, two, two, two, two)).toEqual({ from: -1, to: 3 });
  expect(rangeOf(two, two, one, two, two)).toBeNull();
});
