import { expect, test } from 'vitest';
import type { Drift, Examination } from '../models/doctor.ts';
import type { FileRequest, LoadProgress } from '../worker/messages.ts';
import { examinationActions } from './examinationActions.ts';
import type { Facts } from './facts.ts';

interface Asked {
  readonly name: string;
  readonly signal: AbortSignal;
  progress(progress: LoadProgress): void;
  answer(result: unknown): void;
  fail(error: Error): void;
}

/** A page whose examinations end when the test says so, or when they are aborted. */
function page() {
  const asked: Asked[] = [];
  const ask = <T>(name: string, progress: Asked['progress'], signal: AbortSignal) =>
    new Promise<T>((resolve, fail) => {
      asked.push({ name, signal, progress, answer: resolve as (result: unknown) => void, fail });
      signal.addEventListener('abort', () => fail(new DOMException('Ended.', 'AbortError')));
    });
  let facts: Pick<Facts, 'examined'> = { examined: null };
  const actions = examinationActions({
    client: {
      examine: (_, progress, signal) => ask<Examination>('examine', progress, signal),
      drift: (_from, _to, progress, signal) => ask<Drift>('drift', progress, signal),
    },
    get: () => facts,
    set: (changed) => {
      facts = changed;
    },
  });
  /** Takes the one question that was asked since the last. */
  const take = (name: string) => {
    expect(asked.map((question) => question.name)).toEqual([name]);
    return asked.shift()!;
  };
  return { actions, take, examined: () => facts.examined };
}

const request = (name: string): FileRequest => ({ kind: 'stored', model: name, name });
const result = { missing: [] };
const [a, b] = [request('a'), request('b')];

test('progress, then what was found; a comparison after that, which can be cancelled', async () => {
  const { actions, take, examined } = page();
  const examination = actions.examine(a);
  expect(examined()).toEqual({ request: a, task: { phase: 'running', progress: null }, other: null });
  await actions.compareEncoders(b);
  const asked = take('examine');
  asked.progress({ done: 1, total: 2 });
  expect(examined()?.task).toEqual({ phase: 'running', progress: { done: 1, total: 2 } });
  asked.answer(result);
  await examination;
  const done = { request: a, task: { phase: 'done', result }, other: null };
  expect(examined()).toEqual(done);
  const cancelled = actions.compareEncoders(b);
  expect(examined()).toEqual({ ...done, other: { request: b, task: { phase: 'running', progress: null } } });
  expect(take('drift').signal.aborted).toBe(false);
  actions.cancelExamination();
  await cancelled;
  expect(examined()).toEqual(done);
  const failed = actions.compareEncoders(b);
  take('drift').fail(new Error('Another size.'));
  await failed;
  expect(examined()?.other?.task).toEqual({ phase: 'failed', message: 'Another size.' });
});

test('another examination takes the place of one that runs; closed or cancelled, nothing is left', async () => {
  const { actions, take, examined } = page();
  const replaced = actions.examine(a);
  const first = take('examine');
  const cancelled = actions.examine(b);
  expect(first.signal.aborted).toBe(true);
  first.progress({ done: 1, total: 2 });
  await replaced;
  expect(examined()).toMatchObject({ request: b, task: { phase: 'running', progress: null } });
  expect(take('examine').signal.aborted).toBe(false);
  actions.cancelExamination();
  await cancelled;
  expect(examined()).toBeNull();
  const closed = actions.examine(a);
  actions.closeExamination();
  await closed;
  expect(take('examine').signal.aborted).toBe(true);
  expect(examined()).toBeNull();
});
