import { expect, test } from 'vitest';
import { shownInShort } from './shownInShort.ts';
import { answerAll, readyPage } from './testing/fakeEncoder.ts';

test('a view says of which prompt, chunk, step and weights its numbers are', async () => {
  const { fake, store } = await readyPage();
  const { setPrompt, setOption, show } = store.getState();
  const inShort = (view: Parameters<typeof shownInShort>[1]) => shownInShort(store.getState(), view);
  setPrompt('positive', 'a cat BREAK in the snow');
  show({ chunk: 1 });
  await answerAll(fake);
  expect(inShort('attention')).toBe('positive · chunk 2 of 2 · made-up weights');
  expect(inShort('answer')).toBe('positive · made-up weights');
  expect(inShort('export')).toBe('both prompts · made-up weights');
  expect(inShort('vocabulary')).toBe('the same for every prompt');
  setPrompt('positive', 'a [cat:dog:0.5]');
  setOption('step', 12);
  expect(inShort('masks')).toBe('positive · chunk 1 of 1 · step 12 · made-up weights');
  show({ side: 'negative' });
  expect(inShort('masks')).toBe('negative · chunk 1 of 1 · made-up weights');
  store.setState({ model: { ...store.getState().model!, name: 'small', random: false, knownIds: new Set([320]) } });
  expect(inShort('masks')).toBe('negative · chunk 1 of 1 · small, not Stable Diffusion');
  store.setState({ model: null });
  expect(inShort('masks')).toBe('negative · chunk 1 of 1');
});
