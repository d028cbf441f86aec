import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseA1111 } from '../../prompt/a1111/emphasis.ts';
import type { Fragment } from '../../prompt/ast.ts';
import { sourceText } from '../../prompt/sourceText.ts';
import fc from '../../properties.ts';
import type { PromptEmbedding, TokenChunk } from '../promptTokens.ts';
import recorded from '../recorded/a1111_chunks.json';
import { createTokenizer } from '../tokenizer.ts';
import { chunkA1111, emptyChunk } from './a1111Chunks.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

function embedding(name: string, count: number): PromptEmbedding {
  return { name, vectors: Array.from({ length: count }, (_, index) => Float32Array.of(count, index)) };
}

/** The recording's. */
const embeddings = [
  embedding('easynegative', 8),
  embedding('sks dog', 3),
  embedding('longone', 74),
  embedding('hugeone', 80),
];

/** Embeddings in a chunk: the row of the first vector, counted without BOS; the name; the number of vectors. */
function fixesOf({ tokens, vectors }: TokenChunk): [number, string, number][] {
  return tokens.flatMap(({ vector }, row): [number, string, number][] => {
    if (!vector) return [];
    const [count, index] = vectors!.get(row)!;
    expect(index).toBe(vector.index);
    return index === 0 ? [[row - 1, vector.name, count]] : [];
  });
}

function whole(prompt: string): Fragment[] {
  return [{ kind: 'text', weight: 1, ...sourceText(prompt), start: 0, end: prompt.length }];
}

/** `[value, times]` of each run, as recorded. */
function runs(values: Iterable<number>): [number, number][] {
  const result: [number, number][] = [];
  for (const value of values) {
    const last = result.at(-1);
    if (last?.[0] === value) last[1]++;
    else result.push([value, 1]);
  }
  return result;
}

test.each(recorded)('recorded: $prompt, backtrack $commaPaddingBacktrack', (row) => {
  const { prompt, commaPaddingBacktrack, emphasis, textualInversion } = row;
  const parsed = parseA1111(prompt);
  const fragments = emphasis ? parsed.fragments : whole(prompt);
  const known = textualInversion ? embeddings : [];
  const { chunks, tokenCount, target } = chunkA1111(fragments, tokenizer, known, { commaPaddingBacktrack });
  // A number at which the original raises is text here.
  expect(parsed.diagnostics.some(({ severity }) => severity === 'error')).toBe('error' in row);
  if (!row.chunks) return;
  const actual = chunks.map((chunk) => ({
    tokens: runs(chunk.inputIds),
    multipliers: runs(chunk.perTokenWeights),
    fixes: fixesOf(chunk),
  }));
  expect({ tokenCount, target, chunks: actual }).toEqual({
    tokenCount: row.tokenCount,
    target: row.target,
    chunks: row.chunks,
  });
});

function words(prompt: string, options?: Parameters<typeof chunkA1111>[3]): string[] {
  return chunkA1111(parseA1111(prompt).fragments, tokenizer, [], options).chunks.map(({ tokens }) =>
    tokens
      .filter(({ kind }) => kind === 'text')
      .map(({ text }) => text.replace('</w>', ''))
      .join(' '),
  );
}

function repeated(word: string, times: number): string {
  return Array.from({ length: times }, () => word).join(' ');
}

// biome-ignore format: one prompt, one line
test.each<[string, number | undefined, [number, number]]>([
  // Tokens from the comma to the end of the chunk count.
  [`${repeated('cat', 55)}, ${repeated('dog', 20)}`, undefined, [56, 20]],
  [`${repeated('cat', 54)}, ${repeated('dog', 25)}`, undefined, [75, 5]],
  [`${repeated('cat', 54)}, ${repeated('dog', 25)}`, 21, [55, 25]],
  [`${repeated('cat', 55)}, ${repeated('dog', 20)}`, 19, [75, 1]],
  [`${repeated('cat', 74)}, ${repeated('dog', 2)}`, undefined, [75, 2]],
  [`${repeated('cat', 74)}, ${repeated('dog', 2)}`, 1, [75, 2]],
  [`${repeated('cat', 73)}, ${repeated('dog', 2)}`, 1, [75, 1]],
  [`${repeated('cat', 73)}, ${repeated('dog', 2)}`, 2, [74, 2]],
  [`${repeated('cat', 73)}, ${repeated('dog', 2)}`, 0, [75, 1]],
  // Not within 75 tokens.
  [`${repeated('cat', 55)}, ${repeated('dog', 19)}`, undefined, [75, 0]],
  [repeated('cat', 76), 80, [75, 1]],
  // The last comma is what matters, and only the token `,</w>` is one.
  [`${repeated('cat', 55)}, ${repeated('dog', 9)}, ${repeated('dog', 11)}`, undefined, [66, 11]],
  [`${repeated('cat', 55)} ,. ${repeated('dog', 20)}`, undefined, [75, 1]],
  // A comma that opens a chunk is no longer remembered.
  [`${repeated('cat', 75)}, ${repeated('dog', 75)}`, 75, [75, 75]],
])('%j with backtrack %j', (prompt, commaPaddingBacktrack, expected) => {
  const lengths = words(prompt, { commaPaddingBacktrack }).map((chunk) => (chunk === '' ? 0 : chunk.split(' ').length));
  expect([lengths[0], lengths[1] ?? 0]).toEqual(expected);
});

test('a BREAK ends a chunk, also an empty one', () => {
  expect(words('a BREAK b')).toEqual(['a', 'b']);
  expect(words('a BREAK')).toEqual(['a']);
  expect(words('BREAK BREAK')).toEqual(['', '']);
  expect(words('(a BREAK b)')).toEqual(['a break b']);
  const { tokenCount, target } = chunkA1111(parseA1111('a BREAK b').fragments, tokenizer);
  expect([tokenCount, target]).toEqual([76, 150]);
});

test('a comma is forgotten with its chunk', () => {
  expect(words(`${repeated('cat', 60)}, BREAK ${repeated('cat', 76)}`).map((chunk) => chunk.split(' ').length)).toEqual(
    [61, 75, 1],
  );
});

test('each token keeps its range, fragment and weight through moves', () => {
  const prompt = `${repeated('cat', 60)}, (${repeated('dog', 16)}:1.5)`;
  const [first, second] = chunkA1111(parseA1111(prompt).fragments, tokenizer).chunks;
  expect(first.tokens[61]).toMatchObject({ text: ',</w>', weight: 1, fragment: 0, range: { start: 239, end: 240 } });
  expect(first.tokens[62]).toEqual({
    kind: 'eos',
    id: 49407,
    text: '<|endoftext|>',
    weight: 1,
    range: null,
    fragment: null,
  });
  expect(first.tokens[63].kind).toBe('pad');
  expect(second.tokens[0].kind).toBe('bos');
  expect(second.tokens.slice(1, 17)).toMatchObject(
    Array.from({ length: 16 }, (_, i) => ({
      text: 'dog</w>',
      weight: 1.5,
      fragment: 1,
      range: { start: 242 + 4 * i, end: 245 + 4 * i },
    })),
  );
  expect(Array.from(second.perTokenWeights.slice(0, 18))).toEqual([1, ...Array(16).fill(1.5), 1]);
});

test('embeddings are found by their tokens within a fragment, the longest first, of equal ones the first', () => {
  const named = [embedding('sks', 1), embedding('sks dog', 2), embedding('SKS', 3), embedding('', 4)];
  const found = (prompt: string) => {
    const chunked = chunkA1111(parseA1111(prompt).fragments, tokenizer, named);
    const places = chunked.named.map(({ range: { start, end } }) => prompt.slice(start, end));
    return chunked.chunks
      .flatMap((chunk, i) => fixesOf(chunk).map(([offset, , count]) => [count, i, offset] as const))
      .map((fix, i) => [...fix, places[i]]);
  };
  expect(found('a sks dog, SKS')).toEqual([
    [2, 0, 1, 'sks dog'],
    [1, 0, 4, 'SKS'],
  ]);
  expect(found('(sks) dog')).toEqual([[1, 0, 0, 'sks']]);
  expect(found('mysks dog')).toEqual([[2, 0, 1, 'sks dog']]);
  expect(found('sks dogs')).toEqual([[1, 0, 0, 'sks']]);
  expect(found('a BREAK sks')).toEqual([[1, 1, 0, 'sks']]);
});

test('vectors stand at id 0 with the weight and range of the name', () => {
  const [{ tokens }] = chunkA1111(parseA1111('(a sks dog:1.5)').fragments, tokenizer, embeddings).chunks;
  expect(tokens.slice(2, 6)).toMatchObject([
    ...Array.from({ length: 3 }, () => ({ kind: 'text', id: 0, text: '!', weight: 1.5, range: { start: 3, end: 10 } })),
    { kind: 'eos' },
  ]);
});

test('tokens that move leave their fix behind', () => {
  const prompt = `${repeated('cat', 60)}, dog easynegative ${repeated('house', 10)}`;
  const { chunks, named } = chunkA1111(parseA1111(prompt).fragments, tokenizer, embeddings);
  expect(chunks.map(fixesOf)).toEqual([[[62, 'easynegative', 8]], []]);
  expect(named.map(({ range: { start, end } }) => prompt.slice(start, end))).toEqual(['easynegative']);
  expect(Array.from(chunks[1].inputIds.slice(2, 11))).toEqual([...Array(8).fill(0), 1212]);
  expect(chunks[0].inputIds[63]).toBe(49407);
});

test('more vectors than a chunk holds make it longer', () => {
  const { chunks } = chunkA1111(parseA1111('hugeone b').fragments, tokenizer, embeddings);
  expect(chunks.map(({ tokens }) => tokens.length)).toEqual([77, 83]);
});

test('an empty chunk is BOS and EOS', () => {
  expect(runs(emptyChunk(tokenizer).inputIds)).toEqual([
    [49406, 1],
    [49407, 76],
  ]);
});

test('chunks hold every token in order, 75 at most', () => {
  const unit = fc.constantFrom('cat ', 'a, ', ', ', '(b:1.5)', ' BREAK ', 'watercolour', '猫', '😀', '\ud83d');
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 300, size: 'max' }),
      fc.integer({ min: 0, max: 80 }),
      (prompt, backtrack) => {
        const { fragments } = parseA1111(prompt);
        const { chunks, tokenCount, target } = chunkA1111(fragments, tokenizer, [], {
          commaPaddingBacktrack: backtrack,
        });
        const placed = chunks.flatMap(({ tokens }) => tokens.filter(({ kind }) => kind === 'text'));
        const expected = fragments.flatMap((fragment, index) =>
          fragment.kind === 'break' ? [] : tokenizer.tokenize(fragment).map(({ id }) => [id, fragment.weight, index]),
        );
        expect(placed.map(({ id, weight, fragment }) => [id, weight, fragment])).toEqual(expected);
        for (const { tokens, inputIds } of chunks) {
          expect([tokens.length, inputIds.length]).toEqual([77, 77]);
          expect([inputIds[0], inputIds[76]]).toEqual([49406, 49407]);
        }
        const last = chunks.at(-1)!.tokens.filter(({ kind }) => kind === 'text').length;
        // After a BREAK at the end the last chunk counts whole.
        expect([75 * chunks.length, 75 * (chunks.length - 1) + last]).toContain(tokenCount);
        expect(target).toBe(75 * chunks.length);
      },
    ),
    { numRuns: 100 },
  );
});
