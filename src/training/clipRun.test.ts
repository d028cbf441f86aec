import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { trainShortly } from './testing/shortRun.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');
const settings = { steps: 6, warmUp: 1, singleSteps: 1, lookSteps: 1, pairSteps: 2, firstBatch: 6, batch: 8 };

test('a run begins with single objects, looks at everything, and goes on with pairs', async () => {
  /** Captions that each stage has drawn after so many steps. */
  const captionsAfter = async (steps: number) => {
    const { single, pair, whole } = (await trainShortly(merges, steps, settings)).stages;
    return [single, pair, whole].map(({ batch }) => batch.captions.length);
  };
  expect(await captionsAfter(1)).toEqual([6, 0, 0]);
  expect(await captionsAfter(2)).toEqual([6, 0, 8]);
  expect(await captionsAfter(3)).toEqual([6, 6, 8]);
});

test('single objects and pairs say what they teach, and nothing else', async () => {
  const { single, pair } = (await trainShortly(merges, 3, settings)).stages;
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
