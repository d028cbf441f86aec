import { expect, test } from 'vitest';
import { pythonFloat, pythonSpace, withoutOuter } from './pythonText.ts';

// Answers of CPython 3.11.
// biome-ignore format: one text, one line
test.each<[string, number | null]>([
  ['1.5', 1.5],
  [' -1 ', -1],
  ['+.5', 0.5],
  ['2.', 2],
  ['1.5e2', 150],
  ['1.e3', 1000],
  ['1e400', Number.POSITIVE_INFINITY],
  ['-0', -0],
  ['007', 7],
  ['inf', Number.POSITIVE_INFINITY],
  ['-INFINITY', Number.NEGATIVE_INFINITY],
  ['+nan', Number.NaN],
  ['1_0', 10],
  ['1_0.5_5e1_0', 105500000000],
  ['１.５', 1.5],
  ['𝟙𝟚', 12],
  ['1٣.५', 13.5],
  ['\x851', 1],
  ['\u30001.5\u205f', 1.5],
  ['1\n', 1],
  ['', null],
  ['.', null],
  ['..', null],
  ['1e', null],
  ['.e1', null],
  ['1__0', null],
  ['_1', null],
  ['1_', null],
  ['1._5', null],
  ['0x10', null],
  ['1,5', null],
  ['1.1.1', null],
  ['--1', null],
  ['- 1', null],
  ['1 2', null],
  ['\x1c1', null],
  ['\ufeff1', null],
  ['\u200b1', null],
  ['1\0', null],
  ['²', null],
  ['Ⅷ', null],
  ['infi', null],
])('float(%j)', (text, expected) => {
  expect(pythonFloat(text)).toBe(expected);
});

test('whitespace is what CPython 3.11 calls so', () => {
  const isSpace = new RegExp(`[${pythonSpace}]`);
  const found = Array.from({ length: 0x10000 }, (_, code) => code).filter((code) =>
    isSpace.test(String.fromCharCode(code)),
  );
  // biome-ignore format: ranges
  expect(found).toEqual([
    9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x85, 0xa0, 0x1680,
    0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a,
    0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
  ]);
});

test.each([
  ['', 0, ''],
  [',,', 0, ''],
  [',a,,b,,', 0, 'a,,b'],
  ['a', 0, 'a'],
  ['x:,,a,', 2, 'a'],
  ['x:,,', 2, ''],
  ['x:', 2, ''],
])('%j from %i on without commas around it is %j', (text, from, expected) => {
  const { start, end } = withoutOuter(text, ',', from);
  expect(text.slice(start, end)).toBe(expected);
  expect(start).toBeGreaterThanOrEqual(from);
});
