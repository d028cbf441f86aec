import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { sourceText } from '../sourceText.ts';
import { removeComments } from './comments.ts';

function without(prompt: string): string {
  return removeComments(sourceText(prompt)).text.text;
}

test.each([
  ['a, b', 'a, b'],
  ['', ''],
  ['# all', '\n'],
  ['#', '\n'],
  ['C# code', 'C\n'],
  ['a #b\nc', 'a \nc'],
  ['a\n#b\nc', 'a\nc'],
  ['#b\nc', '\nc'],
  ['a\n#b', 'a\n'],
  ['a\n#b\n#c\nd', 'a\n\nd'],
  ['a\n#b\n#c\n#d\ne', 'a\n\ne'],
  ['#a\n#b\n', '\n\n'],
  ['a#b#c', 'a\n'],
  ['a\n  # b\nc', 'a\n  \nc'],
  ['a\\#b', 'a\\\n'],
  ['a\r\n#b\r\nc', 'a\r\nc'],
  ['(a #b)\nc:1.2)', '(a \nc:1.2)'],
])('%j without comments is %j', (prompt, expected) => {
  expect(without(prompt)).toBe(expected);
});

test('the line feed that is left stands for what was taken out', () => {
  const { text, comments } = removeComments(sourceText('ab\n# c\nd #e'));
  expect(text).toEqual({ text: 'ab\nd \n', starts: [0, 1, 2, 7, 8, 9], ends: [1, 2, 7, 8, 9, 11] });
  expect(comments).toEqual([
    { type: 'comment', start: 3, end: 6 },
    { type: 'comment', start: 9, end: 11 },
  ]);
});

test('only a comment with text before it on its line is worth telling', () => {
  const prompt = '# one\n  # two\nC# code\n';
  const { diagnostics } = removeComments(sourceText(prompt));
  expect(diagnostics).toMatchObject([
    {
      code: 'comment-in-line',
      severity: 'warning',
      start: 15,
      end: 21,
      fix: { edits: [{ start: 15, end: 16, insert: '' }] },
    },
  ]);
  expect(diagnostics[0].message).toMatch(/^(?:(?!\. ).)+\.$/);
});

test('lines without a # stay as they are, and no # stays', () => {
  const lines = fc.array(fc.string({ unit: fc.constantFrom('#', 'a', ' ', '\r', '😀', '(') }), { maxLength: 8 });
  fc.assert(
    fc.property(lines, (parts) => {
      const prompt = parts.join('\n');
      const { text, comments } = removeComments(sourceText(prompt));
      expect(text.text).not.toContain('#');
      expect([text.starts.length, text.ends.length]).toEqual([text.text.length, text.text.length]);
      expect(comments).toHaveLength(parts.filter((line) => line.includes('#')).length);
      const kept = (value: string) => value.split('\n').filter((line) => line !== '');
      expect(kept(text.text)).toEqual(kept(parts.map((line) => line.replace(/#.*/s, '')).join('\n')));
      text.starts.forEach((start, i) => {
        if (text.text[i] !== '\n') expect(prompt[start]).toBe(text.text[i]);
      });
    }),
  );
});

test('100,000 comments are taken out at once', () => {
  expect(without('#\n'.repeat(50_000))).toMatch(/^\n{25001}$/);
  expect(without('#'.repeat(100_000))).toBe('\n');
});
