import { expect, test } from 'vitest';
import { shownWord } from './shownWord.ts';
import { openPage, tokenized } from './testing/fakeEncoder.ts';

test('the vocabulary opens on the word of the prompt with the most tokens, or the longest, until one is chosen', async () => {
  const { store } = openPage();
  expect(shownWord(store.getState())).toBe('');
  await tokenized(store);
  const { setPrompt, show } = store.getState();
  expect(shownWord(store.getState())).toBe('background');
  setPrompt('positive', 'a lighthouse, zorbulax');
  expect(shownWord(store.getState())).toBe('zorbulax');
  setPrompt('positive', '');
  expect(shownWord(store.getState())).toBe('');
  show({ word: 'cat' });
  expect(shownWord(store.getState())).toBe('cat');
});
