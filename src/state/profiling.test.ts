import { expect, test } from 'vitest';
import type { Profile } from '../engine/profile.ts';
import { editedRows, shownChunk } from './reading.ts';
import { readyPage } from './testing/fakeEncoder.ts';

const result: Profile = { steps: [], noTimes: null };

test('an edit is timed over the rows that it changes; a time that comes after another model is not shown', async () => {
  const { fake, store } = await readyPage();
  const { setPrompt, setOption, profile, openModel } = store.getState();
  setPrompt('positive', '');
  expect(editedRows(store.getState())).toBeUndefined();
  setPrompt('positive', 'a red car');
  const rows = editedRows(store.getState())!;
  expect(rows).toEqual({ first: 3, end: 5 });
  setOption('mask', 'none');
  expect(editedRows(store.getState())).toBeUndefined();
  setOption('mask', 'causal');

  void profile(rows);
  const first = await fake.profiles.next();
  expect(first).toMatchObject({ pass: shownChunk(store.getState())!.pass, rows });
  await first.answer(result);
  expect(store.getState().profiled).toEqual({ rows, task: { phase: 'done', result } });
  void profile(rows);
  await (await fake.profiles.next()).fail(new Error('The GPU went away.'));
  expect(store.getState().profiled?.task).toEqual({ phase: 'failed', message: 'The GPU went away.' });

  void profile(rows);
  const late = await fake.profiles.next();
  await fake.load('synthetic', 'full', () => openModel({ kind: 'synthetic', size: 'full' }));
  expect(store.getState().profiled).toBeNull();
  await late.answer(result);
  expect(store.getState().profiled).toBeNull();
});
