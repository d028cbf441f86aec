import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { parseA1111 } from '../a1111/emphasis.ts';
import { type Piece, printPrompt } from './translate.ts';

const text = (words: string, weight = 1): Piece => ({ kind: 'text', text: words, weight });
const pause: Piece = { kind: 'break', text: 'BREAK', weight: -1 };

test.each([
  [[text('a '), text('red', 1.3), text(' car')], 'a (red:1.3) car', 'a (red)1.3 car', 'a (red:1.3) car'],
  [[text('a', 1.1), text(' b')], '(a) b', '(a)+ b', '(a) b'],
  [[text('a', 1 / 1.1)], '[a]', '(a)0.909090909091', '(a:0.909090909091)'],
  [[text('a', 0.9)], '(a:0.9)', '(a)-', '(a:0.9)'],
  [[text('a', 1.1 * 1.1)], '(a:1.21)', '(a)1.21', '(a:1.21)'],
  [[text('a (b) [c]')], 'a \\(b\\) \\[c\\]', 'a \\(b\\) [c]', 'a \\(b\\) [c]'],
  [[text('say "x"', 2)], '(say "x":2)', '(say \\"x\\")2', '(say "x":2)'],
  [[text('a'), pause, text('b', 1.2)], 'a BREAK (b:1.2)', '("a", "(b)1.2").and()', 'a (b:1.2)'],
  [[text('aspect 16:9')], 'aspect 16:\\9', 'aspect 16:9', 'aspect 16:9'],
  [
    [text('BREAK, AND, <lora:x:1>')],
    'B\\REAK, A\\ND, <\\lora:x:1>',
    'BREAK, AND, <lora:x:1>',
    'BREAK, AND, <lora:x:1>',
  ],
  [[text('a', 1e-9)], '(a:0.000000001)', '(a)0.000000001', '(a:0.000000001)'],
  [[text('a', 1e22)], `(a:1${'0'.repeat(22)})`, `(a)1${'0'.repeat(22)}`, `(a:1${'0'.repeat(22)})`],
  [[text('a', -0.5)], '(a:-0.5)', '(a)0', '(a:-0.5)'],
  [[text('a', Number.POSITIVE_INFINITY)], 'a', 'a', '(a:Infinity)'],
  // A number after a colon in the text is not the weight, nor when to switch.
  [[text('a:2', 1.1)], '(a:2:1.1)', '(a:2)+', '(a:2:1.1)'],
  [[text('a:2', 1 / 1.1)], '(a:2:0.909090909091)', '(a:2)0.909090909091', '(a:2:0.909090909091)'],
  [[text('16:٣')], '16:\\٣', '16:٣', '16:٣'],
  // A backslash before a bracket that weighs.
  [[text('a\\'), text('b', 1.2)], 'a\\\\(b:1.2)', 'a\\ (b)1.2', 'a\\ (b:1.2)'],
  [[text('a\\', 1.1)], '(a\\\\)', '(a\\ )+', '(a\\:1.1)'],
  // Signs that would weigh, and what Compel cannot weigh.
  [[text('C++, cat- a--b')], 'C++, cat- a--b', 'C ++, cat - a --b', 'C++, cat- a--b'],
  [[text('a - b=c', 1.2)], '(a - b=c:1.2)', '(a)1.2 - (b)1.2 = (c)1.2', '(a - b=c:1.2)'],
  [[text('a'), pause, text('b\nc\\')], 'a BREAK b\nc\\\\', '("a", "b c\\ ").and()', 'a b\nc\\'],
] as const)('%j', (pieces, a1111, compel, comfy) => {
  expect(printPrompt(pieces, 'a1111')).toBe(a1111);
  expect(printPrompt(pieces, 'compel')).toBe(compel);
  expect(printPrompt(pieces, 'comfy')).toBe(comfy);
});

const pieces = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('text' as const),
      text: fc.string({ unit: fc.constantFrom('a', ' ', '(', ')', '[', ']', '\\', ':', '1', '.', 'é', 'BREAK', '"') }),
      weight: fc.oneof(
        fc.constant(1),
        fc.integer({ min: -4000, max: 4000 }).map((thousandths) => thousandths / 1000),
      ),
    }),
    fc.constant(pause),
  ),
  { maxLength: 6 },
);

/** Runs of equal kind and weight, as A1111 merges them. */
function merged(list: readonly Piece[]): Piece[] {
  const runs: Piece[] = [];
  for (const { kind, text: words, weight } of list) {
    if (kind === 'text' && words === '') continue;
    const piece = { kind, text: words, weight: Number(weight.toPrecision(12)) };
    const last = runs.at(-1);
    if (kind === 'text' && last?.kind === 'text' && last.weight === piece.weight)
      runs[runs.length - 1] = { ...last, text: last.text + words };
    else runs.push(piece);
  }
  return runs;
}

test('A1111 reads back the text and the weights that were printed', () => {
  fc.assert(
    fc.property(pieces, (list) => {
      // Whitespace beside a BREAK belongs to it, and a fragment of the weight −1 that says BREAK is one.
      fc.pre(list.every(({ kind, weight }) => kind === 'break' || weight !== -1));
      const tight = list.map((piece) => (list.includes(pause) ? { ...piece, text: piece.text.trim() } : piece));
      const read = parseA1111(printPrompt(tight, 'a1111')).fragments;
      expect(merged(read)).toEqual(merged(tight));
    }),
    { numRuns: 500 },
  );
});
