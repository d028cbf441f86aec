import { expect, test } from 'vitest';
import { applyEdits } from '../../prompt/edits.ts';
import { prepared } from '../../state/reading.ts';
import { readyPage } from '../../state/testing/fakeEncoder.ts';
import { joinedEdits, messageGroups } from './messageGroups.ts';

test('messages that say the same stand together, and one press mends them all', async () => {
  const source = '(a:1.2), (b:1.2), (c:1.5), (d:1.2)';
  const { store } = await readyPage();
  store.getState().setOption('syntax', 'compel');
  store.getState().setPrompt('positive', source);
  const groups = messageGroups(prepared(store.getState(), 'positive')!.diagnostics);
  expect(groups.map(({ length }) => length)).toEqual([3, 1]);
  const mended = applyEdits(source, joinedEdits(groups[0].flatMap(({ fix }) => fix ?? [])));
  expect(mended).toBe('(a)1.2, (b)1.2, (c:1.5), (d)1.2');
});

test('of fixes for one place the first counts', () => {
  const edit = (start: number, end: number, insert: string) => ({ edits: [{ start, end, insert }] });
  expect(joinedEdits([edit(4, 6, 'b'), edit(0, 1, 'a'), edit(5, 7, 'c')])).toEqual([
    { start: 0, end: 1, insert: 'a' },
    { start: 4, end: 6, insert: 'b' },
  ]);
});
