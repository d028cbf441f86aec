import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { clipVitL14 } from '../clip/config.ts';
import { sourceText } from '../prompt/sourceText.ts';
import fc from '../properties.ts';
import { bosTokenId, eosTokenId } from './clipVocabulary.ts';
import recordedMojibake from './recorded/mojibake.json';
import recordedCleanUp from './recorded/text_clean_up.json';
import recorded from './recorded/tokenizer.json';
import { createTokenizer } from './tokenizer.ts';
import { type TokenizerFlavour, tokenizerFlavours } from './tokenizerFlavours.ts';
import { wordsOf } from './words.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');
const tokenizer = createTokenizer(merges);
const lines = merges.trimEnd().split('\n');
const lineOf = new Map(lines.map((line, rank) => [line, rank]));

const recordedName = {
  'hf-slow-ftfy': 'hf_slow_ftfy',
  'hf-slow': 'hf_slow_noftfy',
  'hf-fast': 'hf_fast',
  'hf-v5': 'hf_v5',
  openai: 'openai',
} as const satisfies Record<TokenizerFlavour, string>;

const idsOf = (text: string, flavour?: TokenizerFlavour) =>
  tokenizer.tokenize(sourceText(text), flavour).map((token) => token.id);

describe.each(tokenizerFlavours)('%s', (flavour) => {
  const name = recordedName[flavour];

  test('gives the recorded ids', () => {
    for (const row of recorded) expect(idsOf(row.text, flavour), JSON.stringify(row.text)).toEqual(row[name]);
    for (const row of recordedCleanUp)
      if (row[name]) expect(idsOf(row.text, flavour), JSON.stringify(row.text)).toEqual(row[name]);
  });

  test('gives any text ids of the vocabulary and ordered ranges within the source', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(
        '🐱',
        'e\u0301',
        'İ',
        '&amp;',
        '<|endoftext|>',
        '<|EndOfText|>',
        ' ',
        'ﬃ',
        '中',
        '’s',
        '&#1;',
        'Ã©',
        'â€™',
      ),
      fc.string({ unit: 'grapheme-ascii', maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(unit), (units) => {
        const typed = units.join('');
        const tokens = tokenizer.tokenize(sourceText(`<<${typed}>>`, 2, 2 + typed.length), flavour);
        let previous = { start: 2, end: 2 };
        for (const token of tokens) {
          expect(token.text).toBe(tokenizer.entry(token.id));
          expect(token.start).toBeLessThan(token.end);
          expect(token.start).toBeGreaterThanOrEqual(previous.start);
          expect(token.end).toBeGreaterThanOrEqual(previous.end);
          previous = token;
        }
        expect(previous.end).toBeLessThanOrEqual(2 + typed.length);
      }),
    );
  });

  test('tokenises words joined by a space as it tokenises each', () => {
    const word = fc.stringMatching(/^[a-zA-Z0-9!-%'-;=>?@[-~]{1,12}$/);
    fc.assert(
      fc.property(fc.array(word), (words) => {
        expect(idsOf(words.join(' '), flavour)).toEqual(words.flatMap((each) => idsOf(each, flavour)));
      }),
    );
  });
});

test.each(['hf-slow-ftfy', 'openai'] as const)(
  'B17: %s repairs mojibake, the 256 bytes of the alphabet too',
  (flavour) => {
    const rows = recordedMojibake.filter((row) => row.ids);
    expect(rows.map((row) => row.text)).toEqual(expect.arrayContaining(['schÃ¶n', 'Â£', 'âĢ¦']));
    for (const row of rows) expect(idsOf(row.text, flavour), JSON.stringify(row.text)).toEqual(row.ids);
  },
);

test('the vocabulary is in the order that the ids of every CLIP model follow from', () => {
  expect(tokenizer.vocabSize).toBe(clipVitL14.vocabSize);
  const entries = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.entry(id));
  expect(new Set(entries).size).toBe(clipVitL14.vocabSize);
  const known = {
    0: '!',
    188: 'Ā',
    266: '+</w>',
    267: ',</w>',
    269: '.</w>',
    320: 'a</w>',
    512: 'in',
    2568: 'break</w>',
  };
  for (const [id, entry] of Object.entries(known)) expect(tokenizer.entry(Number(id))).toBe(entry);
  expect([tokenizer.entry(bosTokenId), tokenizer.entry(eosTokenId)]).toEqual(['<|startoftext|>', '<|endoftext|>']);
  for (const id of [-1, 49408, 0.5, Number.NaN]) expect(() => tokenizer.entry(id)).toThrow(RangeError);
});

test('merges that are not CLIP’s are refused', () => {
  expect(() => createTokenizer('<!doctype html>\n')).toThrow('1 pairs, expected 48894');
  const lines = merges.trimEnd().split('\n');
  expect(() => createTokenizer(['qqq zzz', ...lines.slice(1)].join('\n'))).toThrow(
    'Line 1 of the tokenizer\'s merges, "qqq zzz"',
  );
});

/** Byte-pair encoding as it is told: merge every occurrence of the pair of lowest rank, left to right, again and again. */
function toldBytePairs(word: string): string[] {
  const ranks = new Map(
    merges
      .trimEnd()
      .split('\n')
      .map((line, rank) => [line, rank]),
  );
  let symbols = [...word.slice(0, -1), `${word.at(-1)}</w>`];
  for (;;) {
    const pairs = symbols.slice(1).map((right, i) => `${symbols[i]} ${right}`);
    const best = pairs.reduce((a, b) => ((ranks.get(b) ?? Infinity) < (ranks.get(a) ?? Infinity) ? b : a), '');
    if (!ranks.has(best)) return symbols;
    const merged: string[] = [];
    for (let i = 0; i < symbols.length; i++)
      if (i + 1 < symbols.length && `${symbols[i]} ${symbols[i + 1]}` === best) merged.push(symbols[i] + symbols[++i]);
      else merged.push(symbols[i]);
    symbols = merged;
  }
}

test('merging the leftmost pair of lowest rank is merging all of them at once', () => {
  const word = fc.oneof(
    fc.stringMatching(/^[a-z]{1,40}$/),
    fc.stringMatching(/^[abns]{1,40}$/),
    fc.stringMatching(/^[!?.=*]{1,40}$/),
  );
  fc.assert(
    fc.property(word, (letters) => {
      const told = toldBytePairs(letters);
      expect(tokenizer.tokenize(sourceText(letters)).map((token) => token.text)).toEqual(told);
    }),
    { numRuns: 60 },
  );
});

/** Each token as `entry ← what was typed`. */
test.each<[TokenizerFlavour, string, string[]]>([
  ['hf-slow-ftfy', ' a  Cat.', ['a</w> ← a', 'cat</w> ← Cat', '.</w> ← .']],
  ['hf-slow-ftfy', 'it’s &amp; you', ['it</w> ← it', "'s</w> ← ’s", '&</w> ← &amp;', 'you</w> ← you']],
  ['hf-slow-ftfy', '\x00cat\x07 \x1b[1mc\x00at', ['cat</w> ← cat', 'cat</w> ← c\x00at']],
  ['hf-slow-ftfy', 'cafe\u0301 ﬁt', ['cafÃ©</w> ← cafe\u0301', 'fit</w> ← ﬁt']],
  ['hf-slow-ftfy', '𐐨x', ['ð ← 𐐨', 'Ĳ ← 𐐨', 'Ĳ ← 𐐨', '¨ ← 𐐨', 'x</w> ← x']],
  ['hf-slow-ftfy', 'İ', ['i</w> ← İ', 'Ìĩ</w> ← İ']],
  ['hf-slow-ftfy', 'x<|endoftext|>y', ['x</w> ← x', '<|endoftext|> ← <|endoftext|>', 'y</w> ← y']],
  ['hf-slow', 'x\u00ad中', ['x</w> ← x', 'ä¸ ← 中', 'Ń</w> ← 中']],
  [
    'hf-v5',
    '<|EndOfText|>!',
    ['< ← <', '|</w> ← |', 'endof ← EndOf', 'text</w> ← Text', '| ← |', '></w> ← >', '!</w> ← !'],
  ],
  ['openai', '&amp;notit;', ['Â ← &amp;not', '¬</w> ← &amp;not', 'it</w> ← it', ';</w> ← ;']],
])('%s: each token of %j knows where it was typed', (flavour, typed, expected) => {
  const tokens = tokenizer.tokenize(sourceText(`.${typed}`, 1), flavour);
  expect(tokens.map((token) => `${token.text} ← ${`.${typed}`.slice(token.start, token.end)}`)).toEqual(expected);
});

test('decode gives readable text, U+FFFD for parts of characters', () => {
  expect(tokenizer.decode(idsOf('A Cat, isn’t it? 東京 🐱 𝔘'))).toBe("a cat , isn 't it ? 東京 🐱 𝔘 ");
  expect(tokenizer.decode([bosTokenId, 2368, eosTokenId])).toBe('<|startoftext|>cat <|endoftext|>');
  expect(tokenizer.decode(idsOf('𝔘').slice(0, 1))).toBe('\ufffd');
  expect(() => tokenizer.decode([49408])).toThrow(RangeError);
});

test.each([
  ['one letter', 'a'.repeat(100_000)],
  [
    'letters',
    Array.from({ length: 100_000 }, (_, i) => 'abcdefghijklmnopqrstuvwxyz'[(i * i + (i >> 3)) % 26]).join(''),
  ],
  ['emoji', '🐱'.repeat(50_000)],
  ['words', 'cinematic lighting, (masterpiece:1.2), '.repeat(2_600)],
])('100 kB of %s takes no quadratic time', { timeout: 10_000 }, (_, long) => {
  const tokens = tokenizer.tokenize(sourceText(long));
  expect(tokens.at(-1)?.end).toBe(long.trimEnd().length);
});

describe('merges of a word', () => {
  const words = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    fc.stringMatching(/^[a-z]{1,30}$/),
    fc.constantFrom('aaaaaaaa', 'hahahaha', 'photorealistic', 'mississippi'),
  );

  test('end at its tokens, by the pair of lowest rank at each step', () => {
    fc.assert(
      fc.property(words, (text) => {
        for (const word of wordsOf(tokenizer.tokenize(sourceText(text)))) {
          const ids = word.map(({ id }) => id);
          const { bytes, steps } = tokenizer.merges(ids);
          expect(steps.at(-1)?.symbols ?? bytes).toEqual(ids);
          let before = bytes;
          for (const { left, right, merged, rank, symbols } of steps) {
            expect(tokenizer.entry(left) + tokenizer.entry(right)).toBe(tokenizer.entry(merged));
            expect(lines[rank]).toBe(`${tokenizer.entry(left)} ${tokenizer.entry(right)}`);
            const ranks = before
              .slice(1)
              .map((id, i) => lineOf.get(`${tokenizer.entry(before[i])} ${tokenizer.entry(id)}`));
            expect(Math.min(...ranks.filter((known) => known !== undefined))).toBe(rank);
            expect(symbols.length).toBeLessThan(before.length);
            before = symbols;
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('all occurrences of a pair are joined in one step', () => {
    const [word] = wordsOf(tokenizer.tokenize(sourceText('hahahaha')));
    const { word: spelt, bytes, steps } = tokenizer.merges(word.map(({ id }) => id));
    expect(new TextDecoder().decode(spelt)).toBe('hahahaha');
    expect(bytes.map((id) => tokenizer.entry(id))).toEqual(['h', 'a', 'h', 'a', 'h', 'a', 'h', 'a</w>']);
    expect(steps[0].symbols.map((id) => tokenizer.entry(id))).toEqual(['ha', 'ha', 'ha', 'h', 'a</w>']);
  });

  test('an entry from inside of words comes to itself', () => {
    const [id] = [...Array(49408).keys()].filter((id) => tokenizer.entry(id) === 'photo');
    expect(tokenizer.merges([id]).steps.at(-1)?.symbols).toEqual([id]);
  });

  test('specials, and nothing, have none', () => {
    expect(tokenizer.merges([bosTokenId])).toMatchObject({ bytes: [bosTokenId], steps: [] });
    expect(tokenizer.merges([])).toMatchObject({ bytes: [], steps: [] });
  });
});
