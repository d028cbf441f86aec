import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { trainStep } from './clipRun.ts';
import { trainShortly } from './testing/shortRun.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');
const settings = {
  steps: 12,
  warmUp: 1,
  plainSteps: 1,
  singleSteps: 1,
  lookSteps: 1,
  pairSteps: 1,
  wordSteps: 1,
  bindSteps: 1,
  wholeSteps: 1,
  againSteps: 2,
  alikeSteps: 1,
  lastSteps: 1,
  tuneSteps: 1,
  polishSteps: 0,
  turnSteps: 0,
  everySteps: 0,
  fitSteps: 0,
  pairBatch: 6,
  batch: 8,
};

test('a run begins with plain and single objects, looks at everything, and goes on with pairs', async () => {
  /** Captions that each stage has drawn after so many steps. */
  const captionsAfter = async (steps: number) => {
    const { stages } = await trainShortly(merges, steps, {
      ...settings,
      steps: 15,
      turnSteps: 1,
      everySteps: 1,
      fitSteps: 1,
    });
    return Object.values(stages).map(({ batch }) => batch.captions.length);
  };
  expect(await captionsAfter(1)).toEqual([8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(await captionsAfter(2)).toEqual([8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(await captionsAfter(3)).toEqual([8, 8, 0, 0, 8, 0, 0, 0, 0, 0, 0]);
  expect(await captionsAfter(5)).toEqual([8, 8, 6, 0, 8, 0, 0, 0, 0, 0, 0]);
  expect(await captionsAfter(6)).toEqual([8, 8, 6, 8, 8, 0, 0, 0, 0, 0, 0]);
  expect(await captionsAfter(8)).toEqual([8, 8, 6, 8, 8, 8, 0, 0, 0, 0, 0]);
  expect(await captionsAfter(9)).toEqual([8, 8, 6, 8, 8, 8, 6, 0, 0, 0, 0]);
  expect(await captionsAfter(10)).toEqual([8, 8, 6, 8, 8, 8, 6, 8, 0, 0, 0]);
  expect(await captionsAfter(14)).toEqual([8, 8, 6, 8, 8, 8, 6, 8, 6, 8, 0]);
  expect(await captionsAfter(15)).toEqual([8, 8, 6, 8, 8, 8, 6, 8, 6, 8, 8]);
});

test('single objects and pairs say what they teach, and nothing else', async () => {
  const { plain, single, pair } = (await trainShortly(merges, 4, settings)).stages;
  for (const { objects } of plain.batch.descriptions)
    expect(objects.map(({ colour }) => colour?.word)).toEqual(['black']);
  for (const { objects, ground } of single.batch.descriptions) {
    expect(ground).toBeNull();
    expect(objects).toHaveLength(1);
    const { shape, colour, size, filling } = objects[0];
    for (const word of [shape, colour, size, filling]) expect(word).not.toBeNull();
  }
  for (const [i, { objects, relation, ground }] of pair.batch.descriptions.entries()) {
    expect(ground).toBeNull();
    expect(['left', 'above']).toContain(relation);
    for (const { shape, colour, size, tone, filling } of objects) {
      expect([shape, colour?.word]).not.toContain(null);
      expect([size, tone, filling]).toEqual([null, null, null]);
    }
    // Scenes 1, 3 and 5 are twins.
    const wordsOf = (caption: string) => caption.split(' ').toSorted();
    if (i % 2) expect(wordsOf(pair.batch.captions[i])).toEqual(wordsOf(pair.batch.captions[i - 1]));
  }
});

test('the learning rate rises and falls in each of seven parts', async () => {
  const parts = {
    againSteps: 10,
    alikeSteps: 4,
    lastSteps: 8,
    tuneSteps: 6,
    polishSteps: 6,
    turnSteps: 2,
    everySteps: 4,
    fitSteps: 6,
  };
  const highest = {
    learningRate: 1e-3,
    againRate: 2e-4,
    lastRate: 1e-4,
    tuneRate: 3e-4,
    polishRate: 5e-4,
    turnRate: 6e-4,
    fitRate: 7e-4,
  };
  const run = await trainShortly(merges, 0, { ...settings, ...parts, ...highest, steps: 60, warmUp: 2 });
  const rates = Array.from({ length: 60 }, () => trainStep(run).learningRate);
  for (const [first, end, highest] of [
    [0, 18, 1e-3],
    [18, 28, 2e-4],
    [28, 36, 1e-4],
    [36, 42, 3e-4],
    [42, 48, 5e-4],
    [48, 54, 6e-4],
    [54, 60, 7e-4],
  ]) {
    expect(rates.slice(first, first + 2)).toEqual([highest / 2, highest]);
    for (let step = first + 3; step < end; step++) expect(rates[step]).toBeLessThan(rates[step - 1]);
  }
});

test('the text encoder stays as it is in the part of tune, and everything else learns', async () => {
  const { model, ...run } = await trainShortly(merges, 11, settings);
  const before = model.parameters.values.slice();
  trainStep({ model, ...run });
  for (const [name, { offset, length }] of model.parameters.places) {
    const [now, was] = [model.parameters.values, before].map((values) => values.subarray(offset, offset + length));
    if (name.startsWith('text_model.')) expect(now, name).toEqual(was);
    else expect(now, name).not.toEqual(was);
  }
});

test.each(['polishSteps', 'everySteps', 'fitSteps'])(
  'the part of %s goes on from what a file of those before it holds',
  async (last) => {
    const longer = { ...settings, steps: 13, [last]: 1 };
    const whole = await trainShortly(merges, 12, longer);
    const fromFile = await trainShortly(merges, 0, longer);
    const stored = fromFloat32(Float32Array.from(whole.model.parameters.values), 'F16');
    fromFile.model.parameters.values.set(toFloat32(stored, 'F16'));
    fromFile.step = 12;
    trainStep(whole);
    trainStep(fromFile);
    expect(fromFile.model.parameters.values).toEqual(whole.model.parameters.values);
  },
);
