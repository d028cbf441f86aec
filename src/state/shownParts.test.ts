import { expect, test } from 'vitest';
import { readShownParts, wholePage } from './shownParts.ts';

test('an address without a word on it shows the whole page', () => {
  expect(readShownParts('')).toEqual(wholePage);
  expect(readShownParts('?utm_source=x')).toEqual(wholePage);
});

test('one panel, hidden parts, and the origin of the page around it', () => {
  expect(readShownParts('?embed=attention&hide=models,export,&origin=https%3A%2F%2Fexample.org')).toEqual({
    embed: 'attention',
    hidden: new Set(['models', 'export']),
    host: 'https://example.org',
    problem: null,
  });
});

test.each([
  ['?embed=toString', 'The address asks for the panel “toString”, which is not one of answer, '],
  ['?embed=', 'The address asks for the panel “”'],
  ['?hide=modles', 'The address hides “modles”, which is none of header, examples, '],
  [
    '?origin=https://example.org/page',
    'The address has “https://example.org/page” for “origin”, which takes an origin',
  ],
  ['?origin=*', 'The address has “*” for “origin”'],
  ['?origin=null', 'The address has “null” for “origin”'],
])('%s is told', (search, problem) => {
  const parts = readShownParts(search);
  expect(parts.problem).toContain(problem);
  expect(parts).toMatchObject({ embed: null, host: null });
});
