import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { judgePicture } from '../world/judge/judge.ts';
import { pictureLength } from '../world/render.ts';
import { defaultPictureRun, startPictureRun, timeOf } from './pictureRun.ts';

test('a run begins with one large black filled object each, goes on with black ones of any size and with one of any colour, and comes to everything', async () => {
  const width = 32;
  const nothingRead = {
    width,
    read: (ids: Uint32Array) => new Float32Array((ids.length / contextLength) * contextLength * width),
  };
  const settings = { ...defaultPictureRun, batch: 32, repeats: 2, boldSteps: 2, plainSteps: 1, singleSteps: 2 };
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const run = await startPictureRun(settings, tokenizer, nothingRead, await compileKernels(false));
  /** Lists each picture's objects, as the judge sees them, in the scenes of a step. */
  const seenIn = (step: number) => {
    const { pictures, ends } = run.drawGroup(step);
    return ends.map((_, i) => judgePicture(pictures.subarray(i * pictureLength, (i + 1) * pictureLength)).objects);
  };
  const wordsOf = (step: number, word: 'colour' | 'size' | 'filling') =>
    new Set(seenIn(step).flatMap((objects) => objects.map((object) => object[word])));
  for (const step of [-3, 0, 1]) {
    expect(wordsOf(step, 'colour')).toEqual(new Set(['black']));
    // Slightly large ones may look medium.
    expect(wordsOf(step, 'size')).not.toContain('small');
    expect(wordsOf(step, 'filling')).toEqual(new Set(['filled']));
  }
  expect(wordsOf(2, 'colour')).toEqual(new Set(['black']));
  expect(wordsOf(2, 'size')).toEqual(new Set(['small', 'medium', 'large']));
  expect(wordsOf(2, 'filling')).toEqual(new Set(['filled', 'outline']));
  expect([3, 4].flatMap(seenIn).every((objects) => objects.length === 1)).toBe(true);
  expect(new Set([3, 4].flatMap((step) => [...wordsOf(step, 'colour')])).size).toBeGreaterThan(4);
  expect(new Set([5, 6].flatMap(seenIn).map((objects) => objects.length))).toEqual(new Set([1, 2]));
});

test('times go from noise-free to noise alone, and half of them from 0.5 to 0.75', () => {
  expect([timeOf(0), timeOf(1)]).toEqual([0, 1]);
  expect(timeOf(0.5)).toBeCloseTo(0.645, 3);
  const times = Array.from({ length: 1000 }, (_, i) => timeOf((i + 0.5) / 1000));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const most = times.filter((t) => t > 0.5 && t < 0.76).length;
  expect(most).toBeGreaterThan(490);
});
