import { expect, test } from 'vitest';
import { differences, stretches } from './stretches.ts';

test('what all texts share is left out where it is long', () => {
  const around = (word: string) => `an evening on a hill far away, ${word} and trees in a soft evening light`;
  expect(differences(['cat', 'dog'].map(around))).toEqual(
    ['… cat and …', '… dog and …'].map((text) => text.replace(' and', '')),
  );
  expect(differences(['a cat', 'a dog'])).toEqual(['a cat', 'a dog']);
  expect(differences([around(''), around('x')])[1]).toContain('x');
  expect(differences(['', 'a'])).toEqual(['', 'a']);
  expect(differences(['a', 'aa'])).toEqual(['a', 'aa']);
});

test('steps in a row that encode the same are one stretch', () => {
  const entries = [
    { endAtStep: 5, text: { text: 'a' } },
    { endAtStep: 6, text: { text: 'a' } },
    { endAtStep: 10, text: { text: 'b' } },
  ];
  expect(stretches(entries, 10)).toEqual([
    { first: 1, last: 7, text: 'a' },
    { first: 8, last: 10, text: 'b' },
  ]);
});
