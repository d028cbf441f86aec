import { expect, test } from 'vitest';
import { saidFirstText, withoutRange } from './saidFirst.ts';
import { readyPage } from './testing/fakeEncoder.ts';

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

test.each([
  ['a red cat', 'cat', 'cat a red'],
  ['a red (cat:1.3)', 'cat', '(cat:1.3) a red'],
  ['a cat AND a dog', 'dog', null],
  ['a cat BREAK a dog', 'dog', null],
  ['[a cat:a dog:0.5]', 'dog', null],
])('of %j, %j is said first as %j', async (prompt, word, said) => {
  const { store } = await readyPage();
  store.getState().setPrompt('positive', prompt);
  const start = prompt.indexOf(word);
  expect(saidFirstText(store.getState(), { start, end: start + word.length })).toBe(said);
});
