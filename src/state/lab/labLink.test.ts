import { expect, test } from 'vitest';
import { readLabLink } from './labLink.ts';
import { defaultLab } from './labSettings.ts';
import { firstOwn } from './ownWork.ts';

test('an address brings the settings and what a person made; where all is right, nothing is said', () => {
  expect(readLabLink('#view=objective')).toEqual({ settings: defaultLab, own: firstOwn, message: null });
  const { settings, own, message } = readLabLink('#lab.seed=2&view=objective&lab.query=a%20star');
  expect([settings.seed, own.query, message]).toEqual([2, 'a star', null]);
});

test.each([
  [
    'lab.batch=33&lab.ground=mud',
    /^The link has “33” for “lab.batch”, .*; 32 is taken instead\. It has “mud” for “lab.ground”, .*; white is taken instead\.$/,
  ],
  ['lab.seed=2&lab.seed=3', /^The link has “lab.seed” twice; the first is taken\.$/],
  ['lab.speed=2', /^The link has “lab.speed”, which is not known here; known are lab.seed, .*, lab.lines\.$/],
  [
    Array.from({ length: 9 }, (_, i) => `lab.strange${i}=1`).join('&'),
    /^The link has “lab.strange0”.* It has “lab.strange2”, .*\. 6 more of its parameters for the lab are wrong, too\.$/,
  ],
])('what is wrong is told in sentences: %.40s', (wrong, sentences) => {
  expect(readLabLink(`#v=1&prompt=a&view=objective&${wrong}`).message).toMatch(sentences);
});
