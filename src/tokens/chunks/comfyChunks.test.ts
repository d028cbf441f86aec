import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseComfy } from '../../prompt/comfy/comfyPrompt.ts';
import fc from '../../properties.ts';
import { bosTokenId, eosTokenId } from '../clipVocabulary.ts';
import recorded from '../recorded/comfy_tokens.json';
import { createTokenizer } from '../tokenizer.ts';
import { type ComfyUnit, chunkComfy, comfyUnits } from './comfyChunks.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

interface Options {
  readonly unit?: ComfyUnit;
  /** Vectors in each file. */
  readonly embeddings?: ReadonlyMap<string, number>;
}

/** Vectors of a file by their numbers, which tell them apart. */
const vectors = (count: number) => Array.from({ length: count }, (_, index) => Float32Array.of(index));

/** Chunks, each with its vectors' rows. */
function tokensOf(prompt: string, { unit, embeddings = new Map() }: Options = {}) {
  const { fragments } = parseComfy(prompt);
  const files = Array.from(embeddings, ([name, count]) => ({ name, vectors: vectors(count) }));
  const { chunks, diagnostics } = chunkComfy(fragments, tokenizer, files, { unit });
  const rows = chunks.map((chunk) => {
    const embedded = chunk.tokens.flatMap(({ vector }, row) => (vector ? [{ row, ...vector }] : []));
    expect([...(chunk.vectors ?? [])]).toEqual(embedded.map(({ row, index }) => [row, Float32Array.of(index)]));
    return { ...chunk, wordIds: chunk.wordIds!, embedded };
  });
  return { fragments, chunks: rows, diagnostics };
}

/** Id, weight and word id of each chunk up to its EOS, as recorded. */
function rowsOf(prompt: string, unit: ComfyUnit): unknown[] {
  return tokensOf(prompt, { unit }).chunks.map(({ tokens, inputIds, perTokenWeights, wordIds }) => {
    const length = tokens.findIndex(({ kind }) => kind === 'eos');
    expect(Array.from(inputIds.slice(length))).toEqual(Array(77 - length).fill(eosTokenId));
    expect(Array.from(wordIds.slice(length))).toEqual(Array(77 - length).fill(0));
    return Array.from({ length }, (_, i) => {
      const weight = perTokenWeights[i];
      return [inputIds[i], Number.isFinite(weight) ? weight : String(weight).replace('Infinity', 'inf'), wordIds[i]];
    });
  });
}

describe.each(recorded)('recorded: $prompt', ({ prompt, tokens_2024, tokens_2025 }) => {
  test('in words', () => {
    expect(rowsOf(prompt, 'words')).toEqual(tokens_2024);
  });
  test('in segments', () => {
    expect(rowsOf(prompt, 'segments')).toEqual(tokens_2025);
  });
});

const cats = (count: number) => Array(count).fill('cat').join(' ');
/** Tokens of word ids in each chunk: [[word id, tokens], …]. */
function counts(prompt: string, unit: ComfyUnit): [number, number][][] {
  return tokensOf(prompt, { unit }).chunks.map(({ wordIds, tokens }) => {
    const found = new Map<number, number>();
    for (const [i, { kind }] of tokens.entries())
      if (kind === 'text') found.set(wordIds[i], (found.get(wordIds[i]) ?? 0) + 1);
    return [...found];
  });
}

test('segments of fewer than 8 tokens move whole, longer ones are cut', () => {
  expect(counts(`${cats(72)}(${cats(7)})`, 'segments')).toEqual([[[1, 72]], [[2, 7]]]);
  expect(counts(`${cats(72)}(${cats(8)})`, 'segments')).toEqual([
    [
      [1, 72],
      [2, 3],
    ],
    [[2, 5]],
  ]);
  expect(counts(`${cats(68)}(${cats(7)})`, 'segments')).toEqual([
    [
      [1, 68],
      [2, 7],
    ],
  ]);
  expect(counts(`${cats(75)}(dog)`, 'segments')).toEqual([[[1, 75]], [[2, 1]]]);
  expect(counts(`${cats(75)}(${cats(9)})`, 'segments')).toEqual([[[1, 75]], [[2, 9]]]);
  expect(counts(cats(160), 'segments')).toEqual([[[1, 75]], [[1, 75]], [[1, 10]]]);
});

test('words of fewer than 8 tokens move whole, longer ones are cut', () => {
  const word = (length: number) => {
    const text = 'qzx'.repeat(length);
    return { text, tokens: counts(text, 'words')[0][0][1] };
  };
  const short = word(1);
  const long = word(5);
  expect([short.tokens < 8, long.tokens >= 8]).toEqual([true, true]);
  const chunks = counts(`${cats(74)} ${short.text}`, 'words');
  expect(chunks.map((chunk) => chunk.length)).toEqual([74, 1]);
  expect(chunks[1]).toEqual([[75, short.tokens]]);
  const cut = counts(`${cats(73)} ${long.text} x`, 'words');
  expect(cut[0].at(-1)).toEqual([74, 2]);
  expect(cut[1]).toEqual([
    [74, long.tokens - 2],
    [75, 1],
  ]);
});

test('weights and ranges go with tokens into the next chunk', () => {
  const { chunks, fragments } = tokensOf(`${cats(72)} (${cats(6)} big dog:1.5)`);
  expect(chunks).toHaveLength(2);
  expect(Array.from(chunks[0].perTokenWeights.slice(72, 77))).toEqual([1, 1.5, 1.5, 1.5, 1]);
  expect(Array.from(chunks[1].perTokenWeights.slice(0, 7))).toEqual([1, 1.5, 1.5, 1.5, 1.5, 1.5, 1]);
  const [text, start] = ['dog', 72 * 4 + 1 + 6 * 4 + 4];
  expect(chunks[1].tokens[5]).toMatchObject({ text: `${text}</w>`, fragment: 1, range: { start, end: start + 3 } });
  expect(fragments).toHaveLength(2);
});

test('words end at spaces and line feeds only', () => {
  expect(rowsOf('a\u3000b\tc d\ne', 'words')).toEqual([
    [
      [bosTokenId, 1, 0],
      [320, 1, 1],
      [321, 1, 1],
      [322, 1, 1],
      [323, 1, 2],
      [324, 1, 3],
    ],
  ]);
});

const embeddings = new Map([
  ['foo', 3],
  ['big', 80],
  ['a,', 1],
  ['eight', 8],
]);

// biome-ignore format: one prompt, one line
test.each<[ComfyUnit, string, string[], string[]]>([
  ['segments', 'a embedding:foo b', ['a</w> 1', 'foo.0 2', 'foo.1 2', 'foo.2 2', 'b</w> 3'], []],
  ['words', 'a embedding:foo b', ['a</w> 1', 'foo.0 2', 'foo.1 2', 'foo.2 2', 'b</w> 3'], []],
  ['segments', 'embedding:foo, b c', ['foo.0 1', 'foo.1 1', 'foo.2 1', ',</w> 2', 'b</w> 2', 'c</w> 2'], []],
  ['words', 'embedding:foo, b c', ['foo.0 1', 'foo.1 1', 'foo.2 1', ',</w> 2', 'b</w> 3', 'c</w> 4'], []],
  ['segments', 'embedding:a, b', ['a,.0 1', 'b</w> 2'], []],
  ['segments', 'a\nembedding:foo', ['a</w> 1', 'foo.0 2', 'foo.1 2', 'foo.2 2'], []],
  ['segments', 'a embedding:bar b', ['a</w> 1', 'b</w> 2'], ['embedding:bar']],
  ['segments', 'embedding:bar,', [',</w> 1'], ['embedding:bar']],
  ['words', 'embedding:bar,, b', [',,</w> 1', 'b</w> 2'], ['embedding:bar']],
  ['words', 'embedding:,foo', ['foo.0 1', 'foo.1 1', 'foo.2 1', 'o</w> 2'], []],
  ['segments', 'a embedding: ', ['a</w> 1'], ['embedding:']],
  ['words', 'a embedding: b', ['a</w> 1', 'b</w> 2'], ['embedding:']],
])('in %s, %j names embeddings', (unit, prompt, expected, unknown) => {
  const { chunks, diagnostics } = tokensOf(prompt, { unit, embeddings });
  const [{ tokens, wordIds, embedded }] = chunks;
  const named = new Map(embedded.map(({ row, name, index }) => [row, `${name}.${index}`]));
  const rows = tokens.flatMap(({ kind, text }, row) => (kind === 'text' ? [`${named.get(row) ?? text} ${wordIds[row]}`] : []));
  expect(rows).toEqual(expected);
  for (const { row } of embedded) expect(tokens[row]).toMatchObject({ id: 0, weight: 1 });
  expect(diagnostics.map(({ start, end }) => prompt.slice(start, end))).toEqual(unknown);
  for (const { message } of diagnostics) expect(message).toMatch(/^(?:(?!\. ).)+\.$/);
});

test('embeddings have the weight of their brackets, move whole when short and are cut when long', () => {
  const { chunks } = tokensOf(`${cats(73)} (embedding:foo:0.5) ${cats(66)} (embedding:eight:2)`, {
    unit: 'segments',
    embeddings,
  });
  expect(chunks[0].embedded).toEqual([]);
  expect(chunks[1].embedded.map(({ row, name }) => [row, name])).toEqual([
    ...[1, 2, 3].map((row) => [row, 'foo']),
    ...[70, 71, 72, 73, 74, 75].map((row) => [row, 'eight']),
  ]);
  expect(chunks[2].embedded).toEqual([
    { row: 1, name: 'eight', index: 6 },
    { row: 2, name: 'eight', index: 7 },
  ]);
  expect(Array.from(chunks[1].perTokenWeights.slice(0, 5))).toEqual([1, 0.5, 0.5, 0.5, 1]);
  expect(
    tokensOf('embedding:big', { unit: 'words', embeddings }).chunks.map(({ embedded }) => embedded.length),
  ).toEqual([75, 5]);
});

test('inside a word a name is text', () => {
  for (const unit of comfyUnits)
    expect(tokensOf('xembedding:foo', { unit, embeddings }).chunks[0].embedded).toEqual([]);
});

test('nothing is encoded as one chunk', () => {
  for (const unit of comfyUnits) {
    const { chunks } = tokensOf(' () ', { unit });
    expect(chunks).toHaveLength(1);
    expect(Array.from(chunks[0].inputIds)).toEqual([bosTokenId, ...Array(76).fill(eosTokenId)]);
  }
});

test('every token is in a chunk, in order, with the id of its unit', () => {
  const atoms = [
    'cat ',
    'apricots ',
    ', ',
    '(red car:1.2)',
    '(a, b)',
    '\n',
    'qzxqzxqzxqzx',
    '猫 ',
    '\u200b',
    '(embedding:foo)',
    ' embedding:big ',
  ];
  const prompts = fc
    .array(fc.tuple(fc.constantFrom(...atoms), fc.integer({ min: 1, max: 30 })), { maxLength: 20 })
    .map((parts) => parts.map(([atom, times]) => atom.repeat(times)).join(''));
  fc.assert(
    fc.property(prompts, fc.constantFrom(...comfyUnits), (prompt, unit) => {
      const { chunks, fragments } = tokensOf(prompt, { unit, embeddings });
      for (const { tokens, inputIds, perTokenWeights, wordIds, embedded } of chunks) {
        expect([tokens.length, inputIds.length, perTokenWeights.length, wordIds.length]).toEqual([77, 77, 77, 77]);
        const ends = tokens.findIndex(({ kind }) => kind === 'eos');
        const texts = tokens.map((_, row) => 0 < row && row < ends);
        expect(tokens.map(({ kind }) => kind === 'text')).toEqual(texts);
        expect(Array.from(wordIds, (id) => id > 0)).toEqual(texts);
        expect(embedded.filter(({ row }) => inputIds[row] !== 0)).toEqual([]);
      }
      const written = chunks.flatMap(({ tokens, wordIds }) =>
        tokens.flatMap(({ fragment, range, weight }, row) =>
          fragment === null || !range ? [] : [{ fragment, ...range, weight, word: wordIds[row] }],
        ),
      );
      for (const order of [written.map(({ word }) => word), written.map(({ fragment }) => fragment)])
        expect(order).toEqual(order.toSorted((a, b) => a - b));
      const misplaced = written.filter(({ fragment, start, end, weight }) => {
        const of = fragments[fragment];
        return weight !== of.weight || start < of.start || end > of.end;
      });
      expect(misplaced).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
