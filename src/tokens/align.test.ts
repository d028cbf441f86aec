import { expect, test } from 'vitest';
import { createRandom } from '../models/seededRandom.ts';
import { commonPlaces } from './align.ts';

const rows = (ids: readonly number[]) => ids.map((id) => ({ id }));
const common = (a: readonly number[], b: readonly number[]) => commonPlaces(rows(a), rows(b));

/** Length of a longest common subsequence, by the table of all places. */
function longest(a: readonly number[], b: readonly number[]): number {
  let before: number[] = Array(b.length + 1).fill(0);
  for (const id of a) {
    const row = [0];
    for (const [j, other] of b.entries()) row.push(id === other ? before[j] + 1 : Math.max(before[j + 1], row[j]));
    before = row;
  }
  return before[b.length];
}

/** Holds pairs to what they are: places of the same ids, in order in both. */
function expectCommon(a: readonly number[], b: readonly number[], pairs: readonly (readonly [number, number])[]) {
  for (const [i, [at, other]] of pairs.entries()) {
    expect(a[at]).toBe(b[other]);
    if (i > 0) expect(at > pairs[i - 1][0] && other > pairs[i - 1][1]).toBe(true);
  }
}

test('what two rows have in common is a longest common subsequence', () => {
  expect(common([1, 2, 3], [1, 2, 3])).toEqual([
    [0, 0],
    [1, 1],
    [2, 2],
  ]);
  expect(common([1, 2, 3], [0, 1, 3, 4])).toEqual([
    [0, 1],
    [2, 2],
  ]);
  expect(common([], [1])).toEqual([]);
  expect(common([1, 1], [2])).toEqual([]);
  const random = createRandom(1);
  for (let i = 0; i < 200; i++) {
    const draw = () => Array.from({ length: random.below(30) }, () => random.below(5));
    const [a, b] = [draw(), draw()];
    const pairs = common(a, b);
    expectCommon(a, b, pairs);
    expect(pairs.length).toBe(longest(a, b));
  }
});

test('rows with thousands of differences are aligned all the same', () => {
  // Five more ids after each one that both have.
  const a = Array.from({ length: 500 }, (_, i) => i);
  const b = a.flatMap((id) => [id, -1, -2, -3, -4, -5]);
  const pairs = common(a, b);
  expectCommon(a, b, pairs);
  expect(pairs.length).toBeGreaterThan(450);
  // Nothing in common for long, then everything.
  const other = Array.from({ length: 900 }, (_, i) => -i - 10);
  const late = common([...a.map((id) => id + 1000), ...a], [...other, ...a]);
  expect(late.length).toBeGreaterThan(450);
});
