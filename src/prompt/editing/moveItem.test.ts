import { describe, expect, test } from 'vitest';
import fc from '../../properties.ts';
import { openPrompt, sameChooser, seededChooser } from '../comfy/dynamicPrompt.ts';
import { applyEdits } from '../edits.ts';
import { parsePrompt } from '../parsePrompt.ts';
import { type Syntax, syntaxes } from '../syntax.ts';
import { moveItem } from './moveItem.ts';

/** Moves what `‹…›` or `¦` selects. */
function move(text: string, direction: -1 | 1, syntax: Syntax = 'a1111', choices?: readonly number[]): string | null {
  const start = text.search(/[‹¦]/);
  const end = text.includes('¦') ? start : text.indexOf('›') - 1;
  const source = text.replace(/[‹›¦]/g, '');
  const chooser = choices && sameChooser(choices.map((chosen) => ({ chosen })));
  const change = moveItem(parsePrompt(source, syntax, chooser), { start, end }, direction, syntax);
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
  ['a, re¦d car, b', 1, 'a, b, re¦d car'],
  ['(a, b:1.2)¦, c', 1, 'c, (a, b:1.2)¦'],
  ['x, (a¦, b:1.2), c', 1, 'x, (b, a¦:1.2), c'],
  ['x, (a¦:1.2), c', 1, 'x, c, (a¦:1.2)'],
  ['[a¦, b], c', 1, 'b], [a¦, c'],
  ['a¦ BREAK b, c', 1, 'c, a¦ BREAK b'],
  ['a¦, embedding:b,c, d', 1, 'embedding:b,c, a¦, d'],
  ['x \\(a¦, b\\), c', 1, 'b\\), x \\(a¦, c'],
  ['a:1.2¦, (b)', 1, '(b), a:1.2¦'],
  // Brackets that are text go with their item.
  ['a¦, b), (c', 1, 'b), a¦, (c'],
  ['(a¦, b', 1, 'b, (a¦'],
  // A number at the end of brackets would be their weight, and a backslash escape the last of them.
  ['(b, a:2¦, c:1.2)', -1, '(a:2¦, b, c:1.2)'],
  ['(a:2¦, b)', 1, null],
  ['\\¦, (a), b', 1, '(a), \\¦, b'],
  ['(a\\¦, b)', 1, null],
] as const)('ComfyUI: %s by %d', (before, direction, after) => expect(move(before, direction, 'comfy')).toBe(after));

test.each([
  ['a, re¦d car, b', 1, 'a, b, re¦d car'],
  ['a¦,b-', 1, 'b-,a¦'],
  ['a+¦, b', 1, 'b, a+¦'],
  ['(a, b)1.2¦, c', 1, 'c, (a, b)1.2¦'],
  ['(a¦, b)1.2, c', 1, '(b, a¦)1.2, c'],
  // Brackets and quotes without a weight.
  ['x, (a, b)¦, c', 1, 'x, c, (a, b)¦'],
  ['(a¦, b), c', 1, '(b, a¦), c'],
  ['(a, b¦), c', 1, null],
  ['a¦, "b, (c, d)", e', 1, '"b, (c, d)", a¦, e'],
  ['"a, (b¦, c), d"+', 1, '"a, (c, b¦), d"+'],
  ['("(a¦, b)", c), d', 1, '("(b, a¦)", c), d'],
  // The parts of a conjunction stay, with their weights.
  ['("a¦, b", "c").and(1, 2)', 1, '("b, a¦", "c").and(1, 2)'],
  ['("a", "c¦").and(1, 2)', -1, null],
  ['x¦.swap(b), c', 1, 'c, x¦.swap(b)'],
  ['a.swap(b), c¦', -1, 'c¦, a.swap(b)'],
  // Signs would become text, or weigh.
  ['(a=+)¦, b', 1, 'b, (a=+)¦'],
  ['a+¦, b!', 1, 'b!, a+¦'],
  ['a¦, b, c+!', 1, 'b, a¦, c+!'],
  ['a+¦, b,!', 1, 'b, a+¦,!'],
  ['a, b+¦', -1, 'b+¦, a'],
  ['(a¦), x, 1.5', 1, 'x, (a¦), 1.5'],
] as const)('Compel: %s by %d', (before, direction, after) => expect(move(before, direction, 'compel')).toBe(after));

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

const characters: Record<Syntax, fc.Arbitrary<string>> = {
  a1111: fc.constantFrom(...'(([[)]]:|,,, \\ab', 'BREAK', ' BREAK ', ':1.2)', ':0.5]', '\n', '😀'),
  comfy: fc.constantFrom(...'((()))[:,,,, \\ab2', ':1.2)', 'embedding:x', '\\(', '\n', '😀'),
  compel: fc.constantFrom(...'((()))"",,,, .+-=\\ab2', ')1.2', '("a, b"', ').and()', '.swap(', '.attend(+)', '\n'),
};

test.each(syntaxes)('%s: whatever is typed and selected, weights keep their text', (syntax) => {
  const weighed = (source: string) =>
    parsePrompt(source, syntax)
      .fragments.flatMap(({ text, weight, kind }) =>
        kind === 'break' ? [] : text.split('').map((unit) => ({ unit, weight })),
      )
      .filter(({ unit }) => /\S/.test(unit))
      .map(({ unit, weight }) => `${unit} ${weight.toFixed(9)}`)
      .sort();
  const typing = fc.array(characters[syntax], { maxLength: 20 });
  fc.assert(
    fc.property(typing, fc.nat(), fc.nat(), fc.boolean(), (typed, a, b, right) => {
      const source = typed.join('');
      const [start, end] = [a % (source.length + 1), b % (source.length + 1)].sort((x, y) => x - y);
      const change = moveItem(parsePrompt(source, syntax), { start, end }, right ? 1 : -1, syntax);
      if (!change) return;
      const after = applyEdits(source, change.edits);
      expect(after.length).toBe(source.length);
      expect(weighed(after)).toEqual(weighed(source));
    }),
    { numRuns: syntax === 'a1111' ? 7000 : 1500 },
  );
});

test.each<[string, -1 | 1, number[], string | null]>([
  ['a¦ // x, y\n, b', 1, [], 'b // x, y\n, a¦'],
  ['a /* x, y */ b¦, c', 1, [], 'c, a /* x, y */ b¦'],
  ['a¦, // x\nb, c', 1, [], 'b, // x\na¦, c'],
  ['a¦, {b, c|d}, e', 1, [0], '{b, c|d}, a¦, e'],
  ['a, {b¦, c|d}, e', 1, [0], 'a, {c, b¦|d}, e'],
  ['a, {b¦, c|d}, e', 1, [1], 'a, e, {b¦, c|d}'],
  ['a, {b|c, d¦}, e', -1, [1], 'a, {b|d¦, c}, e'],
  ['{a|b}¦, {c|d|e}', 1, [1, 2], '{c|d|e}, {a|b}¦'],
  ['\\{a¦, b\\}', 1, [], 'b\\}, \\{a¦'],
])('ComfyUI’s page: %s by %d, %j', (before, direction, choices, after) => {
  expect(move(before, direction, 'comfy', choices)).toBe(after);
});

test('ComfyUI’s page: whatever moves, comments stay whole and no option is lost', () => {
  const pieces = ['{', '|', '}', '{a|b}', '//', '/*', '*/', '(', ':1.2)', 'a', 'b', ', ', ',', '\\', '\n'];
  const typing = fc.array(fc.constantFrom(...pieces), { maxLength: 16 });
  fc.assert(
    fc.property(typing, fc.nat(), fc.nat(), fc.nat(), fc.boolean(), (parts, seed, a, b, right) => {
      const source = parts.join('');
      const [start, end] = [a % (source.length + 1), b % (source.length + 1)].sort((x, y) => x - y);
      const before = parsePrompt(source, 'comfy', seededChooser(seed));
      const change = moveItem(before, { start, end }, right ? 1 : -1, 'comfy');
      if (!change) return;
      const typed = applyEdits(source, change.edits);
      expect(typed.split('').sort()).toEqual(source.split('').sort());
      const comments = (text: string) =>
        parsePrompt(text, 'comfy', seededChooser(seed)).page!.comments.map((one) => text.slice(one.start, one.end));
      expect(comments(typed).sort()).toEqual(comments(source).sort());
      expect(openPrompt(typed).variants).toBe(openPrompt(source).variants);
    }),
    { numRuns: 2000 },
  );
});
