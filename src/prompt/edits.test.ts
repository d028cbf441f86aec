import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { applyEdits } from './edits.ts';

/** Edits of a text of 40 characters, apart from one another, in any order. */
const edits = fc
  .uniqueArray(fc.nat(40), { minLength: 2, maxLength: 12 })
  .chain((places) => {
    const sorted = places.toSorted((a, b) => a - b);
    const ranges = sorted.flatMap((start, i) => (i % 2 === 0 && i + 1 < sorted.length ? [[start, sorted[i + 1]]] : []));
    return fc.tuple(
      fc.shuffledSubarray(ranges),
      fc.array(fc.string({ maxLength: 3 }), { minLength: 12, maxLength: 12 }),
    );
  })
  .map(([ranges, inserts]) => ranges.map(([start, end], i) => ({ start, end, insert: inserts[i] })));

test('edits make what they make one after the other from the last', () => {
  const source = 'abcdefghijklmnopqrstuvwxyz0123456789ABCD';
  fc.assert(
    fc.property(edits, (all) => {
      const oneByOne = all
        .toSorted((a, b) => b.start - a.start)
        .reduce((text, { start, end, insert }) => text.slice(0, start) + insert + text.slice(end), source);
      expect(applyEdits(source, all)).toBe(oneByOne);
    }),
  );
});

test('of insertions at one place the later one comes first', () => {
  const at = (insert: string) => ({ start: 1, end: 1, insert });
  expect(applyEdits('ab', [{ start: 1, end: 2, insert: '3' }, at('1'), at('2')])).toBe('a213');
});
