import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { judgePicture, type SeenObject } from '../world/judge/judge.ts';
import { pictureSize } from '../world/render.ts';
import { drawnLength, shownPicture } from './drawnPicture.ts';
import {
  defaultPictureRun,
  pictureStep,
  startPictureRun,
  timeOf,
  trainedParameters,
  withTrained,
} from './pictureRun.ts';

test('a run begins with large filled objects, and comes by and by to everything', async () => {
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
  expect(new Set(early.map((objects) => objects.length))).toEqual(new Set([1, 2]));
  // Slightly large ones may look medium.
  expect(wordsOf(early, 'size')).not.toContain('small');
  expect(wordsOf(early, 'filling')).toEqual(new Set(['filled']));
  expect(wordsOf(early, 'colour').size).toBeGreaterThan(4);
  const isOfAnyKind = (step: number) =>
    seenIn(step)
      .flat()
      .some(({ filling }) => filling === 'outline');
  const blended = range(20).map((i) => isOfAnyKind(4 + i));
  expect(blended.slice(0, 10).filter(Boolean).length).toBeLessThan(blended.slice(10).filter(Boolean).length);
  expect(blended).toContain(false);
  expect(range(5).map((i) => isOfAnyKind(24 + i))).not.toContain(false);
});

test('the second part has scenes of each kind', async () => {
  const run = await startQuickRun({ ...quick, steps: 72, againSteps: 60, boldSteps: 12, blendSteps: 0 });
  const kindsOf = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => run.drawGroup(from + i).kind);
  expect(new Set(kindsOf(0, 12))).toEqual(new Set(['bold']));
  const later = kindsOf(12, 60);
  for (const kind of ['bold', 'told', 'whole']) expect(later.filter((one) => one === kind).length).toBeGreaterThan(10);
});

test('the third part tells where the words of plain captions point', async () => {
  const run = await startQuickRun({ ...quick, steps: 60, againSteps: 1, pointSteps: 50, batch: 16, repeats: 1 });
  const groups = Array.from({ length: 50 }, (_, i) => run.drawGroup(10 + i));
  const sized = groups.filter(({ kind }) => kind === 'sized');
  expect(sized.length).toBeGreaterThan(15);
  expect(new Set(groups.map(({ kind }) => kind))).toEqual(new Set(['sized', 'told', 'whole']));
  for (const { objects } of groups.filter(({ kind }) => kind !== 'sized'))
    expect(new Set(objects)).toEqual(new Set([-1]));
  for (const { pictures, objects, covers, ends } of sized)
    for (const [i, end] of ends.entries()) {
      const rows = objects.subarray(i * contextLength, (i + 1) * contextLength);
      // BOS, EOS and PAD tell of no object.
      expect([rows[0], ...new Set(rows.subarray(end))]).toEqual([-1, -1]);
      const { length } = judgePicture(shownPicture(pictures, i)).objects;
      expect(new Set(rows)).toEqual(new Set(length === 1 ? [-1, 0] : [-1, 0, 1]));
      // Every pixel that the picture's own plane says to be an object's is in the cover of one of them.
      const cover = pictures.subarray((i + 1) * drawnLength - pictureSize ** 2, (i + 1) * drawnLength);
      const [first, second] = [0, 1].map((object) => covers.subarray((2 * i + object) * pictureSize ** 2));
      for (const [pixel, value] of cover.entries())
        if (first[pixel] + second[pixel] < (value + 1) / 2 - 1e-6) expect.fail(`pixel ${pixel} of picture ${i}`);
    }
});

test('words learn to point: the share of looks from outside of their objects falls', async () => {
  const settings = { ...quick, steps: 40, againSteps: 1, pointSteps: 38, batch: 16, repeats: 2, grounding: 1 };
  const run = await startQuickRun({ ...settings, pointRate: 1e-2 }, true);
  expect((await pictureStep(run)).groundingLoss).toBe(0);
  const losses: number[] = [];
  // Each step learns from the batch of step 12.
  for (let i = 0; i < 15; i++) {
    run.step = 12;
    losses.push((await pictureStep(run)).groundingLoss);
  }
  expect(losses[0]).toBeGreaterThan(0);
  expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]);
});

/** A small denoiser, and a text encoder whose rows are 0, or differ from token to token. */
const quick = {
  ...defaultPictureRun,
  ...{ batch: 4, repeats: 1, warmUp: 2, learningRate: 2e-3, againRate: 1e-3, pointRate: 5e-4 },
  ...{ steps: 20, againSteps: 8, pointSteps: 0 },
  ...{ width0: 32, width1: 32, width2: 32, down1: 1, up1: 1, blocks2: 1, mlp: 1 },
};
async function startQuickRun(settings = quick, tellsWords = false) {
  const width = 32;
  const read = (ids: Uint32Array) =>
    Float32Array.from({ length: ids.length * width }, (_, i) =>
      tellsWords ? Math.sin(ids[Math.floor(i / width)] * (1 + (i % width))) : 0,
    );
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  return startPictureRun(settings, tokenizer, { width, read }, await compileKernels(false));
}

test('the learning rate rises, stays and falls in each part', async () => {
  const run = await startQuickRun({ ...quick, steps: 30, pointSteps: 10 });
  const rates: number[] = [];
  while (run.step < 30) rates.push((await pictureStep(run)).learningRate);
  const part = (count: number, rate: number) =>
    Array.from({ length: count }, (_, i) => rate * Math.min(1, (i + 1) / 2, (count - i) / (0.4 * count)));
  expect(rates).toEqual([...part(12, 2e-3), ...part(8, 1e-3), ...part(10, 5e-4)]);
});

test('every third time has more noise than the others', async () => {
  const run = await startQuickRun({ ...quick, batch: 32, steps: 4, againSteps: 2 });
  await pictureStep(run);
  const times = Array.from(run.drawn!.times);
  const above = (t: number) => times.filter((time) => time > t).length;
  // Times about 0.74 are above 0.87 in three or four of 22, those about 0.93 in eight of ten.
  expect(above(0.87)).toBeGreaterThanOrEqual(10);
  expect(above(0.87)).toBeLessThanOrEqual(14);
  expect(above(0.74)).toBeGreaterThanOrEqual(18);
});

test('the second part goes on from what a file of the first holds', async () => {
  const settings = { ...quick, steps: 5, againSteps: 2 };
  const whole = await startQuickRun(settings);
  while (whole.step < 3) await pictureStep(whole);
  const fromFile = await startQuickRun(settings);
  fromFile.averages.set(toFloat32(fromFloat32(Float32Array.from(whole.averages), 'F16'), 'F16'));
  fromFile.step = 3;
  for (const run of [whole, fromFile]) while (run.step < 5) await pictureStep(run);
  expect(fromFile.averages).toEqual(whole.averages);
  expect(fromFile.model.parameters.values).toEqual(whole.model.parameters.values);
});

test('a trained denoiser has a share of what the third part came to, and the rest of what that began from', async () => {
  const run = await startQuickRun({ ...quick, steps: 6, againSteps: 2, pointSteps: 2, pointShare: 0.25 });
  while (run.step < 4) await pictureStep(run);
  expect(trainedParameters(run)).toBe(run.averages);
  const before = toFloat32(fromFloat32(Float32Array.from(run.averages), 'F16'), 'F16');
  while (run.step < 6) await pictureStep(run);
  expect(run.start).toEqual(before);
  const mixed = trainedParameters(run);
  const at = 1000;
  expect(run.averages[at]).not.toBe(before[at]);
  expect(mixed[at]).toBeCloseTo(0.25 * run.averages[at] + 0.75 * before[at], 6);
  const own = run.model.parameters.values.slice();
  withTrained(run, () => expect(run.model.parameters.values).toEqual(mixed));
  expect(run.model.parameters.values).toEqual(own);
});

test('times go from noise-free to noise alone, and half of them from 0.62 to 0.83', () => {
  expect([timeOf(0), timeOf(1)]).toEqual([0, 1]);
  expect(timeOf(0.5)).toBeCloseTo(0.741, 3);
  const times = Array.from({ length: 1000 }, (_, i) => timeOf((i + 0.5) / 1000));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const most = times.filter((t) => t > 0.62 && t < 0.84).length;
  expect(most).toBeGreaterThan(490);
});
