import { expect, test } from 'vitest';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { tokenizer } from '../road/testing/prompts.ts';
import { meanRgb } from '../world/attributes.ts';
import { readCaption } from '../world/captionReading.ts';
import { type OwnObject, ownScene } from '../world/ownScene.ts';
import { pictureLength, pictureSize, renderScene } from '../world/render.ts';
import {
  measureWeighed,
  summariseWeights,
  type WeighedPicture,
  type WeighedWord,
  weighedPrompt,
  weighedScenes,
  weightsOf,
} from './weightEvaluation.ts';

const picture = (area: number, changes: Partial<WeighedPicture> = {}): WeighedPicture => ({
  ...{ area, purity: area, isWhole: true, other: 'blue square', otherRadius: 0.16 },
  ...changes,
});
const weights = [0, 0.5, 1, 1.5, 2];

test('a word is weighed in the plainest wording, as A1111 reads it', () => {
  const [scene] = weighedScenes(tokenizer, 2);
  expect(scene.description.objects).toHaveLength(2);
  const red = { ...scene, description: readCaption('red circle left of red square')! };
  expect(weighedPrompt(red, 'large', 1.25)).toBe('(large:1.25) red circle left of red square');
  expect(weighedPrompt(red, 'colour', 0)).toBe('(red:0) circle left of red square');
  const [{ fragments }] = preparePrompt(weighedPrompt(red, 'colour', 0), defaultOptions, tokenizer).texts;
  expect(fragments.map(({ text, weight }) => [text, weight])).toEqual([
    ['red', 0],
    [' circle left of red square', 1],
  ]);
});

test('correlations, changes and breaks are those of the pictures', () => {
  const scenes = [
    // Rises at each weight.
    [picture(0.1), picture(0.2), picture(0.3), picture(0.4), picture(0.5)],
    // Falls where the object is gone: ranks 2, 3, 4, 5, 1 are at distances 1, 1, 1, 1 and 4 from 1 … 5: 1 − 6 · 20 / (5 · 24) = 0.
    [
      picture(0.1),
      picture(0.2),
      picture(0.3),
      picture(0.4),
      picture(0, { isWhole: false, other: null, otherRadius: null }),
    ],
    // Never moves; its other object changes at 2, and is another one at 0 as well. At 0.5 it is larger by less than a third, at 1.5 by more.
    [
      picture(0.2, { other: 'blue circle', otherRadius: 0.13 }),
      picture(0.2, { otherRadius: 0.2 }),
      picture(0.2),
      picture(0.2, { otherRadius: 0.22 }),
      picture(0.2, { isWhole: false, other: 'red square' }),
    ],
  ];
  const found = summariseWeights('comfy', weights, scenes, 'large');
  expect(found.meanSpearman).toBeCloseTo((1 + 0 + 0) / 3, 12);
  // Means 0.4/3, 0.6/3, 0.8/3, 1/3, 0.7/3: ranks 1, 2, 4, 5, 3 give 1 − 6 · (1 + 1 + 4) / 120.
  expect(found.spearmanOfMeans).toBeCloseTo(0.7, 12);
  expect(found.points.map(({ otherChanged }) => otherChanged)).toEqual([1 / 3, 0, 0, 0, 2 / 3]);
  expect(found.otherChanged).toBeCloseTo(1 / 4, 12);
  expect(found.points.map(({ otherResized }) => otherResized)).toEqual([0, 0, 0, 1 / 3, 1 / 3]);
  expect(found.otherResized).toBeCloseTo(1 / 6, 12);
  expect(found.points.map(({ whole }) => whole)).toEqual([1, 1, 1, 1, 1 / 3]);
  expect([found.breaksBelow, found.breaksAbove]).toEqual([null, 2]);
});

test('findings tell of each bar whether a method meets it', () => {
  const findings = (word: WeighedWord, ...values: number[]) =>
    summariseWeights('comfy', weightsOf[word], [values.map((value) => picture(value))], word).findings;
  const large = (...values: number[]) => findings('large', ...values);
  expect(large(1, 2, 3, 4, 5, 6, 7, 8, 9)).toEqual({
    ...{ meanFollows: true, scenesFollow: true, keepsOther: true, keepsSize: true },
  });
  // Ranks 1, 2, 3, 4, 5, 9, 8, 7, 6 give 1 − 6 · (9 + 1 + 1 + 9) / (9 · 80) = 0.833.
  expect(large(1, 2, 3, 4, 5, 9, 8, 7, 6)).toMatchObject({ meanFollows: false, scenesFollow: false });
  const colour = (...values: number[]) => findings('colour', ...values);
  const pure = { rises: true, stays: true };
  expect(colour(0, 0.2, 0.4, 0.6, 0.9, 0.95, 1)).toMatchObject(pure);
  // A few pixels are no fall.
  expect(colour(0.9, 0.99, 0.985, 1, 0.999, 0.99, 0.995)).toMatchObject(pure);
  expect(colour(0, 0.4, 0.2, 0.6, 0.9, 0.9, 0.9)).toMatchObject({ rises: false, stays: true });
  expect(colour(0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9)).toMatchObject({ rises: false, stays: true });
  expect(colour(0, 0.2, 0.4, 0.6, 0.9, 0.95, 0.88)).toMatchObject({ rises: true, stays: false });
  const changed = [0, 0.2, 0.4, 0.6, 0.9, 0.9].map((value) => picture(value));
  const gone = picture(0.9, { other: null, otherRadius: null });
  expect(summariseWeights('comfy', weightsOf.colour, [[...changed, gone]], 'colour').findings).toMatchObject({
    ...{ keepsOther: false, keepsSize: false },
  });
});

const object = (
  shape: OwnObject['shape'],
  colour: OwnObject['colour'],
  size: OwnObject['size'],
  x: number,
): OwnObject => ({
  ...{ shape, colour, size, x, y: 0.5 },
  ...{ tone: null, filling: 'filled' },
});
const drawn = (...objects: OwnObject[]) => {
  const pixels = new Float32Array(pictureLength);
  renderScene(ownScene({ objects, ground: 'white', strokes: [] }), pixels);
  return pixels;
};
const said = readCaption('red circle left of blue square')!;

test('a picture is measured at the word’s object, and at the other', () => {
  const large = measureWeighed(
    drawn(object('circle', 'red', 'large', 0.25), object('square', 'blue', 'small', 0.75)),
    said,
  );
  const small = measureWeighed(
    drawn(object('circle', 'red', 'small', 0.25), object('square', 'blue', 'large', 0.75)),
    said,
  );
  expect(large).toMatchObject({ isWhole: true, other: 'blue square', purity: 1 });
  // A size is the radius: 0.196 and 0.128.
  expect(large.area / small.area).toBeCloseTo((0.196 / 0.128) ** 2, 0);
  expect(large.otherRadius).toBeCloseTo(0.128, 2);
  expect(small.otherRadius).toBeCloseTo(0.196, 2);
  expect(measureWeighed(drawn(object('square', 'blue', 'small', 0.75)), said)).toEqual({
    ...{ area: 0, purity: 0, isWhole: false, other: 'blue square', otherRadius: large.otherRadius },
  });
  expect(measureWeighed(drawn(object('circle', 'red', 'small', 0.25)), said).otherRadius).toBeNull();
});

test('purity is the share of the object’s pixels of its colour', () => {
  const half = drawn(object('circle', 'red', 'large', 0.25), object('square', 'blue', 'small', 0.75));
  const green = meanRgb('green', null);
  // The circle's lower half turns green.
  for (let row = pictureSize / 2; row < pictureSize; row++)
    for (let column = 0; column < pictureSize / 2; column++) {
      const pixel = row * pictureSize + column;
      if (half[pictureSize * pictureSize + pixel] > 0.5) continue;
      for (const [channel, value] of green.entries()) half[channel * pictureSize ** 2 + pixel] = 2 * value - 1;
    }
  const { purity } = measureWeighed(half, readCaption('green circle left of blue square')!);
  expect(purity).toBeGreaterThan(0.4);
  expect(purity).toBeLessThan(0.6);
});
