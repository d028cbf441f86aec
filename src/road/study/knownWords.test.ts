import { expect, test } from 'vitest';
import { defaultOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import { tokenizer } from '../testing/prompts.ts';
import { isUnknown, knownWordsText, unknownWords } from './knownWords.ts';

const inWorld = preparePrompt('a red circle left of blue square,', defaultOptions, tokenizer);
const knownIds = new Set(inWorld.chunks[0].chunk.inputIds);
const unknownIn = (prompt: string) =>
  unknownWords(preparePrompt(prompt, defaultOptions, tokenizer), knownIds, tokenizer);

test('words of the world are known, and BOS, EOS and PAD too', () => {
  expect(unknownIn('a (red:1.3) circle left of a [blue] square')).toEqual([]);
  expect(unknownIn('')).toEqual([]);
});

test('each unknown word is told once, whole, from every chunk', () => {
  const prompt = `a red dragon, a dragon BREAK a hyperrealisticish castle`;
  expect(unknownIn(prompt)).toEqual(['dragon', 'hyperrealisticish', 'castle']);
});

test('a model with all rows, and a vector of a textual inversion, leave nothing unknown', () => {
  const token = { kind: 'text', id: 5471 };
  expect(isUnknown(token, knownIds)).toBe(true);
  expect(isUnknown(token, undefined)).toBe(false);
  expect(isUnknown({ ...token, vector: {} }, knownIds)).toBe(false);
  expect(isUnknown({ ...token, kind: 'pad' }, knownIds)).toBe(false);
});

test.each([
  [[], 'and every word here is in its world.'],
  [['dragon'], '“dragon” is not in its world: it stands for some word that it never learnt.'],
  [['car', 'dragon'], '“car” and “dragon” are not in its world: they stand for some word that it never learnt.'],
])('%j is one sentence', (unknown, end) => {
  const text = knownWordsText(knownIds, unknown);
  expect(text.startsWith(`This model knows ${knownIds.size} tokens, those of its world of coloured shapes`)).toBe(true);
  expect(text.endsWith(end)).toBe(true);
});
