import { expect, test } from 'vitest';
import { withoutRange } from './saidFirst.ts';

test.each([
  ['a red circle', 'red', 'a circle'],
  ['a (red:1.3) circle', 'red', 'a circle'],
  ['a ((red)) circle', 'red', 'a circle'],
  ['[red], circle', 'red', ', circle'],
  ['a (red circle:1.3)', 'red', 'a ( circle:1.3)'],
  ['red circle, blue', 'circle', 'red, blue'],
])('%j without %j is %j', (source, word, rest) => {
  const start = source.indexOf(word);
  expect(withoutRange(source, { start, end: start + word.length })).toBe(rest);
});
