import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { judgePicture, type SeenObject } from '../world/judge/judge.ts';
import { shownPicture } from './drawnPicture.ts';
import { defaultPictureRun, startPictureRun, timeOf } from './pictureRun.ts';

test('a run begins with one large filled object each, and comes by and by to everything', async () => {
  const width = 32;
  const nothingRead = {
    width,
    read: (ids: Uint32Array) => new Float32Array((ids.length / contextLength) * contextLength * width),
  };
  const settings = { ...defaultPictureRun, batch: 32, repeats: 2, boldSteps: 4, blendSteps: 20 };
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const run = await startPictureRun(settings, tokenizer, nothingRead, await compileKernels(false));
  /** Lists each picture's objects, as the judge sees them, in the scenes of a step. */
  const seenIn = (step: number) => {
    const { pictures, ends } = run.drawGroup(step);
    return ends.map((_, i) => judgePicture(shownPicture(pictures, i)).objects);
  };
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const ofSteps = (from: number, count: number) => range(count).flatMap((i) => seenIn(from + i));
  const wordsOf = (pictures: readonly (readonly SeenObject[])[], word: 'colour' | 'size' | 'filling') =>
    new Set(pictures.flat().map((object) => object[word]));
  const early = ofSteps(-2, 6);
  expect(early.every((objects) => objects.length === 1)).toBe(true);
  // Slightly large ones may look medium.
  expect(wordsOf(early, 'size')).not.toContain('small');
  expect(wordsOf(early, 'filling')).toEqual(new Set(['filled']));
  expect(wordsOf(early, 'colour').size).toBeGreaterThan(4);
  const isOfAnyKind = (step: number) => seenIn(step).some((objects) => objects.length === 2);
  const blended = range(20).map((i) => isOfAnyKind(4 + i));
  expect(blended.slice(0, 10).filter(Boolean).length).toBeLessThan(blended.slice(10).filter(Boolean).length);
  expect(blended).toContain(false);
  expect(range(5).map((i) => isOfAnyKind(24 + i))).not.toContain(false);
});

test('times go from noise-free to noise alone, and half of them from 0.62 to 0.83', () => {
  expect([timeOf(0), timeOf(1)]).toEqual([0, 1]);
  expect(timeOf(0.5)).toBeCloseTo(0.741, 3);
  const times = Array.from({ length: 1000 }, (_, i) => timeOf((i + 0.5) / 1000));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const most = times.filter((t) => t > 0.62 && t < 0.84).length;
  expect(most).toBeGreaterThan(490);
});
