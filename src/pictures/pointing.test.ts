import { expect, test } from 'vitest';
import { judgePicture } from '../world/judge/judge.ts';
import { movedTo, type OwnObject, ownScene } from '../world/ownScene.ts';
import { pictureLength, renderScene } from '../world/render.ts';
import { lookSide, looksAtRows } from './drawing.ts';
import { coveredShare, objectOfMost, pointsInside, silhouettes, squareOfMost } from './pointing.ts';

const squares = lookSide * lookSide;
/** Looks [T, lookSide²] that are 1 in one square of each row, and 0.1 elsewhere. */
const pointing = (...most: readonly number[]) => {
  const looks = new Float32Array(most.length * squares).fill(0.1);
  for (const [row, square] of most.entries()) looks[row * squares + square] = 1;
  return looks;
};
const square = (row: number, column: number) => row * lookSide + column;

/** A filled red square of 0.162 about (0.3, 0.5), and an outlined blue circle about (0.75, 0.5). */
const object = (changes: Partial<OwnObject>, x: number): OwnObject =>
  movedTo(
    { shape: 'square', colour: 'red', size: 'medium', tone: null, filling: 'filled', x, y: 0.5, ...changes },
    x,
    0.5,
  );
const picture = new Float32Array(pictureLength);
renderScene(
  ownScene({
    objects: [object({}, 0.3), object({ shape: 'circle', colour: 'blue', filling: 'outline' }, 0.75)],
    ground: 'white',
    strokes: [],
  }),
  picture,
);
const seen = judgePicture(picture);
const [red, blue] = ['red', 'blue'].map(
  (colour) => silhouettes(picture, seen)[seen.objects.findIndex((one) => one.colour === colour)],
);

test('a word of two tokens looks where both look together', () => {
  const looks = Float32Array.from([...pointing(square(1, 1)), ...pointing(square(5, 6))]);
  looks[squares + square(5, 7)] = 0.8;
  looks[square(5, 7)] = 0.5;
  expect(squareOfMost(looksAtRows(looks, [0]))).toBe(square(1, 1));
  // 1 + 0.1 at (1, 1) and (5, 6), 0.5 + 0.8 at (5, 7).
  expect(squareOfMost(looksAtRows(looks, [0, 1]))).toBe(square(5, 7));
});

test('a square is covered by the mean of its four pixels', () => {
  const coverage = new Float64Array(1600);
  coverage[0] = 1;
  coverage[41] = 0.5;
  expect(coveredShare(coverage, 0)).toBeCloseTo(0.375, 12);
  expect(coveredShare(coverage, 1)).toBe(0);
});

test('the maximum lies in the word’s object, beside it, or in the other one', () => {
  // x 0.3 of 20 squares is square 6, x 0.75 is square 15, y 0.5 is row 10.
  const looks = pointing(square(10, 6), square(10, 15), square(1, 1), square(10, 10));
  const inside = (row: number) => [pointsInside(looks, [row], red), pointsInside(looks, [row], blue)];
  expect(inside(0)).toEqual([true, false]);
  // The middle of an outline is its object's.
  expect(inside(1)).toEqual([false, true]);
  expect(inside(2)).toEqual([false, false]);
  expect(inside(3)).toEqual([false, false]);
  const most = [0, 1, 2, 3].map((row) => objectOfMost(looksAtRows(looks, [row]), [blue, red]));
  expect(most).toEqual([1, 0, null, null]);
});
