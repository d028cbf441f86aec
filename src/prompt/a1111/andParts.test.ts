import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import recorded from '../recorded/a1111_multicond.json';
import { sourceText } from '../sourceText.ts';
import { splitParts } from './andParts.ts';

function parts(prompt: string): [string, number][] {
  return splitParts(sourceText(prompt)).parts.map(({ text, weight }) => [text.text, weight]);
}

test.each(recorded)('recorded: $prompt', ({ prompt, flat, indexes }) => {
  const { parts: split } = splitParts(sourceText(prompt));
  expect(split.map(({ encoding, weight }) => [encoding, weight])).toEqual(indexes);
  expect(split.map(({ text }) => text.text)).toEqual(indexes.map(([index]) => flat[index]));
});

// biome-ignore format: one prompt, one line
test.each<[string, [string, number][]]>([
  ['a AND b', [['a', 1], [' b', 1]]],
  ['a AND a AND  a', [['a', 1], [' a', 1], ['  a', 1]]],
  ['AND', [['', 1], ['', 1]]],
  ['aAND b ANDc', [['aAND b ANDc', 1]]],
  ['1AND _AND éAND 猫AND', [['1AND _AND éAND 猫AND', 1]]],
  ['a,AND.b', [['a,', 1], ['.b', 1]]],
  ['😀AND\ufeffb', [['😀', 1], ['\ufeffb', 1]]],
  ['(a AND b)', [['(a', 1], [' b)', 1]]],
  // The number after the last colon, with or without AND.
  ['aspect 16:9', [['aspect 16', 9]]],
  ['a : 2 ', [['a', 2]]],
  ['a\u3000:\n2\x1f', [['a', 2]]],
  ['a:2\ufeff', [['a:2\ufeff', 1]]],
  ['a:1:2', [['a:1', 2]]],
  ['a::2', [['a:', 2]]],
  ['a: :2', [['a:', 2]]],
  [':2', [['', 2]]],
  [' :2', [['', 2]]],
  ['2', [['2', 1]]],
  ['a:2.', [['a', 2]]],
  ['a:.5', [['a', 0.5]]],
  ['a:-1.5', [['a', -1.5]]],
  ['a:+0', [['a', 0]]],
  ['a:007', [['a', 7]]],
  ['a:٣.５', [['a', 3.5]]],
  ['a:.', [['a:.', 1]]],
  ['a:1.2.3', [['a:1.2.3', 1]]],
  ['a:1e1', [['a:1e1', 1]]],
  ['a:--1', [['a:--1', 1]]],
  ['a:- 1', [['a:- 1', 1]]],
  ['a:1 2', [['a:1 2', 1]]],
  ['a:²', [['a:²', 1]]],
  ['a:2b', [['a:2b', 1]]],
  ['a\\:2', [['a\\', 2]]],
  ['(a:2)', [['(a:2)', 1]]],
  ['a:2 AND b:3', [['a', 2], [' b', 3]]],
  // Whitespace at the end goes, at the beginning it stays.
  [' a b \n', [[' a b', 1]]],
])('parts of %j', (prompt, expected) => {
  expect(parts(prompt)).toEqual(expected);
});

test('each part knows its range, its number and its encoding', () => {
  const { parts: split, diagnostics } = splitParts(sourceText('x : 2 AND AND x AND x'));
  expect(split.map(({ start, end, number, encoding }) => [start, end, number, encoding])).toEqual([
    [0, 6, { start: 4, end: 5 }, 0],
    [9, 10, null, 1],
    [13, 16, null, 2],
    [19, 21, null, 2],
  ]);
  expect(split[2].text).toEqual({ text: ' x', starts: [13, 14], ends: [14, 15] });
  expect(diagnostics).toEqual([]);
  expect(splitParts(sourceText('')).parts).toMatchObject([{ start: 0, end: 0, weight: 1 }]);
  expect(splitParts(sourceText('aAND AND')).parts).toMatchObject([{ end: 5 }, { start: 8, end: 8 }]);
});

test('a number that becomes the weight of the only part is told of', () => {
  const prompt = 'aspect 16:9 ';
  const [diagnostic, ...others] = splitParts(sourceText(prompt)).diagnostics;
  expect(others).toEqual([]);
  expect(diagnostic).toMatchObject({ code: 'guidance-weight', severity: 'warning', start: 10, end: 11 });
  expect(diagnostic.message).toMatch(/^(?:(?!\. ).)*9 times(?:(?!\. ).)+\.$/);
  const [edit] = diagnostic.fix!.edits;
  expect(parts(prompt.slice(0, edit.start) + edit.insert + prompt.slice(edit.end))).toEqual([['aspect 16:9,', 1]]);
});

test('texts begin where their parts do, and come back from a prompt written with them', () => {
  const text = fc
    .string({ unit: 'binary' })
    .filter((value) => !/AND|:/.test(value))
    .map((value) => ` ${value}x`);
  const weight = fc.integer({ min: -300, max: 300 }).map((hundredths) => hundredths / 100);
  fc.assert(
    fc.property(fc.array(fc.tuple(text, weight), { minLength: 1, maxLength: 5 }), (expected) => {
      const prompt = expected.map(([value, w]) => `${value}:${w} `).join('AND');
      expect(parts(prompt)).toEqual(expected);
      for (const part of splitParts(sourceText(prompt)).parts) {
        expect(prompt.startsWith(part.text.text, part.start)).toBe(true);
        expect(prompt.slice(part.number!.start, part.number!.end)).toBe(String(part.weight));
      }
    }),
  );
});

test.each(['AND ', ': ', ' ', ':1 AND', '1'])('%j, over and over, is read at once', (part) => {
  expect(splitParts(sourceText(part.repeat(100_000 / part.length))).parts.length).toBeGreaterThan(0);
});
