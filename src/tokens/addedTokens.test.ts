import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sourceText } from '../prompt/sourceText.ts';
import fc from '../properties.ts';
import { addedTokenCutter, addedTokens } from './addedTokens.ts';
import { diffusersToken } from './diffusersToken.ts';
import recorded from './recorded/added_tokens.json';
import { createTokenizer } from './tokenizer.ts';
import { tokenizerFlavours } from './tokenizerFlavours.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const vectors = (count: number) => Array.from({ length: count }, () => Float32Array.of(0));

const cases = recorded.flatMap(({ added, ids }) => Object.entries(ids).map(([text, ids]) => ({ added, text, ids })));

test.each(cases)('recorded: $text', ({ added, text, ids }) => {
  // The tokenizer knows nothing of several vectors: each token of them is one of its own.
  const cut = addedTokenCutter(new Map(added.map((token) => [token, vectors(1)])), 'hf-v5');
  const idOf = (name: string) => {
    const known = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).find((id) => tokenizer.entry(id) === name);
    const others = added.filter((token) => token !== 'bad');
    return known ?? tokenizer.vocabSize + others.indexOf(name);
  };
  const found = cut(sourceText(text)).flatMap(({ source, vectors }) =>
    vectors.length > 0
      ? vectors.map(({ name }) => idOf(name))
      : tokenizer.tokenize(source, 'hf-v5').map(({ id }) => id),
  );
  expect(found).toEqual(ids);
});

test.each<[string, string | undefined, string]>([
  ['learned_embeds', '<cat-toy>', '<cat-toy>'],
  ['EasyNegative-v2', 'EasyNegative', 'EasyNegative'],
  ['kohya', undefined, 'kohya'],
  ['unnamed', '', 'unnamed'],
])('the token of %s.safetensors with the name %s in it is %s', (name, trainedAs, token) => {
  expect(diffusersToken({ name, trainedAs })).toBe(token);
});

test('of two with one token the first counts', () => {
  const [one, other] = [vectors(1), vectors(2)];
  const added = addedTokens([
    { name: 'a', trainedAs: 't', vectors: one },
    { name: 't', vectors: other },
  ]);
  expect(added.get('t')).toBe(one);
  expect(added.size).toBe(1);
});

/** The text with every found token in brackets, followed by the numbers of its vectors. */
function marked(text: string, added: Record<string, number>, flavour: (typeof tokenizerFlavours)[number]): string {
  const cut = addedTokenCutter(
    new Map(Object.entries(added).map(([token, count]) => [token, vectors(count)])),
    flavour,
  );
  return cut(sourceText(text))
    .map(({ source, vectors }) =>
      vectors.length > 0 ? `[${source.text}=${vectors.map(({ name, index }) => `${name}${index}`)}]` : source.text,
    )
    .join('');
}

const toy = { '<t>': 3, Bad: 1, 'Bad-hands': 1 };

// biome-ignore format: a text, a line
test.each<[string, string, string]>([
  ['a <t> b', 'a [<t>=<t>0,<t>1,<t>2] b', 'a [<t>=<t>0,<t>1,<t>2] b'],
  ['<t>_1<t>_2<t>_3', '[<t>_1=<t>1][<t>_2=<t>2][<t>=<t>0,<t>1,<t>2]_3', '[<t>_1=<t>1][<t>_2=<t>2][<t>=<t>0,<t>1,<t>2]_3'],
  ['<T> bad Bad BAD', '<T> bad [Bad=Bad0] BAD', '[<T>=<t>0,<t>1,<t>2] [bad=Bad0] [Bad=Bad0] [BAD=Bad0]'],
  ['embBadden Bad-handsome', 'emb[Bad=Bad0]den [Bad-hands=Bad-hands0]ome', 'emb[Bad=Bad0]den [Bad-hands=Bad-hands0]ome'],
])('%s', (text, python, rust) => {
  for (const flavour of tokenizerFlavours)
    expect(marked(text, toy, flavour), flavour).toBe(flavour === 'hf-fast' || flavour === 'hf-v5' ? rust : python);
});

test('a special token is not cut into', () => {
  for (const flavour of tokenizerFlavours) {
    expect(marked('<|endoftext|> <|endo', { '<|end': 1 }, flavour)).toBe('<|endoftext|> [<|end=<|end0]o');
    expect(marked('<|endoftext|>', { '<|endoftext|>': 1, '': 1 }, flavour)).toBe('<|endoftext|>');
  }
});

test('the pieces are the text, in order, and those with vectors are names', () => {
  const atom = fc.oneof(
    fc.constantFrom(
      'a',
      'B',
      ' ',
      '\n',
      '.',
      '*',
      '\\',
      'İ',
      'u\u0308',
      '\ufb01',
      '😀',
      '\u0345',
      '_1',
      '<|endoftext|>',
    ),
    fc.string({ unit: 'grapheme', maxLength: 3 }),
  );
  const words = fc.array(atom, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(
      fc.array(words, { minLength: 1, maxLength: 4 }),
      fc.array(fc.oneof(fc.nat(3), atom), { maxLength: 12 }),
      fc.constantFrom(...tokenizerFlavours),
      (names, parts, flavour) => {
        const text = parts.map((part) => (typeof part === 'number' ? names[part % names.length] : part)).join('');
        const source = sourceText(text);
        const added = new Map(names.map((name, i) => [name, vectors(i + 1)]));
        const pieces = addedTokenCutter(added, flavour)(source);
        expect(pieces.map(({ source }) => source.text).join('')).toBe(text);
        expect(pieces.flatMap(({ source }) => source.starts)).toEqual(source.starts);
        const isRust = flavour === 'hf-fast' || flavour === 'hf-v5';
        for (const { source, vectors } of pieces) {
          if (vectors.length === 0) continue;
          const token = vectors[0].index === 0 ? vectors[0].name : `${vectors[0].name}_${vectors[0].index}`;
          expect(added.has(vectors[0].name)).toBe(true);
          if (!isRust) expect(source.text).toBe(token);
        }
        if (!isRust && !text.includes('<|'))
          for (const { source, vectors } of pieces)
            if (vectors.length === 0)
              expect(names.some((name) => name !== '' && source.text.includes(name))).toBe(false);
      },
    ),
    { numRuns: 300 },
  );
});
