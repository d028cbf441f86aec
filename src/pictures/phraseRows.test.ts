import { expect, test } from 'vitest';
import { tokenizer } from '../road/testing/prompts.ts';
import { readCaption } from '../world/captionReading.ts';
import { plainCaption } from '../world/captions.ts';
import { phraseRows } from './phraseRows.ts';

const rowsOf = (caption: string) => {
  const description = readCaption(caption)!;
  expect(plainCaption(description)).toBe(caption);
  return phraseRows(tokenizer, caption, description).map((words) =>
    words.map(({ word, rows }) => `${word} ${rows}`).join(', '),
  );
};

test('a caption that words an object otherwise is refused', () => {
  const description = readCaption('red circle left of blue square')!;
  expect(() => phraseRows(tokenizer, 'a blue square to the right of a red circle', description)).toThrow(RangeError);
});

test('the words of each object are found, also where both have the same', () => {
  expect(rowsOf('very large red circle left of red outline square')).toEqual([
    'very 1, large 2, red 3, circle 4',
    'red 7, outline 8, square 9',
  ]);
  expect(rowsOf('star')).toEqual(['star 1']);
  expect(rowsOf('red star and large red star')).toEqual(['red 1, star 2', 'large 4, red 5, star 6']);
});
