import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { chunkTokens } from '../clip/chunks.ts';
import { type ComfyUnit, comfyTokens } from '../clip/comfyTokens.ts';
import { clipTiny, clipVitL14, padTokenId } from '../clip/config.ts';
import { expectClose, recordedArray } from '../clip/testing/recorded.ts';
import { createTokenizer } from '../clip/tokenizer.ts';
import { parseA1111 } from '../prompt/a1111.ts';
import { parseComfy } from '../prompt/comfy.ts';
import { parseCompel } from '../prompt/compel.ts';
import { sourceText } from '../prompt/sourceText.ts';
import { batchRatios } from './a1111.ts';
import { compose, compositionPasses } from './composition.ts';
import type { WeightedPrompt, ZOf } from './method.ts';
import { type MethodName, methods } from './methods.ts';
import { normaliseTokens, type TokenNormalisation } from './normalise.ts';
import a1111Recorded from './recorded/index_a1111.json';
import a1111Rest from './recorded/index_a1111_rest.json';
import comfyRecorded from './recorded/index_comfy.json';
import compelRecorded from './recorded/index_compel.json';
import compel221Recorded from './recorded/index_compel221.json';
import { referenceZ, withPasses } from './testing/reference.ts';
import { compelComposition, compelPromptDefaults, weightedPrompt } from './weightedPrompt.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const L = clipVitL14.maxPositionEmbeddings;

const tiny = referenceZ(clipTiny);
let full: typeof tiny | undefined;
function encoderOf(name: string): typeof tiny {
  if (!name.startsWith('full')) return tiny;
  full ??= referenceZ(clipVitL14);
  return full;
}

/** Two units in the last place of the largest values. */
const atol = 1e-6;

function expectRecorded(name: string, embeds: Float32Array): void {
  expectClose(name, embeds, recordedArray(`weighting/recorded/${name}.npy`).data, atol);
}

function embedsOf(method: MethodName, prompt: WeightedPrompt, zOf: ZOf): Float32Array {
  return withPasses(methods[method].passes(prompt), zOf, (z) => methods[method].combine(prompt, z));
}

/** Ids or weights as recorded, padded to L. */
function padded(rows: readonly (readonly number[])[], pad: number): number[][] {
  return rows.map((row) => [...row, ...Array(L - row.length).fill(pad)]);
}

function expectTokens(
  { chunks }: WeightedPrompt,
  recorded: { readonly tokens: readonly (readonly number[])[]; readonly weights: readonly (readonly number[])[] },
): void {
  expect(chunks.map(({ pass }) => Array.from(pass.inputIds))).toEqual(padded(recorded.tokens, padTokenId));
  expect(chunks.map(({ perTokenWeights }) => Array.from(perTokenWeights))).toEqual(padded(recorded.weights, 1));
}

interface A1111Record {
  readonly prompt: string;
  readonly emphasis: string;
  readonly clip_skip?: number;
  readonly tokens: number[][];
  readonly multipliers: number[][];
  readonly ratio_original_mean_over_new_mean?: number[];
}

function a1111Prompt(prompt: string, emphasis = true): WeightedPrompt {
  const plain = [{ kind: 'text' as const, weight: 1, ...sourceText(prompt), start: 0, end: prompt.length }];
  const { chunks } = chunkTokens(emphasis ? parseA1111(prompt).fragments : plain, tokenizer);
  return weightedPrompt(chunks, 'causal');
}

const { tiny_B_a1111_original_batch2: batch, ...a1111 } = { ...a1111Recorded, ...a1111Rest };
const emphases: Readonly<Record<string, MethodName>> = {
  Original: 'original',
  'No norm': 'scale',
  Ignore: 'none',
  None: 'none',
};

describe('A1111, as recorded', () => {
  test.each(Object.entries<A1111Record>(a1111))('%s', async (name, record) => {
    const prompt = a1111Prompt(record.prompt, record.emphasis !== 'None');
    expectTokens(prompt, { tokens: record.tokens, weights: record.multipliers });
    const zOf = (await encoderOf(name))(record.clip_skip ?? 1);
    const ratios = record.ratio_original_mean_over_new_mean;
    if (ratios) expectClose('ratios', batchRatios(prompt, zOf), ratios, 1e-8);
    expectRecorded(name, embedsOf(emphases[record.emphasis], prompt, zOf));
  });

  test('one mean for both texts of a batch', async () => {
    const zOf = (await tiny)(1);
    const texts = batch.prompts.map((prompt) => a1111Prompt(prompt));
    const together = texts.map((prompt) => ({
      ...prompt,
      batch: texts.filter((other) => other !== prompt).map(({ chunks }) => chunks),
    }));
    const embeds = together.map((prompt) => embedsOf('original', prompt, zOf));
    const stacked = Float32Array.from(embeds.flatMap((rows) => [...rows]));
    expectRecorded('tiny_B_a1111_original_batch2', stacked);
    expect(embeds[0]).not.toEqual(embedsOf('original', texts[0], zOf));
  });
});

interface CompelRecord {
  readonly prompt: string;
  readonly method: string;
  readonly options?: string;
  readonly returned?: string;
  readonly fragments?: string[];
  readonly weights?: number[];
  readonly tokens?: number[][];
  readonly per_token_weights?: number[][];
  readonly padding_attention_mask_value?: number;
}

describe('Compel, as recorded', () => {
  const records = Object.entries<CompelRecord>({ ...compelRecorded, ...compel221Recorded });
  test.each(records)('%s', async (name, record) => {
    const parsed = parseCompel(record.prompt);
    const mask = record.padding_attention_mask_value === 0 ? 'hf' : 'causal';
    const composition = compelComposition(parsed, tokenizer, { ...compelPromptDefaults, mask });
    const { tokens, fragments, weights, per_token_weights: perTokenWeights } = record;
    if (fragments) expect(parsed.fragments.map(({ text }) => text)).toEqual(fragments);
    if (weights)
      expectClose(
        'weights',
        parsed.fragments.map(({ weight }) => weight),
        weights,
        1e-12,
      );
    if (tokens && perTokenWeights)
      expectTokens(composition.parts[0].blend.prompts[0], { tokens, weights: perTokenWeights });
    const encode = await encoderOf(name);
    const zOf = record.returned === 'penult' ? encode(2, false) : encode(record.method.includes('PENULTIMATE') ? 2 : 1);
    const method = methods[record.options === 'remove' ? 'compel-remove' : 'compel-mask'];
    const embeds = withPasses(compositionPasses(method, composition), zOf, (z) => compose(method, composition, z));
    expectRecorded(name, embeds);
  });
});

interface ComfyRecord {
  readonly prompt: string;
  readonly method: string;
  readonly interpretation?: string;
  readonly normalization?: string;
  readonly tokens?: number[][];
  readonly weights?: number[][];
  readonly word_ids?: number[][];
}

const interpretations: Readonly<Record<string, MethodName>> = {
  comfy: 'comfy',
  A1111: 'adv-a1111',
  compel: 'adv-compel',
  'comfy++': 'adv-comfy++',
  down_weight: 'adv-down-weight',
};

describe('ComfyUI and ADV_CLIP_emb, as recorded', () => {
  test.each(Object.entries<ComfyRecord>(comfyRecorded))('%s', async (name, record) => {
    const unit: ComfyUnit = record.method.endsWith('c25') ? 'segments' : 'words';
    const { chunks } = comfyTokens(parseComfy(record.prompt).fragments, tokenizer, { unit });
    const prompt = weightedPrompt(chunks, 'causal');
    const { tokens, weights, word_ids: wordIds, interpretation = 'comfy', normalization = 'none' } = record;
    if (tokens && weights && wordIds) {
      expectTokens(prompt, { tokens, weights });
      expect(chunks.map(({ wordIds }) => Array.from(wordIds))).toEqual(padded(wordIds, 0));
    }
    const normalised = normaliseTokens(prompt, normalization as TokenNormalisation);
    expectRecorded(name, embedsOf(interpretations[interpretation], normalised, (await tiny)(1)));
  });
});

test('every recording is read', () => {
  const files = readdirSync('src/weighting/recorded').filter((file) => file.endsWith('.npy'));
  const read = [a1111, { tiny_B_a1111_original_batch2: batch }, compelRecorded, compel221Recorded, comfyRecorded];
  expect(files.sort()).toEqual(
    read
      .flatMap((index) => Object.keys(index))
      .map((name) => `${name}.npy`)
      .sort(),
  );
});
