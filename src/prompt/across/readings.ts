import type { Fragment, Range } from '../ast.ts';

/** A run of a prompt that two programs weigh differently. */
export interface ReadingDifference extends Range {
  /** The run as it was typed. */
  readonly text: string;
  /** Its weight in each program; null if that takes it for marks, or does not encode it. */
  readonly here: number | null;
  readonly there: number | null;
}

/** Compares the fragments that two programs read from one prompt. Spaces do not count, nor do weights that differ by 1e-6. */
export function readingDifferences(
  source: string,
  here: readonly Fragment[],
  there: readonly Fragment[],
): ReadingDifference[] {
  const [weightsHere, weightsThere] = [weightsOf(source, here), weightsOf(source, there)];
  const found: { start: number; end: number; here: number | null; there: number | null }[] = [];
  /** The last unit before this one that is no space. */
  let before = -1;
  for (let at = 0; at < source.length; at++) {
    if (/\s/.test(source[at])) continue;
    const [a, b] = [weightsHere[at], weightsThere[at]];
    const last = found.at(-1);
    if (!isSame(a, b)) {
      if (last?.end === before + 1 && isSame(last.here, a) && isSame(last.there, b)) last.end = at + 1;
      else found.push({ start: at, end: at + 1, here: a, there: b });
    }
    before = at;
  }
  return found.map((difference) => ({ ...difference, text: source.slice(difference.start, difference.end) }));
}

/** [source.length] */
function weightsOf(source: string, fragments: readonly Fragment[]): (number | null)[] {
  const weights: (number | null)[] = Array(source.length).fill(null);
  for (const { starts, ends, weight } of fragments)
    starts.forEach((start, i) => {
      weights.fill(weight, start, ends[i]);
    });
  return weights;
}

function isSame(a: number | null, b: number | null): boolean {
  if (a === null || b === null) return a === b;
  return Object.is(a, b) || Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(a));
}
