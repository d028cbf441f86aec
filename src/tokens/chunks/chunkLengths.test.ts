import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Fragment } from '../../prompt/ast.ts';
import { sourceText } from '../../prompt/sourceText.ts';
import { eosTokenId } from '../clipVocabulary.ts';
import { withMaxLength } from '../maxLength.ts';
import type { ChunkedPrompt } from '../promptTokens.ts';
import { createTokenizer } from '../tokenizer.ts';
import { chunkA1111, fittingEmbeddings } from './a1111Chunks.ts';
import { chunkComfy } from './comfyChunks.ts';
import { chunkCompel } from './compelChunks.ts';

const ofClip = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const long = withMaxLength(ofClip, 248);
const short = withMaxLength(ofClip, 16);

const text = (prompt: string): Fragment[] => [
  { kind: 'text', weight: 1, ...sourceText(prompt), start: 0, end: prompt.length },
];
const cats = (count: number) => Array(count).fill('cat').join(' ');
/** The typed tokens of each chunk. */
const sizes = ({ chunks }: ChunkedPrompt) =>
  chunks.map(({ tokens }) => tokens.filter(({ kind }) => kind === 'text').length);

const split = { truncate: false, split: 'WORDS' } as const;
const languages = [
  ['a1111', (prompt: string, tokenizer = long) => chunkA1111(text(prompt), tokenizer)],
  ['comfy', (prompt: string, tokenizer = long) => chunkComfy(text(prompt), tokenizer, [], { unit: 'words' })],
  ['compel', (prompt: string, tokenizer = long) => chunkCompel(text(prompt), tokenizer, [], split)],
] as const;

test.each(languages)('%s fills chunks of 248 tokens, and goes on after 246 words', (_, chunk) => {
  const one = chunk(cats(100));
  const [{ tokens, inputIds, perTokenWeights }] = one.chunks;
  expect([one.chunks.length, one.tokenCount, one.target]).toEqual([1, 100, 246]);
  expect([tokens.length, inputIds.length, perTokenWeights.length]).toEqual([248, 248, 248]);
  expect(tokens.findIndex(({ kind }) => kind === 'eos')).toBe(101);
  expect(inputIds.subarray(101).every((id) => id === eosTokenId)).toBe(true);
  expect(sizes(chunk(cats(246)))).toEqual([246]);
  expect(sizes(chunk(cats(247)))).toEqual([246, 1]);
  expect(chunk(cats(247)).target).toBe(492);
  expect(sizes(chunk(cats(30), short))).toEqual([14, 14, 2]);
  expect(sizes(chunk(cats(100), ofClip))).toEqual([75, 25]);
});

test('A1111 parts a chunk of 248 at a comma near its end, and takes embeddings of up to 246 vectors', () => {
  expect(sizes(chunkA1111(text(`${cats(230)}, ${cats(20)}`), long))).toEqual([231, 20]);
  expect(sizes(chunkA1111(text(`${cats(70)}, ${cats(20)}`), long))).toEqual([91]);
  const embeddings = [246, 247].map((count) => ({
    name: `has ${count}`,
    vectors: Array.from({ length: count }, () => Float32Array.of(count)),
  }));
  expect(fittingEmbeddings(embeddings, long)).toEqual([embeddings[0]]);
  expect(fittingEmbeddings(embeddings, ofClip)).toEqual([]);
});

test('Compel by itself cuts off what a chunk of 248 does not hold', () => {
  const { chunks, cut, fragmentRanges } = chunkCompel(text(cats(250)), long);
  expect([sizes({ chunks } as ChunkedPrompt), cut.length]).toEqual([[246], 4]);
  expect(fragmentRanges).toEqual([{ start: 1, end: 247 }]);
});

test('ComfyUI keeps a word of few tokens whole at the end of a chunk of 248', () => {
  const word = 'supercalifragilistic';
  const pieces = ofClip.tokenize(sourceText(word)).length;
  expect(pieces).toBeGreaterThan(2);
  expect(sizes(chunkComfy(text(`${cats(245)} ${word}`), long, [], { unit: 'words' }))).toEqual([245, pieces]);
});
