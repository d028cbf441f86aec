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
  expect(readLabAddress(hash)).toEqual({ settings, problems: [] });
  expect(viewOf(hash)).toBe('objective');
});

test('settings as they are at first take no room, and a link with a prompt may have the others', () => {
  expect(labAddress(defaultLab)).toBe('');
  expect(readLabAddress('#share=abc&view=objective&lab.batch=64').settings.batch).toBe(64);
});

test.each([
  ['lab.batch=33', 'has “33” for “lab.batch”, which takes one of 8, 16, 32, 64, 128, 256; 32 is taken instead'],
  ['lab.seed=-1', 'has “-1” for “lab.seed”, which takes a whole number from 0 to 2147483647; 1 is taken instead'],
  ['lab.seed=1.5', 'has “1.5” for “lab.seed”, which takes a whole number from 0 to 2147483647; 1 is taken instead'],
  [
    'lab.temperature=2',
    'has “2” for “lab.temperature”, which takes learned, frozen or a number from 0.01 to 1; learned is taken instead',
  ],
  ['lab.side=none', 'has “none” for “lab.side”, which takes one of both, text, image; both is taken instead'],
  ['lab.isSlow=1', 'has “1” for “lab.isSlow”, which takes one of true, false; false is taken instead'],
  ['lab.seed=', 'has “” for “lab.seed”, which takes a whole number from 0 to 2147483647; 1 is taken instead'],
])('what is wrong in an address stays as it is at first, and is told: %s', (wrong, problem) => {
  expect(readLabAddress(`#view=objective&${wrong}`)).toEqual({ settings: defaultLab, problems: [problem] });
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
  // A link that names the model alone has it, too.
  expect(labAddress(shipped)).toBe('&lab.from=shipped');
  expect(readLabAddress('#view=objective&lab.from=shipped').settings).toEqual(shipped);
  expect(changedSettings(shipped, { objective: 'siglip' })).toEqual({ ...defaultLab, objective: 'siglip' });
  expect(readLabAddress('#view=objective&lab.from=shipped&lab.objective=siglip')).toMatchObject({
    settings: { objective: 'clip' },
    problems: ['has “siglip” for “lab.objective”, which does not go with “lab.from=shipped”; clip is taken instead'],
  });
  // The model's own learning rate is what stands in for a wrong one.
  const [problem] = readLabAddress('#view=objective&lab.from=shipped&lab.learningRate=fast').problems;
  expect(problem).toBe(
    'has “fast” for “lab.learningRate”, which takes a number from 0.000001 to 1; 0.0001 is taken instead',
  );
});
