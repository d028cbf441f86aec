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
  return { actions, asked, examined: () => facts.examined };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const request = (name: string): FileRequest => ({ kind: 'stored', model: name, name });
const result = { missing: [] };
const [a, b] = [request('a'), request('b')];

test('progress, then what was found; a comparison after that, which can be cancelled', async () => {
  const { actions, asked, examined } = page();
  void actions.examine(a);
  expect(examined()).toEqual({ request: a, task: { phase: 'running', progress: null }, other: null });
  await actions.compareEncoders(b);
  expect(asked).toHaveLength(1);
  asked[0].progress({ done: 1, total: 2 });
  expect(examined()?.task).toEqual({ phase: 'running', progress: { done: 1, total: 2 } });
  asked[0].answer(result);
  await settled();
  const done = { request: a, task: { phase: 'done', result }, other: null };
  expect(examined()).toEqual(done);
  void actions.compareEncoders(b);
  expect(examined()).toEqual({ ...done, other: { request: b, task: { phase: 'running', progress: null } } });
  actions.cancelExamination();
  await settled();
  expect(examined()).toEqual(done);
  void actions.compareEncoders(b);
  asked[2].fail(new Error('Of another size.'));
  await settled();
  expect(examined()?.other?.task).toEqual({ phase: 'failed', message: 'Of another size.' });
});

test('another examination takes the place of one that runs; closed or cancelled, nothing is left', async () => {
  const { actions, asked, examined } = page();
  void actions.examine(a);
  void actions.examine(b);
  expect(asked[0].signal.aborted).toBe(true);
  asked[0].progress({ done: 1, total: 2 });
  await settled();
  expect(examined()).toMatchObject({ request: b, task: { phase: 'running', progress: null } });
  actions.cancelExamination();
  await settled();
  expect(examined()).toBeNull();
  void actions.examine(a);
  actions.closeExamination();
  await settled();
  expect(asked[2].signal.aborted).toBe(true);
  expect(examined()).toBeNull();
});
