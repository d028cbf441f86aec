import { expect, test } from 'vitest';
import { viewHash, viewOf } from '../view.ts';
import {
  changedSettings,
  defaultLab,
  type LabSettings,
  labAddress,
  readLabAddress,
  shownLayer,
} from './labSettings.ts';

test.each<Partial<LabSettings>>([
  {},
  { seed: 7, batch: 128, objective: 'siglip', captions: 'training' },
  { learningRate: 3e-4, side: 'text', temperature: 0.0301, layer: 'gradient', watched: 'step', isSlow: true },
  { temperature: 'frozen', layer: 'sigmoid' },
  { from: 'shipped' },
])('an address brings back %j', (changes) => {
  const settings = { ...defaultLab, ...changes };
  const hash = viewHash('objective') + labAddress(settings);
  expect(readLabAddress(hash)).toEqual(settings);
  expect(viewOf(hash)).toBe('objective');
});

test('settings as they are at first take no room, and a link with a prompt may have the others', () => {
  expect(labAddress(defaultLab)).toBe('');
  expect(readLabAddress('#share=abc&view=objective&lab.batch=64').batch).toBe(64);
});

test.each([
  'lab.batch=33',
  'lab.seed=-1',
  'lab.seed=1.5',
  'lab.temperature=2',
  'lab.side=none',
  'lab.isSlow=1',
  'lab.seed=',
])('what is wrong in an address stays as it is at first: %s', (wrong) => {
  expect(readLabAddress(`#view=objective&${wrong}`)).toEqual(defaultLab);
});

test('a layer that the objective has not gives way to one that it has', () => {
  expect(shownLayer({ layer: 'byRow', objective: 'siglip' })).toBe('sigmoid');
  expect(shownLayer({ layer: 'sigmoid', objective: 'clip' })).toBe('byRow');
  expect(shownLayer({ layer: 'gradient', objective: 'siglip' })).toBe('gradient');
});

test('the shipped model brings a gentle learning rate and CLIP’s objective; the sigmoid starts from scratch', () => {
  const shipped = changedSettings({ ...defaultLab, objective: 'siglip' }, { from: 'shipped' });
  expect(shipped).toMatchObject({ from: 'shipped', objective: 'clip', learningRate: 1e-4 });
  expect(changedSettings(shipped, { learningRate: 1e-3 }).learningRate).toBe(1e-3);
  expect(changedSettings(shipped, { objective: 'siglip' })).toEqual({ ...defaultLab, objective: 'siglip' });
  expect(readLabAddress('#view=objective&lab.from=shipped&lab.objective=siglip').objective).toBe('clip');
});
