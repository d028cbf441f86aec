import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseA1111 } from './a1111.ts';
import { applyEdits } from './edits.ts';
import { moveItem } from './moveItem.ts';

/** Moves what `‹…›` or `¦` selects. */
function move(text: string, direction: -1 | 1): string | null {
  const start = text.search(/[‹¦]/);
  const end = text.includes('¦') ? start : text.indexOf('›') - 1;
  const source = text.replace(/[‹›¦]/g, '');
  const change = moveItem(parseA1111(source), { start, end }, direction, 'a1111');
  if (!change) return null;
  const after = applyEdits(source, change.edits);
  const { selection } = change;
  if (selection.start === selection.end) return `${after.slice(0, selection.start)}¦${after.slice(selection.start)}`;
  return `${after.slice(0, selection.start)}‹${after.slice(selection.start, selection.end)}›${after.slice(selection.end)}`;
}

describe('an item moves', () => {
  test.each([
    ['a, re¦d car, b', 1, 'a, b, re¦d car'],
    ['a, re¦d car, b', -1, 're¦d car, a, b'],
    ['a,¦b', -1, '¦b,a'],
    ['a ,  ¦b,c', 1, 'a ,  c,¦b'],
    ['a,¦ b, c', 1, 'a, c, ¦b'],
    ['a¦,, b', 1, 'b,, a¦'],
    ['a,\nb¦,\nc', 1, 'a,\nc,\nb¦'],
    ['‹a, b›, c, d', 1, 'c, ‹a, b›, d'],
    ['a, ‹b, c›', -1, '‹b, c›, a'],
    ['a, x‹y, z›w, c', 1, 'a, c, x‹y, z›w'],
    // Brackets stay whole, and their items move inside.
    ['(a, b:1.2)¦, c', 1, 'c, (a, b:1.2)¦'],
    ['¦(a, b:1.2), c', 1, 'c, ¦(a, b:1.2)'],
    ['x, (a, b¦:1.2), c', -1, 'x, (b¦, a:1.2), c'],
    ['x, (a¦:1.2), c', 1, 'x, c, (a¦:1.2)'],
    ['x, (a:1.¦2), c', -1, '(a:1.¦2), x, c'],
    ['x, ((a, b), ¦c), d', -1, 'x, (¦c, (a, b)), d'],
    ['x, [a, b¦:c:0.5], d', 1, 'x, d, [a, b¦:c:0.5]'],
    ['x, [a|b¦, c], d', -1, '[a|b¦, c], x, d'],
    ['a, (b, c¦', -1, 'a, (c¦, b'],
    ['x\\(a, b¦\\)', -1, 'b¦\\), x\\(a'],
    // A BREAK separates, and stays.
    ['a, b¦ BREAK c, d', 1, 'a, c BREAK b¦, d'],
  ] as const)('%s by %d', (before, direction, after) => expect(move(before, direction)).toBe(after));
});

test.each([
  ['a¦, b', -1],
  ['a, b¦', 1],
  ['(a, b¦), c', 1],
  ['a¦', 1],
  ['¦', 1],
  ['‹a, b›', 1],
] as const)('%s stays, by %d', (text, direction) => expect(move(text, direction)).toBeNull());

test('there and back is as before', () => {
  expect(move(move('a, (b, c:1.2), d¦', -1) ?? '', 1)).toBe('a, (b, c:1.2), d¦');
});

const characters = fc.constantFrom(...'(([[)]]:|,,, \\ab', 'BREAK', ' BREAK ', ':1.2)', ':0.5]', '\n', '😀');

test('whatever is typed and selected, weights keep their text', () => {
  const weighed = (source: string) =>
    parseA1111(source)
      .fragments.flatMap(({ text, weight, kind }) =>
        kind === 'break' ? [] : text.split('').map((unit) => ({ unit, weight })),
      )
      .filter(({ unit }) => /\S/.test(unit))
      .map(({ unit, weight }) => `${unit} ${weight.toFixed(9)}`)
      .sort();
  fc.assert(
    fc.property(fc.array(characters, { maxLength: 20 }), fc.nat(), fc.nat(), fc.boolean(), (typed, a, b, right) => {
      const source = typed.join('');
      const [start, end] = [a % (source.length + 1), b % (source.length + 1)].sort((x, y) => x - y);
      const change = moveItem(parseA1111(source), { start, end }, right ? 1 : -1, 'a1111');
      if (!change) return;
      const after = applyEdits(source, change.edits);
      expect(after.length).toBe(source.length);
      expect(weighed(after)).toEqual(weighed(source));
    }),
    { numRuns: 20_000 },
  );
});
