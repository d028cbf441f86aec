import { describe, expect, test } from 'vitest';
import { createRandom } from '../../models/seededRandom.ts';
import type { Rgb } from '../attributes.ts';
import { readCaption } from '../captionReading.ts';
import { plainCaption } from '../captions.ts';
import { foil, foilKinds } from '../description.ts';
import { pictureLength, renderScene } from '../render.ts';
import { drawDescription, drawScene, fullDescription, type Scene, type SceneObject } from '../scene.ts';
import { judgeAccuracy } from '../testing/judgeAccuracy.ts';
import { roughen } from '../testing/roughPicture.ts';
import type { Colour, Shape } from '../worldWords.ts';
import { colourShares, judgePicture, relationOf, seenCaption } from './judge.ts';
import { describes, verdictOf } from './verdict.ts';

const object = (colour: Colour, shape: Shape, rgb: Rgb, x: number, stroke: number | null = null): SceneObject => ({
  words: {
    shape,
    colour: { word: colour, grade: null },
    size: { word: 'large', grade: null },
    tone: { word: 'light', grade: null },
    filling: stroke ? 'outline' : 'filled',
  },
  x,
  y: 0.5,
  radius: 0.2,
  rgb,
  stroke,
});
const red = object('red', 'circle', [0.95, 0.25, 0.25], 0.25);
const blue = object('blue', 'square', [0.3, 0.4, 0.95], 0.75, 0.06);
const ground = { word: 'white', rgb: [0.95, 0.95, 0.95] } as const;
const render = (objects: Scene['objects']) => {
  const picture = new Float32Array(pictureLength);
  renderScene({ objects, relation: objects.length === 2 ? 'left' : null, ground }, picture);
  return picture;
};
const right = (caption: string, picture: Float32Array) => verdictOf(readCaption(caption)!, judgePicture(picture));

describe('accuracy', () => {
  test('on renders is above 99 % for each attribute', () => {
    const accuracy = judgeAccuracy(300, { blur: 0, noise: 0 }, 1);
    for (const [thing, share] of Object.entries(accuracy)) expect(share, thing).toBeGreaterThanOrEqual(0.99);
  });

  test('on blurred pictures with noise is above 98.5 %, of tones above 90 %', () => {
    const accuracy = judgeAccuracy(300, { blur: 0.2, noise: 0.06 }, 2);
    for (const [thing, share] of Object.entries(accuracy))
      expect(share, thing).toBeGreaterThanOrEqual(thing === 'tone' ? 0.9 : 0.985);
  });
});

test('a picture is put into words and numbers', () => {
  const picture = render([red, blue]);
  const seen = judgePicture(picture);
  expect(seenCaption(seen)).toBe('red circle left of blue square');
  expect(seenCaption(seen, true)).toBe(
    'large light red filled circle left of large light blue outline square, white background',
  );
  const circle = seen.objects.find(({ shape }) => shape === 'circle')!;
  expect(circle.area).toBeCloseTo(Math.PI * (0.92 * 0.2) ** 2, 2.5);
  expect(circle.radius).toBeCloseTo(0.2, 2.5);
  expect(circle.hue).toBeCloseTo(0, 6);
  expect(circle.misfit).toBeLessThan(0.05);
  expect(relationOf(circle, seen.objects.find((other) => other !== circle)!)).toBe('left');
  const shares = colourShares(picture);
  expect(shares.red).toBeCloseTo(circle.area, 2.5);
  expect(shares.blue).toBeGreaterThan(0.05);
  expect(shares.green).toBe(0);
});

test('a verdict says what does not hold', () => {
  const picture = render([red, blue]);
  expect(right('red circle left of blue square', picture)).toMatchObject({ right: true, relation: true });
  expect(right('a blue square and a red shape', picture)).toMatchObject({ right: true, relation: null });
  expect(right('a very large red circle, blue square', picture)).toMatchObject({ right: true });
  expect(right('red circle right of blue square', picture)).toMatchObject({ right: false, relation: false });
  expect(right('red circle left of blue square on black', picture)).toMatchObject({ right: false, ground: false });
  expect(right('a red circle', picture)).toMatchObject({ right: false, count: false, objects: [] });
  const { objects } = right('small dark red outline star left of blue square', picture);
  expect(objects[0]).toEqual({ shape: false, colour: true, size: false, tone: false, filling: false });
  expect(objects[1]).toEqual({ shape: true, colour: true, size: null, tone: null, filling: null });
});

test('every description that is drawn of a scene describes it, and few others', () => {
  const random = createRandom(3);
  const drawn = Array.from({ length: 1500 }, () => {
    const scene = drawScene(random, { pairs: 'all' });
    return { scene, description: drawDescription(random, scene) };
  });
  for (const { scene, description } of drawn)
    expect(describes(description, scene), plainCaption(description)).toBe(true);
  const others = drawn.filter(({ description }, i) => describes(description, drawn[(i + 1) % drawn.length].scene));
  expect(others.length / drawn.length).toBeLessThan(0.02);
  for (const { scene } of drawn.slice(0, 300))
    for (const kind of foilKinds) {
      const wrong = foil(fullDescription(scene), kind);
      if (wrong?.relation && kind !== 'colours swapped')
        expect(describes(wrong, scene), plainCaption(wrong)).toBe(false);
    }
});

test('pictures with nothing, too much or no sense in them are read without an error', () => {
  const empty = judgePicture(new Float32Array(pictureLength));
  expect(seenCaption(empty)).toBe('no object');
  expect(verdictOf(readCaption('a red circle')!, empty)).toMatchObject({ right: false, count: false });
  const noise = new Float32Array(pictureLength);
  roughen(noise, { blur: 0, noise: 3 }, createRandom(1));
  expect(() => seenCaption(judgePicture(noise), true)).not.toThrow();
  expect(verdictOf(readCaption('a red circle')!, judgePicture(noise.fill(Number.NaN))).right).toBe(false);
});
