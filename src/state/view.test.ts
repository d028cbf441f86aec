import { expect, test } from 'vitest';
import { viewGroups, viewHash, viewOf, viewTitles } from './view.ts';

test('an address names a view beside the shared state, or as an anchor', () => {
  expect(viewOf('#view=masks')).toBe('masks');
  expect(viewOf('#share=q1ZK&view=anatomy')).toBe('anatomy');
  expect(viewOf('#attention')).toBe('attention');
  for (const hash of ['', '#', '#share=masks', '#view=', '#view=toString', '#prompts', '#toString'])
    expect(viewOf(hash), hash).toBeNull();
});

test('every view is in the menu once, and its address leads to it', () => {
  const listed = viewGroups.flatMap(({ views }) => views);
  expect(listed.toSorted()).toEqual(Object.keys(viewTitles).toSorted());
  for (const view of listed) expect(viewOf(viewHash(view))).toBe(view);
});
