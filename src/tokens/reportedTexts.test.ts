/**
 * Texts out of public bug reports of other programs, by the report's number, with the ids and chunks that the original
 * programs make of them; and further texts of the same kinds.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { parseCompel } from '../prompt/compel/compelPrompt.ts';
import { sourceText } from '../prompt/sourceText.ts';
import { wordEnd } from './bytePairs.ts';
import { chunkA1111 } from './chunks/a1111Chunks.ts';
import { chunkComfy } from './chunks/comfyChunks.ts';
import { chunkCompel, compelChunkDefaults, splitModes } from './chunks/compelChunks.ts';
import { bosTokenId } from './clipVocabulary.ts';
import type { PromptEmbedding, TokenChunk } from './promptTokens.ts';
import { createTokenizer } from './tokenizer.ts';
import { type TokenizerFlavour, tokenizerFlavours } from './tokenizerFlavours.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

const idsOf = (text: string, flavour?: TokenizerFlavour) =>
  tokenizer.tokenize(sourceText(text), flavour).map(({ id }) => id);

test.each<[string, string, number[]]>([
  ['B03', 'snakebite (piercing)', [30133, 41613, 263, 22557, 264]],
  ['B03', String.raw`snakebite \\(piercing\\)`, [30133, 41613, 59, 59, 263, 22557, 59, 59, 264]],
  ['B18', "you're, don't, her's", [592, 982, 267, 847, 713, 267, 899, 568]],
  ['B18', "You should've done this", [592, 1535, 1200, 1700, 589]],
  ['B18', "the cat's\nhat", [518, 2368, 568, 3801]],
  ['B18', "YOU'RE DON'T", [592, 982, 847, 713]],
  ['an apostrophe by itself', "cat ' s", [2368, 262, 338]],
  ['a contraction after a number', "1's", [272, 568]],
  ['contractions in a row', "he'd've", [797, 1896, 1200]],
  ['B21', '1233', [272, 273, 274, 274]],
  ['B21', '12 33', [272, 273, 274, 274]],
  ['B21', "'Medicare For All", [880, 25184, 631, 556, 615]],
  ['B21', "'M edicare For All", [880, 25184, 631, 556, 615]],
  ['every digit by itself', '1 2 3 3', [272, 273, 274, 274]],
  ['letters and digits', 'cat12', [2368, 272, 273]],
  ['B22', '! !! !!!', [256, 748, 995]],
  ['one word of them', '!!!!!!', [512 + 8656]],
])('%s: %s in every flavour', (_, text, ids) => {
  for (const flavour of tokenizerFlavours) expect(idsOf(text, flavour), flavour).toEqual(ids);
});

/** Every word of the vocabulary whose bytes are whole UTF-8, by its id. */
function vocabularyWords(): [number, string][] {
  const isPrinted = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  // The first 256 entries are the bytes: those that are printed as themselves come first.
  const byteOf = new Map(
    [...bytes.filter(isPrinted), ...bytes.filter((byte) => !isPrinted(byte))].map((byte, id) => [
      tokenizer.entry(id),
      byte,
    ]),
  );
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const words: [number, string][] = [];
  for (let id = 256; id < bosTokenId; id++) {
    const entry = tokenizer.entry(id);
    if (!entry.endsWith(wordEnd)) continue;
    const encoded = Uint8Array.from(entry.slice(0, -wordEnd.length), (character) => byteOf.get(character)!);
    try {
      words.push([id, decoder.decode(encoded)]);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
  }
  return words;
}

test('B16: every word of the vocabulary is itself, but for capitals and what is no text', () => {
  const words = vocabularyWords();
  expect(words).toHaveLength(34337);
  /** Numbers of words that are not one token: control characters and white space, by flavour. */
  const apart: Record<TokenizerFlavour, number> = {
    'hf-slow-ftfy': 34,
    'hf-slow': 54,
    'hf-fast': 6,
    'hf-v5': 6,
    openai: 34,
  };
  for (const flavour of tokenizerFlavours) {
    const others = words.filter(([id, word]) => {
      const ids = idsOf(word, flavour);
      return ids.length !== 1 || ids[0] !== id;
    });
    const capitals = others.filter(([, word]) => /^[A-Z]$/.test(word));
    expect(capitals, flavour).toHaveLength(26);
    for (const [, word] of capitals) expect(idsOf(word, flavour)).toEqual(idsOf(word.toLowerCase(), flavour));
    const notOne = others.filter(([, word]) => idsOf(word, flavour).length !== 1);
    expect(notOne, flavour).toHaveLength(apart[flavour]);
    expect(others.length - notOne.length - 26, flavour).toBeLessThan(6);
  }
});

const textOf = ({ tokens }: TokenChunk) => tokens.filter(({ kind }) => kind === 'text');
const embedding = (name: string, count: number): PromptEmbedding => ({
  name,
  vectors: Array.from({ length: count }, (_, i) => Float32Array.of(i)),
});
/** Numbers of tokens, vectors among them, in each chunk. */
const lengths = (chunks: readonly TokenChunk[]) => chunks.map((chunk) => textOf(chunk).length);
/** Numbers of vectors in each chunk. */
const vectors = (chunks: readonly TokenChunk[]) =>
  chunks.map((chunk) => textOf(chunk).filter(({ vector }) => vector).length);

const words = 'apple, realistic, detailed, ';
const weighted = 'apple, realistic, (detailed:1.2), ';
test.each<[string, string, number[], number[]]>([
  ['B23', words.repeat(17), [75, 27], [0, 0]],
  ['B23', words.repeat(16) + weighted, [75, 27], [0, 1]],
  ['weighted in front', weighted + words.repeat(16), [75, 27], [1, 0]],
  // Between the weights are five tokens, too few to be parted.
  ['weighted everywhere', weighted.repeat(17), [71, 31], [12, 5]],
  ['exactly full', 'cat '.repeat(75), [75], [0]],
])('ComfyUI, %s: a long prompt is cut at 75 tokens', (_, prompt, counts, weights) => {
  const { chunks } = chunkComfy(parseComfy(prompt).fragments, tokenizer, [], {});
  expect(lengths(chunks)).toEqual(counts);
  expect(chunks.map(({ perTokenWeights }) => perTokenWeights.filter((weight) => weight !== 1).length)).toEqual(weights);
});

test.each(splitModes)('Compel, B24, by %s: exclamation marks', (split) => {
  const idsOfChunks = (prompt: string) =>
    chunkCompel(parseCompel(prompt).fragments, tokenizer, [], {
      ...compelChunkDefaults,
      truncate: false,
      split,
    }).chunks.map((chunk) => textOf(chunk).map(({ id }) => id));
  const sixteen = [11281, 21622];
  expect(idsOfChunks(Array(5).fill('!'.repeat(16)).join(' '))).toEqual([Array(5).fill(sixteen).flat()]);
  expect(idsOfChunks('! '.repeat(100))).toEqual([Array(75).fill(256), Array(25).fill(256)]);
  // Without a space before it, the word after them is a word of its own.
  expect(idsOfChunks(`a${'!'.repeat(200)} cat`)).toEqual([[320, ...Array(12).fill(30146), 21622, 2368]]);
  expect(idsOfChunks('! '.repeat(75))).toEqual([Array(75).fill(256)]);
});

test.each([3, 10])('A1111, B25: %i vectors go whole to the next chunk where they do not fit', (count) => {
  for (let cats = 70; cats <= 76; cats++) {
    const { fragments } = parseA1111(`${'cat '.repeat(cats)}easyneg`);
    const { chunks } = chunkA1111(fragments, tokenizer, [embedding('easyneg', count)], { commaPaddingBacktrack: 20 });
    const fits = cats + count <= 75;
    const beside = Math.max(0, cats - 75);
    expect(lengths(chunks), `${cats}`).toEqual(fits ? [cats + count] : [Math.min(cats, 75), beside + count]);
    expect(vectors(chunks)).toEqual(fits ? [count] : [0, count]);
  }
});

test.each([
  ['whole to the next chunk', 3],
  ['whole to the next chunk', 7],
  ['in part', 8],
  ['in part', 10],
] as const)('ComfyUI, B25: vectors that do not fit go %s: %i', (how, count) => {
  for (let cats = 70; cats <= 76; cats++) {
    const { fragments } = parseComfy(`${'cat '.repeat(cats)}embedding:easyneg`);
    const { chunks } = chunkComfy(fragments, tokenizer, [embedding('easyneg', count)], {});
    const room = Math.max(0, 75 - cats);
    const fits = cats <= 75 && count <= room;
    const here = fits ? count : how === 'in part' ? room : 0;
    const there = count - here;
    expect(vectors(chunks), `${cats}`).toEqual(there === 0 ? [here] : [here, there]);
  }
});

test.each<[string, string, number[], number]>([
  ...(
    [
      [60, [68], 68],
      [67, [75], 75],
      // The comma is near enough: what follows it moves on, and the chunk is filled up.
      [68, [74, 2], 77],
      [69, [75, 2], 77],
      [70, [75, 3], 78],
      [75, [75, 8], 83],
    ] as const
  ).map(([commas, counts, total]): [string, string, number[], number] => [
    `B27: ${commas} commas`,
    `masterpiece, 1girl, cute${', '.repeat(commas)}orange hair`,
    [...counts],
    total,
  ]),
  ['B27', `masterpiece, 1girl, cute${', '.repeat(73)}green eyes${', '.repeat(12)}`, [75, 18], 93],
  ['a comma that is too far', `cat, ${'cat '.repeat(80)}`, [75, 7], 82],
  ['commas alone', ', '.repeat(80), [75, 5], 80],
])('A1111, %s: chunks are %j', (_, prompt, counts, total) => {
  const { chunks, tokenCount } = chunkA1111(parseA1111(prompt).fragments, tokenizer, [], { commaPaddingBacktrack: 20 });
  expect(lengths(chunks)).toEqual(counts);
  expect(tokenCount).toBe(total);
});
