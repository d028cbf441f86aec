import { expect, test } from 'vitest';
import { parseA1111 } from '../../../prompt/a1111/emphasis.ts';
import { bracketsBeside, syntaxMarks } from './syntaxMarks.ts';

function marks(source: string, from = 0, to = source.length): string[] {
  return syntaxMarks(parseA1111(source).nodes, from, to).map(
    ({ kind, start, end }) => `${kind} ${source.slice(start, end)}`,
  );
}

test('brackets, numbers, BREAK and escapes', () => {
  expect(marks('a (red:1.3) [blue] BREAK \\(x\\)')).toEqual([
    'bracket (',
    'bracket :1.3)',
    'number 1.3',
    'bracket [',
    'bracket ]',
    'keyword BREAK',
    'escape \\(',
    'escape \\)',
  ]);
});

test('brackets that are text, or that nothing closes', () => {
  expect(marks('a) (b')).toEqual(['bracket (']);
});

test('only what is in the part that is shown', () => {
  const source = `${'(a:1.2) '.repeat(50)}\\(b ${'[c] '.repeat(50)}`;
  expect(marks(source, 400, 403)).toEqual(['escape \\(']);
  expect(marks(source, 396, 400)).toEqual(['bracket (', 'bracket :1.2)', 'number 1.2']);
});

test('the innermost brackets beside the caret', () => {
  const source = '((a) b:1.2)';
  const beside = (caret: number) =>
    bracketsBeside(parseA1111(source).nodes, caret)?.map(({ start, end }) => [start, end]) ?? null;
  const outer = [
    [0, 1],
    [10, 11],
  ];
  const inner = [
    [1, 2],
    [3, 4],
  ];
  expect(beside(0)).toEqual(outer);
  expect(beside(1)).toEqual(inner);
  expect(beside(3)).toEqual(inner);
  expect(beside(5)).toBeNull();
  expect(beside(8)).toBeNull();
  expect(beside(11)).toEqual(outer);
});
