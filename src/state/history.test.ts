import { expect, test } from 'vitest';
import { type PastPrompts, recallPast, rememberPast, withPrompts } from './history.ts';
import type { Memory } from './memory.ts';

const prompts = (positive: string, negative = '') => ({ positive, negative });
const positives = (past: readonly PastPrompts[] | null) => past?.map((entry) => entry.prompts.positive);

function memory(): Memory & { text: string | null } {
  return {
    text: null,
    getItem() {
      return this.text;
    },
    setItem(_, value) {
      this.text = value;
    },
    removeItem() {
      this.text = null;
    },
  };
}

test('the newest is first, and equal prompts are there once', () => {
  let past: readonly PastPrompts[] = [];
  for (const [at, text] of ['a', 'b', 'a', 'c'].entries()) past = withPrompts(past, prompts(text), at);
  expect(past.map(({ prompts, at }) => [prompts.positive, at])).toEqual([
    ['c', 3],
    ['a', 2],
    ['b', 1],
  ]);
  expect(withPrompts(past, prompts('b', 'fog'), 4)).toHaveLength(4);
});

test('empty prompts are none', () => expect(withPrompts([], prompts(''), 0)).toEqual([]));

test('no more than 50, nor than 200,000 characters', () => {
  let past: readonly PastPrompts[] = [];
  for (let i = 0; i < 60; i++) past = withPrompts(past, prompts(`${i}`), i);
  expect(past).toHaveLength(50);
  expect(past[0].prompts.positive).toBe('59');
  for (let i = 0; i < 4; i++) past = withPrompts(past, prompts(`${i}`.padEnd(60_000, 'x')), i);
  expect(
    positives(past)
      ?.map((text) => text[0])
      .slice(0, 3),
  ).toEqual(['3', '2', '1']);
  expect(past.reduce((sum, entry) => sum + entry.prompts.positive.length, 0)).toBeLessThanOrEqual(200_000);
  expect(withPrompts(past, prompts('x'.repeat(300_000)), 9)).toBe(past);
});

test('it is remembered, and forgotten without a trace', () => {
  const kept = memory();
  rememberPast(kept, withPrompts([], prompts('a', 'b'), 7));
  expect(recallPast(kept)).toEqual([{ prompts: { positive: 'a', negative: 'b' }, at: 7 }]);
  rememberPast(kept, []);
  expect(kept.text).toBeNull();
  expect(recallPast(kept)).toEqual([]);
});

test.each(['', '{', '7', '{"a":1}', '[1, null, {"at":1}, {"at":1,"prompts":{"positive":1,"negative":""}}]'])(
  '%s is no history',
  (text) => expect(recallPast({ ...memory(), getItem: () => text })).toEqual([]),
);
