import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { trainShortly } from './testing/shortRun.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');

test('a run begins with scenes of one object and ends with larger batches', async () => {
  const settings = { steps: 6, warmUp: 1, singleSteps: 1, singleBatch: 5, batch: 8, lastSteps: 2, lastBatch: 9 };
  /** The captions of each stage after so many steps. */
  const captionsAfter = async (steps: number) => {
    const { single, middle, last } = (await trainShortly(merges, steps, settings)).stages;
    return [single, middle, last].map(({ batch }) => batch.captions.length);
  };
  expect(await captionsAfter(1)).toEqual([5, 0, 0]);
  expect(await captionsAfter(4)).toEqual([5, 8, 0]);
  expect(await captionsAfter(5)).toEqual([5, 8, 9]);

  const { single, middle } = (await trainShortly(merges, 2, settings)).stages;
  for (const { objects, ground } of single.batch.descriptions) {
    expect(ground).toBeNull();
    expect(objects).toHaveLength(1);
    const { shape, colour, size, filling } = objects[0];
    for (const word of [shape, colour, size, filling]) expect(word).not.toBeNull();
  }
  expect(new Set(middle.batch.scenes.map(({ objects }) => objects.length))).toEqual(new Set([1, 2]));
});
