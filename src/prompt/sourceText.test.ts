import { expect, test } from 'vitest';
import fc from '../properties.ts';
import type { Range } from './ast.ts';
import { countBefore, isWithin, isWithinAny, outermost } from './sourceText.ts';

const range = fc.tuple(fc.nat(30), fc.nat(6)).map(([start, length]): Range => ({ start, end: start + length }));

/** Ranges of balanced brackets: nested or apart, never crossing. */
const nested = fc.array(fc.boolean(), { maxLength: 30 }).map((marks) => {
  const open: number[] = [];
  const ranges: Range[] = [];
  for (const [at, opens] of marks.entries()) {
    if (opens) open.push(at);
    else if (open.length > 0) ranges.push({ start: open.pop()!, end: at + 1 });
  }
  return ranges;
});

test('ranges are counted and searched as one by one', () => {
  fc.assert(
    fc.property(nested, range, (ranges, inner) => {
      const apart = outermost(ranges);
      expect(countBefore(apart, inner.start)).toBe(apart.filter(({ start }) => start < inner.start).length);
      expect(isWithinAny(inner, apart)).toBe(ranges.some((outer) => isWithin(inner, outer)));
    }),
  );
});

test('the outermost ranges are those that lie in no other', () => {
  fc.assert(
    fc.property(nested, (ranges) => {
      const expected = ranges.filter((inner) => !ranges.some((outer) => outer !== inner && isWithin(inner, outer)));
      expect(outermost(ranges)).toEqual(expected.toSorted((a, b) => a.start - b.start));
    }),
  );
});
