/**
 * Embeddings out of public bug reports of other programs, by the report's number, with what the original program makes of
 * each; and further inputs of the same kinds.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { writeSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { png, tEXt } from '../files/testing/png.ts';
import { type TorchSpec, torchBytes } from '../files/testing/torch.ts';
import { type Embedding, openEmbeddings } from '../models/embeddingFile.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { defaultOptions } from './options.ts';
import { preparePrompt } from './pipeline.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const d = 768;
const spec = (name: string, shape: readonly number[]): TorchSpec => ({
  name,
  dtype: 'F32',
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => (i % 13) / 16),
});
const open = (bytes: Uint8Array, file: string) => openEmbeddings(memorySource(bytes, file));
const vectorsFile = (n: number, file: string) => open(writeSafetensors([spec('emb_params', [n, d])]), file);

function read(prompt: string, syntax: Syntax, embeddings: readonly Embedding[]) {
  const options = { ...defaultOptions, syntax };
  const { chunks, diagnostics } = preparePrompt(prompt, options, tokenizer, 'positive', embeddings);
  const tokens = chunks.flatMap(({ chunk }) => chunk.tokens).filter(({ kind }) => kind === 'text');
  /** Ids, and `v` for each vector. */
  const ids = tokens.map(({ id, vector }) => (vector ? 'v' : id));
  return { ids, vectors: tokens.flatMap(({ vector }) => (vector ? [vector] : [])), diagnostics };
}

const three = ['v', 'v', 'v'];
test.each<[string, string, string, (number | string)[]]>([
  ['B29', 'easyneg.safetensors', 'a embedding:easyneg.safetensors blurry', [320, ...three, 21977]],
  ['B29', 'easyneg.safetensors', 'a embedding:neg/easyneg blurry', [320, ...three, 21977]],
  ['B29', 'easyneg.pt', 'a embedding:easyneg.pt blurry', [320, ...three, 21977]],
  ['in two folders, with its ending', 'easyneg.pt', 'a embedding:sd1/neg/easyneg.pt blurry', [320, ...three, 21977]],
  ['in a folder of Windows', 'easyneg.bin', String.raw`a embedding:neg\\easyneg blurry`, [320, ...three, 21977]],
  ['a dot in its name', 'easy.v2.safetensors', 'a embedding:easy.v2 blurry', [320, ...three, 21977]],
  ['by an ending that ComfyUI does not try', 'easyneg.ckpt', 'a embedding:easyneg.ckpt blurry', [320, ...three, 21977]],
  ['with a comma', 'easyneg.safetensors', 'a embedding:neg/easyneg.safetensors, blurry', [320, ...three, 267, 21977]],
  ['weighted', 'easyneg.pt', 'a (embedding:easyneg.pt:1.2) blurry', [320, ...three, 21977]],
  ['by another file’s ending', 'easyneg.pt', 'a embedding:easyneg.safetensors blurry', [320, 21977]],
  ['B01', 'easyneg.safetensors', 'a photo, embedding:easyneg,blurry', [320, 1125, 267]],
])('ComfyUI, %s: of %s, %s', async (_, file, prompt, ids) => {
  expect(read(prompt, 'comfy', await vectorsFile(3, file)).ids).toEqual(ids);
});

test.each([
  ['B28', 'a photo of easyneg', 76, 1],
  ['twice, at a weight', 'easyneg, (an easyneg:1.2)', 80, 2],
  ['in a schedule', '[easyneg:cat:0.5]', 200, 1],
  ['no name of it', 'a photo of a cat', 76, 0],
])('A1111, %s: an embedding that is longer than a chunk is told of', async (_, prompt, vectors, times) => {
  const { diagnostics } = read(prompt, 'a1111', await vectorsFile(vectors, 'easyneg.safetensors'));
  const told = diagnostics.filter(({ code }) => code === 'overlong-embedding');
  expect(told).toHaveLength(times);
  for (const { severity, message, start, end } of told) {
    expect(severity).toBe('error');
    expect(prompt.slice(start, end)).toBe('easyneg');
    expect(message).toContain(`A1111 makes a chunk of ${vectors + 2} tokens, and its encoder stops with an error`);
  }
  expect(read(prompt, 'comfy', []).diagnostics.filter(({ code }) => code === 'overlong-embedding')).toEqual([]);
});

test.each([75, 10, 1])('A1111, B25: an embedding of %i vectors is no longer than a chunk', async (vectors) => {
  const embeddings = await vectorsFile(vectors, 'easyneg.safetensors');
  const read75 = read('image of easyneg doing something', 'a1111', embeddings);
  expect(read75.vectors).toHaveLength(vectors);
  expect(read75.diagnostics).toEqual([]);
});

test('B26: of two names that begin alike the longer is found', async () => {
  const files = ['embeddings_gs-999', 'embeddings_gs-999_2'];
  const embeddings = (await Promise.all(files.map((name, i) => vectorsFile(i + 2, `${name}.pt`)))).flat();
  const { vectors } = read('a photo of embeddings_gs-999_2 in snow', 'a1111', embeddings);
  expect(vectors.map(({ name }) => name)).toEqual(Array(3).fill(files[1]));
});

const recorded = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../models/recorded/reports/${name}`, import.meta.url)));

test.each<[string, Uint8Array, string, [string, string | undefined, number][]]>([
  ['B45', recorded('pivotal4903.safetensors'), 'pivotal4903.safetensors', [['pivotal4903', undefined, 2]]],
  [
    'B45: two tokens',
    writeSafetensors([spec('<s0>', [d]), spec('<s1>', [d])]),
    'tok.safetensors',
    [
      ['tok', '<s0>', 1],
      ['<s1>', '<s1>', 1],
    ],
  ],
  [
    'B45: a list',
    torchBytes([spec('a', [2, d]), spec('b', [d]), spec('c', [1, 1280])], {
      within: (state) => [...state].map(([name, value]) => new Map([[name, value]])),
    }),
    'list.pt',
    [['list', undefined, 3]],
  ],
  ['two encoders', writeSafetensors([spec('te1', [3, d]), spec('te2', [3, 1280])]), 'x.pt', [['x', undefined, 3]]],
  ['names of no meaning', torchBytes([spec('embedding', [4, d])]), 'x.bin', [['x', 'embedding', 4]]],
])('%s is a textual inversion', async (_, bytes, file, expected) => {
  const embeddings = await open(bytes, file);
  expect(embeddings.map(({ name, trainedAs, vectors }) => [name, trainedAs, vectors.length])).toEqual(expected);
});

const card = (name: string | undefined, n: number) => {
  const rows = Array.from({ length: n }, () => Array(d).fill(0.25));
  const data = { name, string_to_token: { '*': 265 }, string_to_param: { '*': { TORCHTENSOR: rows } } };
  return png(tEXt('sd-ti-embedding', Buffer.from(JSON.stringify(data)).toString('base64')));
};

test('B47: a picture’s embedding goes by the name inside it, not by the file’s', async () => {
  const embeddings = await open(card('rick', 8), 'renamed_card.png');
  const { ids } = read('a photo of rick', 'a1111', embeddings);
  expect(ids).toEqual([320, 1125, 539, ...Array(8).fill('v')]);
  expect(read('a photo of renamed_card', 'a1111', embeddings).vectors).toEqual([]);
});

test('a picture without a name goes by its file’s, and one of 75 vectors is read', async () => {
  const [{ name, vectors }] = await open(card(undefined, 75), 'card.png');
  expect([name, vectors.length]).toEqual(['card', 75]);
});

test('a file of another encoder’s vectors says so', async () => {
  const bytes = writeSafetensors([spec('a', [2, 1024]), spec('b', [2, 1280])]);
  await expect(open(bytes, 'x.pt')).rejects.toThrow('has vectors of width 1024, as for Stable Diffusion 2');
});

test('vectors that share their bytes are bounded', async () => {
  const state = (inner: Map<string, unknown>) => {
    const [view] = inner.values();
    return new Map(Array.from({ length: 900 }, (_, i) => [`token ${i}`, view]));
  };
  const bytes = torchBytes([spec('a', [1024, d])], { within: state });
  await expect(open(bytes, 'x.pt')).rejects.toThrow('has more than 20000 vectors');
});

const recordedCard = (file: string) =>
  openEmbeddings(memorySource(readFileSync(`src/models/recorded/cards/${file}`), file), { hiddenSize: 64 });

test.each(['card.png', 'card_rgba.png', 'card_border.png'])(
  'B48: the pixels of %s hold the embedding, and its name',
  async (file) => {
    const [{ name, vectors }, ...others] = await recordedCard(file);
    expect([name, vectors.length, others]).toEqual(['rick', 8, []]);
    expect(
      vectors.map((vector, i) => vector.every((value, j) => value === (((i * 7 + j * 13) % 129) - 64) / 64)),
    ).toEqual(Array(8).fill(true));
  },
);

test.each([
  ['card.webp', 'is a WebP, whose pixels only a browser reads here: open it on the page, or save it as a PNG'],
  ['card_lossy.webp', 'is a picture without an embedding in its texts or its pixels'],
])('B48: outside of a browser, %s %s', async (file, why) => {
  await expect(recordedCard(file)).rejects.toThrow(`"${file}" ${why}.`);
});

test('a card with a changed pixel, or cut, has no embedding, and no wrong one', async () => {
  const [whole] = await recordedCard('card.png');
  const bytes = readFileSync('src/models/recorded/cards/card.png');
  for (let place = 60; place < bytes.length - 20; place += 41) {
    const changed = Uint8Array.from(bytes);
    changed[place] ^= 4;
    const opened = await openEmbeddings(memorySource(changed, 'card.png'), { hiddenSize: 64 }).catch(
      (error: Error) => error.message,
    );
    if (typeof opened === 'string')
      expect(opened).toBe('"card.png" is a picture without an embedding in its texts or its pixels.');
    else expect(opened).toEqual([whole]);
  }
});
