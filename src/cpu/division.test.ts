import { describe, expect, test } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { schedule } from '../engine/schedule.ts';
import { weightSpecs } from '../engine/weightReading.ts';
import { elementCount } from '../files/tensorFile.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { divideWork, pieceOf, usefulThreads } from './division.ts';

describe.each([clipTiny, clipVitL14])('a model of width $hiddenSize', (config) => {
  const counts = Array.from({ length: config.numAttentionHeads }, (_, i) => i + 1);

  test.each(counts)('%d shares have all heads and columns between them, each about as many', (count) => {
    const shares = divideWork(config, count);
    for (const [key, whole, step] of [
      ['heads', config.numAttentionHeads, 1],
      ['columns', config.intermediateSize, 8],
    ] as const) {
      let end = 0;
      for (const { [key]: span } of shares) {
        expect(span[0]).toBe(end);
        expect(span[0] % step).toBe(0);
        expect(Math.abs(span[1] - span[0] - whole / count)).toBeLessThanOrEqual(step);
        end = span[1];
      }
      expect(end).toBe(whole);
    }
  });

  test.each(counts)('%d shares have every matrix once between them', (count) => {
    const shares = divideWork(config, count);
    for (const [name, spec] of weightSpecs(syntheticWeights(config), schedule(config, 1))) {
      const pieces = shares.map((share) => pieceOf(config, share, name, spec));
      const elements = pieces.reduce((sum, piece) => sum + (piece ? piece.N * piece.K : 0), 0);
      if (spec.kind === 'matrix') expect(elements, name).toBe(elementCount(spec.shape));
      expect(pieces[0], name).toBeDefined();
    }
  });
});

test('threads are not more than cores or heads, and one where messages would cost more than they save', () => {
  expect([1, 2, 4, 64].map((cores) => usefulThreads(clipVitL14, cores))).toEqual([1, 2, 4, 12]);
  expect([1, 8].map((cores) => usefulThreads(clipTiny, cores))).toEqual([1, 1]);
});
