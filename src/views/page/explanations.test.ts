import { expect, test } from 'vitest';
import { viewTitles } from '../../state/view.ts';
import { allExplanations, explanationOf } from './explanations.ts';
import { glossary } from './glossary.ts';

const sentences = [
  ...allExplanations.flatMap((table) => Object.entries(table)),
  ...glossary.map(([word, meaning]) => [word, meaning] as const),
];

test('explanations are short: a sentence or two of at most 27 words in all', () => {
  const odd = sentences.filter(
    ([, text]) => !/^[A-ZΔψ“].*\.$/su.test(text) || text.split(/\s+/).length > 27 || /\s{2}|\.\./.test(text),
  );
  expect(odd).toEqual([]);
});

test('explanations need no word of the trade that the page does not explain', () => {
  const trade = /\b(logits?|tensors?|residual|d_h|LN|KV|hidden state|pooled|ablate|embedding vector)\b/;
  const explained = new Set(['Softmax']);
  expect(sentences.filter(([name, text]) => trade.test(text) && !explained.has(name))).toEqual([]);
});

test('every view has its sentence in the menu', () => {
  for (const name of Object.values(viewTitles))
    expect(explanationOf({ places: [], group: 'Views', name }), name).toMatch(/\.$/);
});

test('in the lecture a word of the text has its own sentence, and the controls of its pictures have theirs', () => {
  const of = (group: string, name: string) => explanationOf({ places: ['lecture'], group, name });
  expect(of('Words of the lesson', 'embeddings')).toMatch(/^Lights up/);
  expect(of('', 'Layer')).toMatch(/^Which of the encoder’s layers/);
  expect(of('', 'Save PNG')).toMatch(/^Saves the picture/);
  expect(of('Rows', 'before (residual stream)')).toMatch(/come into this stage/);
  expect(of('', 'State after 2 of 4 layers')).toMatch(/^How many layers/);
});

test('the nearest table answers, a name before a pattern, and a choice adds its own sentence', () => {
  const of = (places: readonly string[], group: string, name: string, choice?: string) =>
    explanationOf({ places, group, name, choice });
  expect(of(['objective'], '', 'Step')).not.toBe(of(['prompts'], '', 'Step'));
  // Both “Add a map: choose its rows: *” and “Map” fit.
  expect(of(['psi-lab'], 'Add a map: choose its rows', 'Map')).toMatch(/^The kind of formula/);
  expect(of(['psi-lab'], 'Add a map: choose its rows', 'row 5 red')).toMatch(/^Adds this token/);
  expect(of(['psi-lab'], 'Add a map: choose its rows', 'Add “Scale” for row 5')).toMatch(/^Writes the formula/);
  expect(of(['attention'], '', 'Colour scale', 'Linear')).toMatch(/visible\. Linear:/);
  expect(of([], '', 'no such control')).toBeNull();
});
