import { describe, expect, test } from 'vitest';
import { createRandom } from '../models/seededRandom.ts';
import { readCaption } from './captionReading.ts';
import { plainCaption, withFillers, writeCaption } from './captions.ts';
import { type Description, foil, foilKinds, meaningKey, type ObjectWords, toldFromSecond } from './description.ts';
import { drawDescription, drawScene } from './scene.ts';
import type { Colour, Relation, Shape } from './worldWords.ts';

const object = (colour: Colour, shape: Shape): ObjectWords => ({
  shape,
  colour: { word: colour, grade: null },
  size: null,
  tone: null,
  filling: null,
});
const two = (a: ObjectWords, relation: Relation | null, b: ObjectWords): Description => ({
  objects: [a, b],
  relation,
  ground: null,
});
const redCircle = object('red', 'circle');
const blueSquare = object('blue', 'square');
const scene = two(redCircle, 'left', blueSquare);

test('every caption reads back as what it says, with fillers and without', () => {
  const random = createRandom(1);
  for (let i = 0; i < 4000; i++) {
    const description = drawDescription(random, drawScene(random, { pairs: 'all' }));
    const caption = writeCaption(random, description);
    const filled = withFillers(random, caption);
    for (const text of [caption, filled, plainCaption(description)]) {
      const read = readCaption(text);
      expect(read && meaningKey(read), text).toBe(meaningKey(description));
    }
  }
});

test('one description has many wordings', () => {
  const random = createRandom(2);
  const wordings = new Set(Array.from({ length: 400 }, () => writeCaption(random, scene)));
  for (const caption of [
    'a red circle left of a blue square',
    'a blue square to the right of a red circle',
    'a blue square with a red circle to its left',
    'red circle left of blue square',
  ])
    expect(wordings).toContain(caption);
  expect(wordings.size).toBeGreaterThan(15);
  expect(withFillers({ ...random, chance: () => true, pick: (list) => list[0] }, 'x')).toMatch(
    /^masterpiece.*, a photo of x$/,
  );
});

describe('reading', () => {
  test.each([
    ['red circle, blue square, white background', { ...two(redCircle, null, blueSquare), ground: 'white' }],
    ['A photo of a RED circle, left of the blue square!', scene],
    ['a blue square with a red disc on its left on black', { ...scene, ground: 'black' }],
    ['a fluffy red circle standing left of a blue square', scene],
    ['a grey background with a red circle', { objects: [redCircle], relation: null, ground: 'gray' }],
  ] as [string, Description][])('%s', (caption, description) => {
    expect(meaningKey(readCaption(caption)!)).toBe(meaningKey(description));
  });

  test('takes a grade for the word after it, and huge for very large', () => {
    const { objects } = readCaption('a huge slightly dark red hollow shape')!;
    expect(objects).toEqual([
      {
        shape: null,
        colour: { word: 'red', grade: null },
        size: { word: 'large', grade: 'very' },
        tone: { word: 'dark', grade: 'slightly' },
        filling: 'outline',
      },
    ]);
  });

  test.each(['', 'a cat', 'masterpiece, best quality', 'circle, square, star'])('finds no scene in “%s”', (caption) => {
    expect(readCaption(caption)).toBeNull();
  });
});

describe('meanings', () => {
  test('are one for both orders of telling, and another for the inverse', () => {
    expect(meaningKey(toldFromSecond(scene))).toBe(meaningKey(scene));
    expect(meaningKey(two(redCircle, 'right', blueSquare))).not.toBe(meaningKey(scene));
    expect(meaningKey(two(blueSquare, null, redCircle))).toBe(meaningKey(two(redCircle, null, blueSquare)));
    expect(meaningKey(two(redCircle, null, blueSquare))).not.toBe(meaningKey(scene));
  });

  test('foils say something else, in one way each', () => {
    expect(foilKinds.map((kind) => plainCaption(foil(scene, kind)!))).toEqual([
      'blue circle left of red square',
      'blue square left of red circle',
      'red circle right of blue square',
      'red circle above blue square',
    ]);
    const dark: ObjectWords = { ...object('red', 'star'), tone: { word: 'dark', grade: null } };
    const red = two(redCircle, null, dark);
    expect(foilKinds.map((kind) => foil(red, kind))).toEqual([null, null, null, null]);
    expect(foil({ objects: [redCircle], relation: null, ground: null }, 'colours swapped')).toBeNull();
  });
});
