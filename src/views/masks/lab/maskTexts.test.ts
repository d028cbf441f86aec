import { describe, expect, test } from 'vitest';
import { rowEffects } from '../../../clip/maskEffects.ts';
import fc from '../../../properties.ts';
import { changesText, keysText, largestChange, percent, reachText } from './maskTexts.ts';

test.each([
  [0, '0 %'],
  [1e-9, '< 0.01 %'],
  [0.00012, '0.01 %'],
  [0.0042, '0.42 %'],
  [0.00996, '1.0 %'],
  [0.0412, '4.1 %'],
  [0.0996, '10 %'],
  [0.413, '41 %'],
  [1.412, '141 %'],
  [Number.POSITIVE_INFINITY, '∞'],
  [Number.NaN, 'not a number'],
])('%d is written as %s', (share, text) => {
  expect(percent(share)).toBe(text);
});

test('nothing but 0 is written as 0', () => {
  fc.assert(
    fc.property(fc.double({ min: Number.MIN_VALUE, max: 10, noNaN: true }), (x) => !/^0(\.0*)? %/.test(percent(x))),
  );
});

const names = ['BOS', '“a”', '“cat”', 'EOS', 'PAD', 'PAD'];
/** Returns the effects if rows of 1 change to these values. */
const effects = (...rows: number[]) =>
  rowEffects(
    rows,
    rows.map(() => 1),
    rows.length,
  );

describe('changesText', () => {
  test.each([
    [effects(1, 1, 1, 1, 1, 1), 'No row changes.'],
    [effects(2, 2, 2, 2, 3, 2), 'All 6 rows change, up to 200 % at row 4 (PAD).'],
    [
      effects(1, 1, 1, 1, 1.25, 1.5),
      'Rows 4 to 5 (PAD) change, up to 50 % at row 5 (PAD); rows 0 to 3 (BOS to EOS) do not.',
    ],
    [
      effects(1, 1, 1, 1.5, 1.25, 1.125),
      'Rows 3 to 5 (EOS to PAD) change, up to 50 % at row 3 (EOS); rows 0 to 2 (BOS to “cat”) do not.',
    ],
    [effects(1.5, 1, 1, 1, 1, 1), 'Row 0 (BOS) changes, up to 50 % at row 0 (BOS); rows 1 to 5 (“a” to PAD) do not.'],
    [effects(1.5, 1, 1.5, 1.5, 1.5, 1.5), 'Rows 0 and 2 to 5 change, up to 50 % at row 0 (BOS); row 1 (“a”) does not.'],
    [
      effects(1, 1, Number.NaN, 1, 1, 1.5),
      'Rows 2 and 5 change, up to not a number at row 2 (“cat”); rows 0 to 1 and 3 to 4 do not.',
    ],
  ])('%#', (found, text) => {
    expect(changesText(found, names)).toBe(text);
  });
});

test('the largest change of a run of rows', () => {
  const found = effects(3, 1, 1.5, 1.25, 1, 1);
  expect(largestChange(found, 1, 6)).toBe(0.5);
  expect(largestChange(found, 4, 6)).toBe(0);
  expect(largestChange(effects(1, Number.NaN, 2), 0, 3)).toBeNaN();
});

test('keys are listed while they are few', () => {
  expect(keysText([2], names, 1)).toBe('Key 2 “cat” masked');
  expect(keysText([1, 2], names, 2)).toBe('Keys 1 “a” and 2 “cat” masked');
  expect(keysText([1, 2], names, 1)).toBe('2 keys masked');
});

test('what masking keys can reach', () => {
  const all = new Uint8Array(6).fill(1);
  const hf = Uint8Array.of(1, 1, 1, 1, 0, 0);
  expect(reachText([3, 2], true, all)).toMatch(/^Rows before 2 cannot change/);
  expect(reachText([0], true, all)).toMatch(/^Every row/);
  expect(reachText([2], false, all)).toMatch(/^Without a causal mask/);
  expect(reachText([4, 5], true, hf)).toBe('The mask chosen hides these keys already.');
  expect(reachText([4], false, hf)).toBe('The mask chosen hides this key already.');
  // A key that is hidden already reaches nothing, so the next one counts.
  expect(reachText([4, 3], true, hf)).toMatch(/^Rows before 3 cannot change/);
});
