import { expect, test } from 'vitest';
import { tokenizer } from '../road/testing/prompts.ts';
import { readCaption } from '../world/captionReading.ts';
import { matchedObjects, noTolerance, type ObjectValues, verdictOf } from '../world/judge/verdict.ts';
import { isSameVerdict, namedRows, shareOf, shareOfSaid } from './pictureEvaluation.ts';

test('the rows of an object’s words are counted from BOS on, in tokens', () => {
  const caption = 'red circle left of red square';
  expect(namedRows(tokenizer, caption, readCaption(caption)!)).toEqual([
    { colour: [1], shape: [2] },
    { colour: [5], shape: [6] },
  ]);
});

const object = (colour: 'red' | 'blue', shape: ObjectValues['shape'], x: number): ObjectValues => ({
  ...{ shape, x, y: 0.5, radius: 0.16, filling: 'filled' },
  rgb: colour === 'red' ? [0.9, 0.1, 0.1] : [0.16, 0.36, 0.9],
});
const said = readCaption('red circle left of blue square')!;
const circle = object('red', 'circle', 0.3);
const square = object('blue', 'square', 0.7);
const picture = (...objects: ObjectValues[]) => ({ objects, ground: 'white' as const });

test('verdicts are the same where the same is right and the same is wrong, wherever it lies', () => {
  const verdict = (...objects: ObjectValues[]) => verdictOf(said, picture(...objects));
  const right = verdict(circle, square);
  expect(right.right).toBe(true);
  expect(isSameVerdict(right, verdict(square, { ...circle, x: 0.2, radius: 0.13 }))).toBe(true);
  expect(isSameVerdict(right, verdict({ ...circle, x: 0.9 }, square))).toBe(false);
  // Both are wrong: one in a colour, the other in a shape.
  const blueCircle = verdict(object('blue', 'circle', 0.3), square);
  expect(isSameVerdict(blueCircle, verdict(object('red', 'star', 0.3), square))).toBe(false);
  expect(isSameVerdict(blueCircle, verdict(object('blue', 'circle', 0.1), square))).toBe(true);
});

test('objects are matched by what holds of them, also where one is missing or there is one more', () => {
  const matched = (...objects: ObjectValues[]) => matchedObjects(said, picture(...objects), noTolerance);
  expect(matched(square, circle)).toEqual([1, 0]);
  expect(matched(square)).toEqual([null, 0]);
  expect(matched(circle)).toEqual([0, null]);
  expect(matched()).toEqual([null, null]);
  expect(matched(object('blue', 'star', 0.5), square, circle)).toEqual([2, 1]);
  // Two objects that both fit are told apart by the relation.
  expect(matchedObjects(readCaption('circle left of circle')!, picture({ ...circle, x: 0.8 }, circle))).toEqual([1, 0]);
});

test('a share is one of what is said', () => {
  expect(shareOf([true, null, false, true, null, true])).toBe(0.75);
  expect(shareOf([null])).toBe(0);
});

test('of all that is said, a picture with another number of objects shows nothing right', () => {
  const alone = readCaption('star left of blue square')!;
  const descriptions = [said, said, alone];
  const found = [
    verdictOf(said, picture(circle, object('red', 'square', 0.7))),
    verdictOf(said, picture(circle, square, square)),
    verdictOf(alone, picture(square)),
  ].map(({ objects }) => objects);
  // Five colours are said, as the star has none.
  expect(shareOfSaid(descriptions, found, 'colour')).toBe(1 / 5);
  expect(shareOfSaid(descriptions, found, 'shape')).toBe(2 / 6);
  expect(shareOf(found.flat().map(({ shape }) => shape))).toBe(1);
});
