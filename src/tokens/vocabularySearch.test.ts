import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createTokenizer } from './tokenizer.ts';
import { createVocabularySearch, listedIds } from './vocabularySearch.ts';
import { wordsOf } from './words.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const search = createVocabularySearch(tokenizer);
const entries = (query: string, most = 5) => search(query, most).ids.map((id) => tokenizer.entry(id));

test('the word itself first, then inside of words, then what begins so', () => {
  const found = entries('cat', 4);
  expect(found.slice(0, 2)).toEqual(['cat</w>', 'cat']);
  for (const entry of found.slice(2)) expect(entry).toMatch(/^cat./);
  const { ids, total } = search('cat', 49408);
  expect(ids).toHaveLength(total);
  expect(ids.every((id) => tokenizer.entry(id).includes('cat'))).toBe(true);
  expect(search('cat', 3).total).toBe(total);
});

test('whatever its case, and with the end of the word', () => {
  expect(entries('CAT')).toEqual(entries('cat'));
  expect(entries('ing</w>', 1)).toEqual(['ing</w>']);
  expect(search('ing</w>', 49408).ids.every((id) => tokenizer.entry(id).endsWith('ing</w>'))).toBe(true);
});

test('text that the entries spell in bytes', () => {
  expect(tokenizer.decode([search('é', 1).ids[0]])).toBe('é ');
  expect(search('😀', 1).total).toBeGreaterThan(0);
  expect(search('<|end', 5).ids).toEqual([49407]);
});

test('nothing, and everything', () => {
  expect(search('no such entry', 5)).toEqual({ ids: [], total: 0 });
  expect(search('', 2).total).toBe(49408);
});

test.each([
  ['320', [320]],
  [' 320, 736 1615', [320, 736, 1615]],
  ['[49406, 320]', [49406, 320]],
  ['cat', null],
  ['3 cats', null],
  ['1.5', null],
  ['', null],
  [' , ', null],
])('%s lists %j', (query, ids) => expect(listedIds(query)).toEqual(ids));

test('tokens word by word', () => {
  const texts = ['a</w>', 'photo', 're', 'alistic</w>', '<|endoftext|>', 'cat'];
  expect(wordsOf(texts.map((text) => ({ text }))).map((word) => word.map(({ text }) => text))).toEqual([
    ['a</w>'],
    ['photo', 're', 'alistic</w>'],
    ['<|endoftext|>'],
    ['cat'],
  ]);
});
