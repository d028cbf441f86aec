import { expect, test } from 'vitest';
import { judgePicture } from './judge/judge.ts';
import {
  movedTo,
  type OwnObject,
  type OwnPicture,
  ownCaption,
  ownRadius,
  ownScene,
  zeroShotCaptions,
} from './ownScene.ts';
import { pictureLength, renderScene } from './render.ts';
import { colours, fillings, shapes, sizes } from './worldWords.ts';

const circle: OwnObject = {
  ...{ shape: 'circle', colour: 'red', size: 'medium', tone: null, filling: 'filled', x: 0.3, y: 0.5 },
};
const square: OwnObject = { ...circle, shape: 'square', colour: 'blue', x: 0.7 };
const picture = (objects: readonly OwnObject[], strokes: OwnPicture['strokes'] = []): OwnPicture => ({
  ...{ objects, strokes, ground: 'white' },
});

function drawn(own: OwnPicture): Float32Array {
  const pixels = new Float32Array(pictureLength);
  renderScene(ownScene(own), pixels);
  return pixels;
}

const all = colours.flatMap((colour) =>
  shapes.flatMap((shape) =>
    fillings.map((filling, i) => ({ colour, shape, filling, size: sizes[(i + shape.length) % 3] })),
  ),
);

test('the judge sees every object as it was placed', () => {
  for (const words of all) {
    const ground = words.colour === 'white' || words.colour === 'yellow' ? 'black' : 'white';
    const seen = judgePicture(drawn({ ...picture([{ ...circle, ...words }]), ground }));
    expect(seen.ground).toBe(ground);
    expect(seen.objects).toMatchObject([words]);
  }
  const [dark, light] = (['dark', 'light'] as const).map((tone) => judgePicture(drawn(picture([{ ...circle, tone }]))));
  expect([dark.objects[0].tone, light.objects[0].tone]).toEqual(['dark', 'light']);
});

test('two objects are told with the relation of their places, and the captions near to them are different ones', () => {
  const own = picture([circle, square]);
  expect(ownCaption(own)).toBe('red circle left of blue square');
  expect(
    ownCaption(
      picture([
        { ...circle, y: 0.1 },
        { ...square, x: 0.5, y: 0.8 },
      ]),
    ),
  ).toBe('red circle above blue square');
  expect(ownCaption(picture([]))).toBe('');
  const captions = zeroShotCaptions(own);
  expect(captions.slice(0, 7)).toEqual([
    'red circle left of blue square',
    'blue circle left of red square',
    'blue square left of red circle',
    'red circle right of blue square',
    'red circle above blue square',
    'red circle and blue square',
    'medium red filled circle left of medium blue filled square, white background',
  ]);
  expect(captions).toHaveLength(87);
  expect(new Set(captions).size).toBe(87);
  expect(zeroShotCaptions(picture([circle]))[0]).toBe('red circle');
});

test('an object stays inside the picture', () => {
  const radius = ownRadius(circle);
  expect(movedTo(circle, -1, 0.4)).toEqual({ ...circle, x: radius, y: 0.4 });
  expect(movedTo(circle, 0.4, 7)).toEqual({ ...circle, x: 0.4, y: 1 - radius });
});

test('a line by hand is drawn over the objects without a gap, and no caption tells of it', () => {
  const own = picture(
    [circle],
    [
      {
        colour: 'green',
        points: [
          [0.1, 0.5],
          [0.9, 0.5],
        ],
      },
    ],
  );
  expect(ownCaption(own)).toBe('red circle');
  const pixels = drawn(own);
  const [red, green] = [0, 1].map((channel) => pixels.subarray(channel * 1600 + 20 * 40, channel * 1600 + 21 * 40));
  for (let x = 4; x < 36; x++) expect(green[x] - red[x]).toBeGreaterThan(0.3);
  expect(drawn(picture([circle]))).not.toEqual(pixels);
});
