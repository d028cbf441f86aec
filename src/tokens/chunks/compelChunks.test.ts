import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseCompel } from '../../prompt/compel/compelPrompt.ts';
import fc from '../../properties.ts';
import { bosTokenId, eosTokenId } from '../clipVocabulary.ts';
import type { PromptToken } from '../promptTokens.ts';
import recorded from '../recorded/compel_tokens.json';
import { createTokenizer } from '../tokenizer.ts';
import { type CompelChunkOptions, chunkCompel, compelChunkDefaults, splitModes } from './compelChunks.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

interface Options extends Partial<CompelChunkOptions> {
  readonly added?: ReadonlyMap<string, readonly Float32Array[]>;
}

function tokensOf(prompt: string, { added = new Map(), ...options }: Options = {}) {
  const { fragments } = parseCompel(prompt);
  const embeddings = Array.from(added, ([name, vectors]) => ({ name, vectors }));
  return { fragments, ...chunkCompel(fragments, tokenizer, embeddings, { ...compelChunkDefaults, ...options }) };
}

interface Recorded {
  readonly prompt: string;
  /** Each BOS … EOS without padding; ranges with both ends in them; prompts with a swap were not encoded. */
  readonly prompts?: readonly (
    | { ids: readonly number[]; weights: readonly number[]; ranges: readonly (readonly (number | null)[])[] }
    | 'swap'
  )[];
}

const encoded = (recorded as Recorded[]).filter(({ prompts }) => prompts?.length && !prompts.includes('swap'));

test.each(encoded)('recorded: $prompt', ({ prompt, prompts }) => {
  const contents = parseCompel(prompt).parts.flatMap(({ content }) =>
    content.kind === 'blend' ? content.prompts : [content],
  );
  const rows = contents.map(({ fragments }) => {
    const { chunks, fragmentRanges } = chunkCompel(fragments, tokenizer, [], {
      ...compelChunkDefaults,
      flavour: 'hf-v5',
    });
    expect(chunks).toHaveLength(1);
    const [{ tokens, inputIds, perTokenWeights }] = chunks;
    const length = tokens.findIndex(({ kind }) => kind === 'eos') + 1;
    expect(Array.from(inputIds.slice(length))).toEqual(Array(77 - length).fill(eosTokenId));
    return {
      ids: Array.from(inputIds.slice(0, length)),
      weights: Array.from(perTokenWeights.slice(0, length)),
      ranges: fragmentRanges.map((range) => (range ? [range.start, range.end - 1] : [null, null])),
    };
  });
  expect(rows).toEqual(prompts);
});

const cats = (count: number) => Array(count).fill('cat').join(' ');

/** Numbers of tokens in each chunk. */
function lengths(prompt: string, split: CompelChunkOptions['split']): number[] {
  const { chunks, cut } = tokensOf(prompt, { truncate: false, split });
  expect(cut).toEqual([]);
  return chunks.map(({ tokens }) => tokens.filter(({ kind }) => kind === 'text').length);
}

// biome-ignore format: one prompt, one line
test.each<[string, string, Record<(typeof splitModes)[number], number[]>]>([
  ['what fits is not split', `${cats(30)}. ${cats(30)}, ${cats(13)}`, { SENTENCES: [75], PHRASES: [75], WORDS: [75], BRUTAL: [75] }],
  ['the last full stop', `${cats(20)}. ${cats(20)}. ${cats(20)}, ${cats(40)}`, { SENTENCES: [42, 61], PHRASES: [63, 40], WORDS: [75, 28], BRUTAL: [75, 28] }],
  ['a comma for want of a full stop', `${cats(50)}, ${cats(50)}`, { SENTENCES: [51, 50], PHRASES: [51, 50], WORDS: [75, 26], BRUTAL: [75, 26] }],
  ['semicolons and colons', `${cats(20)} ; ${cats(20)} : ${cats(60)}`, { SENTENCES: [42, 60], PHRASES: [42, 60], WORDS: [75, 27], BRUTAL: [75, 27] }],
  ['a word for want of either', `${cats(74)} apricots ${cats(10)}`, { SENTENCES: [74, 12], PHRASES: [74, 12], WORDS: [74, 12], BRUTAL: [75, 11] }],
  ['a full stop just past the end', `${cats(75)}. ${cats(5)}`, { SENTENCES: [75, 6], PHRASES: [75, 6], WORDS: [75, 6], BRUTAL: [75, 6] }],
  ['a full stop at the very end', `${cats(74)}. ${cats(5)}`, { SENTENCES: [75, 5], PHRASES: [75, 5], WORDS: [75, 5], BRUTAL: [75, 5] }],
  ['other punctuation ends words only', `${cats(20)}!, ${cats(60)}`, { SENTENCES: [75, 6], PHRASES: [75, 6], WORDS: [75, 6], BRUTAL: [75, 6] }],
])('splits at %s', (_, prompt, expected) => {
  for (const mode of splitModes) expect(lengths(prompt, mode), mode).toEqual(expected[mode]);
});

test('a word without an end is cut', () => {
  const word = 'qzxqzx'.repeat(20);
  const count = tokensOf(word).chunks[0].tokens.length + tokensOf(word).cut.length - 2;
  expect(lengths(word, 'SENTENCES')).toEqual([75, count - 75]);
});

test('with truncation the first 75 tokens are one chunk, and the rest is cut', () => {
  const { chunks, cut, fragmentRanges } = tokensOf(`${cats(70)}, (dog)1.2 ${cats(10)}+ (red car)0.5 ${cats(3)}`);
  expect(chunks).toHaveLength(1);
  expect(chunks[0].inputIds).toHaveLength(77);
  expect(Array.from(chunks[0].perTokenWeights.slice(71, 77))).toEqual([1, 1.2, 1, 1, 1, 1]);
  expect(cut.map(({ weight }) => weight)).toEqual([...Array(6).fill(1), 1.1, 0.5, 0.5, 1, 1, 1]);
  // A fragment that is cut reaches over the EOS; what is cut off altogether is nowhere.
  expect(fragmentRanges).toEqual([
    { start: 1, end: 72 },
    { start: 72, end: 73 },
    { start: 73, end: 77 },
    null,
    null,
    null,
  ]);
});

test('without truncation fragments reach over the ends of chunks', () => {
  const { chunks, fragmentRanges } = tokensOf(`${cats(40)}. (${cats(50)} , red)0.5 ${cats(2)}`, { truncate: false });
  expect(chunks.map(({ tokens }) => tokens.filter(({ kind }) => kind === 'text').length)).toEqual([41, 54]);
  expect(fragmentRanges).toEqual([
    { start: 1, end: 42 },
    { start: 78, end: 130 },
    { start: 130, end: 132 },
  ]);

  const long = tokensOf(`${cats(70)} (${cats(20)})0.5`, { truncate: false, split: 'BRUTAL' });
  expect(long.fragmentRanges).toEqual([
    { start: 1, end: 71 },
    { start: 71, end: 93 },
  ]);
  expect(Array.from(long.chunks[1].perTokenWeights.slice(0, 18))).toEqual([1, ...Array(15).fill(0.5), 1, 1]);
});

test.each([
  ['a <|endoftext|> b', true, []],
  ['a (<|endoftext|> b)0.5', false, []],
  ['a <|endoftext|> b', false, []],
  ['(<|startoftext|> a)0.5', true, ['lost-fragment']],
  ['a (b)0.5', false, []],
])('special tokens that are typed: %j, truncated: %j', (prompt, truncate, codes) => {
  const { chunks, fragmentRanges, diagnostics, fragments } = tokensOf(prompt, { truncate });
  expect(diagnostics.map(({ code }) => code)).toEqual(codes);
  for (const { start, end, message } of diagnostics) {
    expect([start, end]).toEqual([fragments.at(-1)?.start, fragments.at(-1)?.end]);
    expect(message).toMatch(/^(?:(?!\. ).)+\.$/);
  }
  const { tokens } = chunks[0];
  expect(fragmentRanges).toEqual(
    fragments.map((_, index) => ({
      start: tokens.findIndex(({ fragment }) => fragment === index),
      end: tokens.findLastIndex(({ fragment }) => fragment === index) + 1,
    })),
  );
});

test('nothing is encoded as one chunk', () => {
  for (const truncate of [true, false]) {
    const { chunks, cut, fragmentRanges } = tokensOf('', { truncate });
    expect([chunks.length, cut.length, fragmentRanges]).toEqual([1, 0, [null]]);
    expect(Array.from(chunks[0].inputIds)).toEqual([bosTokenId, ...Array(76).fill(eosTokenId)]);
  }
});

test('every token of every fragment is in its range or cut, and ranges do not overlap', () => {
  const atoms = [
    'cat ',
    'apricots ',
    '. ',
    ', ',
    '(red car)1.2 ',
    'dog+ ',
    '(a, b)0.5 ',
    '"" ',
    '猫 ',
    'don’t- ',
    '\u200b ',
  ];
  const prompts = fc
    .array(fc.tuple(fc.constantFrom(...atoms), fc.integer({ min: 1, max: 30 })), { maxLength: 30 })
    .map((parts) => parts.map(([atom, times]) => atom.repeat(times)).join(''));
  fc.assert(
    fc.property(prompts, fc.boolean(), fc.constantFrom(...splitModes), (prompt, truncate, split) => {
      const { fragments, chunks, cut, fragmentRanges, diagnostics } = tokensOf(prompt, { truncate, split });
      expect(diagnostics).toEqual([]);
      expect(fragmentRanges).toHaveLength(fragments.length);
      expect(truncate ? chunks.length : cut.length).toBe(truncate ? 1 : 0);
      const rows = chunks.flatMap(({ tokens }) => tokens);
      expect(rows).toHaveLength(chunks.length * 77);
      const misplaced = (token: PromptToken, row: number) => {
        const range = token.fragment === null ? undefined : fragmentRanges[token.fragment];
        return range !== undefined && !(range && range.start <= row && row < range.end);
      };
      expect(rows.filter(misplaced)).toEqual([]);
      let position = 0;
      for (const range of fragmentRanges) {
        if (!range) continue;
        expect(range.start).toBeGreaterThanOrEqual(position);
        expect(range.end).toBeGreaterThan(range.start);
        expect(range.end).toBeLessThanOrEqual(rows.length);
        position = range.end;
      }
    }),
    { numRuns: 200 },
  );
});

describe('added tokens', () => {
  const vector = (index: number) => Float32Array.of(index);
  const added = new Map([
    ['<cat-toy>', [0, 1, 2].map(vector)],
    ['style', [vector(3)]],
  ]);
  const labels = (tokens: readonly PromptToken[]) =>
    tokens
      .filter(({ kind }) => kind === 'text')
      .map(({ text, vector }) => (vector ? `${vector.name}·${vector.index + 1}` : text.replace('</w>', '')));

  test('the first is expanded before the whole is cut off, and a fragment that is cut reaches over the EOS', () => {
    const { chunks, cut, fragmentRanges } = tokensOf(`(${cats(74)} <cat-toy>)0.5 dog`, { added });
    expect(labels(chunks[0].tokens).slice(73)).toEqual(['cat', '<cat-toy>·1']);
    expect(labels(cut)).toEqual(['<cat-toy>·2', '<cat-toy>·3', 'dog']);
    expect(chunks[0].vectors).toEqual(new Map([[75, vector(0)]]));
    expect(fragmentRanges).toEqual([{ start: 1, end: 77 }, null]);
  });

  test('without truncation vectors go on in the next chunk', () => {
    const { chunks, fragmentRanges } = tokensOf(`${cats(74)} (<cat-toy> dog)0.5`, {
      added,
      truncate: false,
      split: 'BRUTAL',
    });
    expect(chunks.map(({ vectors }) => [...(vectors ?? [])])).toEqual([
      [[75, vector(0)]],
      [1, 2].map((i) => [i, vector(i)]),
    ]);
    expect(fragmentRanges[1]).toEqual({ start: 75, end: 77 + 4 });
    expect(
      tokensOf(`${cats(74)} <cat-toy>`, { added, truncate: false }).chunks.map(({ tokens }) => labels(tokens).length),
    ).toEqual([74, 3]);
  });

  test('a “!” is not taken for a vector', () => {
    const { fragmentRanges, diagnostics } = tokensOf('a <cat-toy> (!)0.5 !', { added });
    expect(fragmentRanges[1]).toEqual({ start: 5, end: 6 });
    expect(diagnostics).toEqual([]);
  });

  test('what is added is in its rows whole, and the rest is as it would be without', () => {
    const atoms = [
      'cat',
      '<cat-toy>',
      'style',
      '(red <cat-toy>)1.2',
      '(style dog)0.5',
      '!',
      'mystyles',
      '<cat-toy>+',
      ',',
    ];
    const prompts = fc.array(fc.constantFrom(...atoms), { maxLength: 40 }).map((parts) => parts.join(' '));
    fc.assert(
      fc.property(prompts, fc.constantFrom(...splitModes), (prompt, split) => {
        const { chunks, fragmentRanges, diagnostics } = tokensOf(prompt, { added, truncate: false, split });
        expect(diagnostics).toEqual([]);
        const typed = chunks.flatMap(({ tokens }) => tokens).filter(({ kind }) => kind === 'text');
        const texts = labels(typed)
          .join(' ')
          .replaceAll('<cat-toy>·1 <cat-toy>·2 <cat-toy>·3', 'TOY')
          .replaceAll('style·1', 'STYLE');
        const bare = tokensOf(prompt.replaceAll('<cat-toy>', '9').replaceAll('style', '8'), { truncate: false });
        expect(texts).not.toContain('·');
        expect(texts).toBe(
          labels(bare.chunks.flatMap(({ tokens }) => tokens))
            .join(' ')
            .replaceAll('9', 'TOY')
            .replaceAll('8', 'STYLE'),
        );
        for (const { vector, range } of typed)
          if (vector) expect(prompt.slice(range!.start, range!.end)).toBe(vector.name);
        chunks.forEach(({ tokens, vectors }, i) => {
          for (const [row, { vector: meant, fragment }] of tokens.entries()) {
            expect(vectors?.get(row)).toBe(meant && added.get(meant.name)![meant.index]);
            if (fragment === null) continue;
            const range = fragmentRanges[fragment]!;
            expect(range.start <= i * 77 + row && i * 77 + row < range.end).toBe(true);
          }
        });
      }),
      { numRuns: 150 },
    );
  });
});
