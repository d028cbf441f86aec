import { expect, test } from 'vitest';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { withRowsAlone } from '../clip/maskEffects.ts';
import { tokenizer } from '../state/testing/fakeEncoder.ts';
import type { PromptEmbedding } from '../tokens/promptTokens.ts';
import { compelMask } from '../weighting/compelMask.ts';
import type { ZOf } from '../weighting/method.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt, promptEmbeds, promptPasses } from './pipeline.ts';

/** Outputs that tell passes and rows apart, [77, 2]. */
const zOf: ZOf = ({ inputIds, keyMask }) =>
  Float32Array.from({ length: 77 * 2 }, (_, i) =>
    Math.sin(i + inputIds.reduce((sum, id, row) => sum + id * (row + 1) * (keyMask[row] + 1), 0)),
  );
const read = (prompt: string, options: Partial<PromptOptions>, embeddings: readonly PromptEmbedding[] = []) =>
  preparePrompt(prompt, { ...defaultOptions, weighting: 'none', ...options }, tokenizer, 'positive', embeddings);
const row = (of: ArrayLike<number>, at: number) => [of[2 * at], of[2 * at + 1]];

test('words alone: each word has the rows that it has without the others, and BOS, EOS and PAD their own', () => {
  const prompt = 'a xylophonist, red';
  const found = read(prompt, { context: 'alone' });
  const { pass, chunk } = found.chunks[0];
  expect(pass).toEqual(read(prompt, {}).chunks[0].pass);
  const [embeds] = promptEmbeds(found, zOf, 'none');
  const last = chunk.tokens.findIndex(({ kind }) => kind === 'eos') - 1;
  for (const at of [0, 1, last + 1, 76]) expect(row(embeds, at)).toEqual(row(zOf(pass), at));
  expect(row(embeds, last)).toEqual(row(zOf(withRowsAlone(pass, [last])), last));
  const word = chunk.tokens.flatMap(({ range }, at) => (range && range.start >= 2 && range.end <= 13 ? [at] : []));
  expect(word.length).toBeGreaterThan(1);
  for (const at of word) expect(row(embeds, at)).toEqual(row(zOf(withRowsAlone(pass, word)), at));
  expect(promptPasses(found, 'none').every(({ derived }) => derived === undefined)).toBe(true);
});

test('words alone: a method that makes other versions of the prompt takes their words alone too, before it weighs', () => {
  const found = read('a cat, [red]', { context: 'alone' });
  const passes = promptPasses(found, compelMask.name);
  expect(passes.every(({ derived }) => derived === undefined)).toBe(true);
  const [embeds] = promptEmbeds(found, zOf, compelMask.name);
  // The masked version hides “red” from EOS, which is not taken alone.
  expect(row(embeds, 5)).not.toEqual(row(zOf(found.chunks[0].pass), 5));
  const scaled = promptEmbeds(read('a (cat:2)', { context: 'alone' }), zOf, 'scale')[0];
  const { pass } = read('a (cat:2)', {}).chunks[0];
  const alone = row(zOf(withRowsAlone(pass, [2])), 2);
  expect(row(scaled, 2)).toEqual(alone.map((value) => Math.fround(value * 2)));
});

test('words alone: the vectors of an embedding are one word, and the word after it is another', () => {
  const embedding = { name: 'style', vectors: [Float32Array.of(1, 2), Float32Array.of(3, 4)] };
  const found = read('style cat', { context: 'alone' }, [embedding]);
  const { pass } = read('style cat', {}, [embedding]).chunks[0];
  expect([...pass.vectors!.keys()]).toEqual([1, 2]);
  const [embeds] = promptEmbeds(found, zOf, 'none');
  for (const at of [1, 2]) expect(row(embeds, at)).toEqual(row(zOf(pass), at));
  expect(row(embeds, 3)).toEqual(row(zOf(withRowsAlone(pass, [3])), 3));
});

test('words alone: a map of rows is applied to a word as it is alone, and chunks without a map are alone, too', () => {
  const prompt = 'a red cat BREAK a blue dog';
  const found = read(prompt, { context: 'alone', weighting: 'psi', rowMaps: '3: z * 2' });
  const [first, second] = read(prompt, {}).chunks.map(({ pass }) => pass);
  const [embeds] = promptEmbeds(found, zOf, 'psi');
  const alone = (pass: EncoderPass, at: number) => row(zOf(withRowsAlone(pass, [at])), at);
  expect(row(embeds, 2)).toEqual(alone(first, 2));
  expect(row(embeds, 3)).toEqual(alone(first, 3).map((value) => Math.fround(value * 2)));
  expect(row(embeds, 4)).toEqual(row(zOf(first), 4));
  expect(row(embeds, 77 + 3)).toEqual(alone(second, 3));
});

test('maps of rows are read where they are applied, and not for other methods', () => {
  const texts: string[] = [];
  const counting = {
    ...tokenizer,
    tokenize(...asked: Parameters<typeof tokenizer.tokenize>) {
      texts.push(asked[0].text);
      return tokenizer.tokenize(...asked);
    },
  };
  const readOf = (weighting: PromptOptions['weighting']) =>
    preparePrompt('cat', { ...defaultOptions, weighting, rowMaps: '1: r; r = fog' }, counting);
  const found = readOf('none');
  expect(promptPasses(found, 'none')).toHaveLength(1);
  expect(texts).toEqual(['cat']);
  expect(promptPasses(found, 'psi')).toHaveLength(2);
  expect(texts).toEqual(['cat', 'fog']);
  readOf('psi');
  expect(texts).toEqual(['cat', 'fog', 'cat', 'fog']);
});
