import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Slices } from '../prompt/slices.ts';
import { inSlices } from './inSlices.ts';

let now = 0;
beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Work of three slices, each of a second; notes what is done. */
function* threeSlices(notes: string[]): Slices<string> {
  for (const slice of ['first', 'second', 'third']) {
    notes.push(slice);
    now += 1_000;
    yield;
  }
  return 'result';
}

/** Lets one task of the page be done that waits by now. */
const oneTask = () => vi.advanceTimersToNextTimer();

test('long work lets others come between, and its result has a task of its own', () => {
  const notes: string[] = [];
  inSlices(threeSlices(notes), (result) => notes.push(result));
  expect(notes).toEqual([]);
  for (const seen of ['first', 'second', 'third']) {
    oneTask();
    expect(notes.at(-1)).toBe(seen);
    notes.push('a key');
  }
  oneTask();
  expect(notes.at(-1)).toBe('a key');
  oneTask();
  expect(notes).toEqual(['first', 'a key', 'second', 'a key', 'third', 'a key', 'result']);
});

test('cancelled work goes no further, and its result is not told', () => {
  const notes: string[] = [];
  const cancel = inSlices(threeSlices(notes), (result) => notes.push(result));
  oneTask();
  cancel();
  vi.runAllTimers();
  expect(notes).toEqual(['first']);
  // The last moment: the work is done, and its result waits.
  const late = inSlices(threeSlices(notes), (result) => notes.push(result));
  for (let task = 0; task < 4; task++) oneTask();
  late();
  vi.runAllTimers();
  expect(notes).toEqual(['first', 'first', 'second', 'third']);
});

test('the error that work ends in is told, and ends it', () => {
  function* failing(): Slices<string> {
    yield;
    throw new Error('the work broke');
  }
  const told: unknown[] = [];
  inSlices(
    failing(),
    () => told.push('a result'),
    (error) => told.push(error),
  );
  vi.runAllTimers();
  expect(told).toEqual([new Error('the work broke')]);
});
