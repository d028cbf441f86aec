import { expect, test } from 'vitest';
import type { LoraEffect } from '../models/loraFile.ts';
import { layerEffects } from './loraActions.ts';

const effect = (layer: number, projection: LoraEffect['projection'], delta: number, weight: number): LoraEffect => ({
  layer,
  projection,
  delta,
  weight,
  relative: delta / weight,
});

test('the effect on a layer is that of its changed weights together', () => {
  const effects = [effect(0, 'qProj', 3, 6), effect(0, 'fc1', 4, 8), effect(2, 'fc2', 1, 4)];
  expect(layerEffects(effects, 4)).toEqual([
    { layer: 0, relative: 0.5, weights: effects.slice(0, 2) },
    { layer: 1, relative: 0, weights: [] },
    { layer: 2, relative: 0.25, weights: effects.slice(2) },
    { layer: 3, relative: 0, weights: [] },
  ]);
});

test('an update of zeros has no effect, on a weight of zeros either', () => {
  expect(layerEffects([effect(0, 'fc1', 0, 0)], 1)[0].relative).toBe(0);
});
