import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { parsePrompt } from '../parsePrompt.ts';
import { type Syntax, syntaxes } from '../syntax.ts';
import { readingDifferences } from './readings.ts';

const differences = (source: string, here: Syntax, there: Syntax) =>
  readingDifferences(source, parsePrompt(source, here).fragments, parsePrompt(source, there).fragments).map(
    ({ text, here, there }) => [text, here && Number(here.toFixed(6)), there && Number(there.toFixed(6))],
  );

test.each<[string, Syntax, Syntax, unknown]>([
  ['((cat:1.3))', 'a1111', 'comfy', [['cat', 1.43, 1.3]]],
  [
    '(a)0.5',
    'a1111',
    'compel',
    [
      ['a', 1.1, 0.5],
      ['0.5', 1, null],
    ],
  ],
  ['(a)0.5', 'a1111', 'comfy', []],
  [
    'a [red] car',
    'a1111',
    'comfy',
    [
      ['[', null, 1],
      ['red', 0.909091, 1],
      [']', null, 1],
    ],
  ],
  // Space does not break a run, and is none.
  ['(red  car:2)', 'comfy', 'a1111', []],
  [
    '(red car)1.5',
    'compel',
    'comfy',
    [
      ['red car', 1.5, 1.1],
      ['1.5', null, 1],
    ],
  ],
])('%s: %s and %s', (source, here, there, expected) => {
  expect(differences(source, here, there)).toEqual(expected);
});

test('no reading differs from itself, and there and back are the same places', () => {
  const piece = fc.constantFrom('(', ')', '[', ']', ':1.2', '++', '1.3', 'red', 'car', ' ', ',', '\\(');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.constantFrom(...syntaxes),
      fc.constantFrom(...syntaxes),
      (pieces, here, there) => {
        const source = pieces.join('');
        expect(differences(source, here, here)).toEqual([]);
        expect(differences(source, there, here).map(([text, a, b]) => [text, b, a])).toEqual(
          differences(source, here, there),
        );
      },
    ),
  );
});
