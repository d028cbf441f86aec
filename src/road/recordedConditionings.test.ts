import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { expectClose, recordedArray } from '../clip/testing/recorded.ts';
import { parseCompel } from '../prompt/compel/compelPrompt.ts';
import { padTokenId } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { applyMethod } from '../weighting/apply.ts';
import { meanChange } from '../weighting/means.ts';
import type { WeightedPrompt, ZOf } from '../weighting/method.ts';
import type { MethodName } from '../weighting/methods.ts';
import type { TokenNormalisation } from '../weighting/normalise.ts';
import { original } from '../weighting/original.ts';
import a1111Recorded from '../weighting/recorded/index_a1111.json';
import a1111Rest from '../weighting/recorded/index_a1111_rest.json';
import comfyRecorded from '../weighting/recorded/index_comfy.json';
import compelRecorded from '../weighting/recorded/index_compel.json';
import compel221Recorded from '../weighting/recorded/index_compel221.json';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt, promptEmbeds, promptPasses } from './pipeline.ts';
import type { PreparedPrompt } from './preparedPrompt.ts';
import { referenceZ, withPasses } from './testing/encodings.ts';

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

function prepare(prompt: string, options: Partial<PromptOptions>): PreparedPrompt {
  return preparePrompt(prompt, { ...defaultOptions, ...options }, tokenizer, 'negative');
}

/** The one conditioning of a prompt, from the passes that it says it needs and no others. */
function embedsOf(prepared: PreparedPrompt, method: MethodName, zOf: ZOf): Float32Array {
  const [embeds, ...more] = withPasses(promptPasses(prepared, method), zOf, (z) => promptEmbeds(prepared, z, method));
  expect(more).toEqual([]);
  return embeds;
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

const { tiny_B_a1111_original_batch2: batch, ...a1111 } = { ...a1111Recorded, ...a1111Rest };
const emphases: Readonly<Record<string, MethodName>> = {
  Original: 'original',
  'No norm': 'scale',
  Ignore: 'none',
  None: 'none',
};

describe('A1111, as recorded', () => {
  test.each(Object.entries<A1111Record>(a1111))('%s', async (name, record) => {
    const prepared = prepare(record.prompt, { brackets: record.emphasis === 'None' ? 'text' : 'weights' });
    const [{ weighted }] = prepared.texts;
    expectTokens(weighted, { tokens: record.tokens, weights: record.multipliers });
    const zOf = (await encoderOf(name))(record.clip_skip ?? 1);
    const ratios = record.ratio_original_mean_over_new_mean;
    if (ratios) {
      const means = original.means(weighted);
      expectClose(
        'ratios',
        means.map((_, at) => meanChange(means, at, zOf)!.ratio),
        ratios,
        1e-8,
      );
    }
    expectRecorded(name, embedsOf(prepared, emphases[record.emphasis], zOf));
  });

  test('one mean for both texts of a batch', async () => {
    const zOf = (await tiny)(1);
    const texts = batch.prompts.map((prompt) => prepare(prompt, {}).texts[0].weighted);
    const embeds = texts.map((prompt) => {
      const others = texts.filter((other) => other !== prompt).map(({ chunks }) => chunks);
      return applyMethod(original, { ...prompt, batch: others }, zOf);
    });
    expectRecorded('tiny_B_a1111_original_batch2', Float32Array.from(embeds.flatMap((rows) => [...rows])));
    expect(embeds[0]).not.toEqual(applyMethod(original, texts[0], zOf));
  });

  test('the texts of a schedule are such a batch', async () => {
    const zOf = (await tiny)(1);
    const [a, b] = batch.prompts;
    const [start, end] = [a, b].map((text) => (step: number) => {
      const prepared = prepare(`[${a}:${b}:0.5]`, { steps: 10, step });
      expect(prepared.texts[0].steps.map(({ text: { text } }) => text)).toEqual([a, b]);
      const embeds = embedsOf(prepared, 'original', zOf);
      return { text, embeds };
    });
    const both = Float32Array.from([...start(1).embeds, ...end(10).embeds]);
    expectRecorded('tiny_B_a1111_original_batch2', both);
  });

  test.each<[MethodName, string]>([
    ['scale', 'nonorm'],
    ['none', 'ignore'],
  ])(
    '%s: the shorter text of a schedule has the recorded empty prompt after its own rows',
    async (method, recorded) => {
      const zOf = (await tiny)(1);
      const [short, long] = ['a photo of a (cat:1.5)', 'a (cat:-0.5) BREAK a (dog:1.2)'];
      const embedsAt = (step: number) => embedsOf(prepare(`[${short}:${long}:0.5]`, { steps: 10, step }), method, zOf);
      const early = embedsAt(1);
      const length = early.length / 2;
      expectRecorded(`tiny_B_a1111_${recorded}_p0`, early.subarray(0, length));
      expectRecorded('tiny_B_compel_empty_last', early.subarray(length));
      expectRecorded(`tiny_B_a1111_${recorded}_p8`, embedsAt(10));
    },
  );
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
    const prepared = prepare(record.prompt, { syntax: 'compel', mask });
    const { tokens, fragments, weights, per_token_weights: perTokenWeights } = record;
    if (fragments) expect(parsed.fragments.map(({ text }) => text)).toEqual(fragments);
    if (weights)
      expectClose(
        'weights',
        parsed.fragments.map(({ weight }) => weight),
        weights,
        1e-12,
      );
    if (tokens && perTokenWeights) expectTokens(prepared.texts[0].weighted, { tokens, weights: perTokenWeights });
    const encode = await encoderOf(name);
    const zOf = record.returned === 'penult' ? encode(2, false) : encode(record.method.includes('PENULTIMATE') ? 2 : 1);
    const method = record.options === 'remove' ? 'compel-remove' : 'compel-mask';
    expectRecorded(name, embedsOf(prepared, method, zOf));
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
    const { tokens, weights, word_ids: wordIds, interpretation = 'comfy', normalization = 'none' } = record;
    const options = {
      syntax: 'comfy',
      comfyUnit: record.method.endsWith('c25') ? 'segments' : 'words',
      weighting: interpretations[interpretation],
    } as const;
    if (tokens && weights && wordIds) {
      const [{ weighted }] = prepare(record.prompt, options).texts;
      expectTokens(weighted, { tokens, weights });
      expect(weighted.chunks.map(({ wordIds }) => Array.from(wordIds))).toEqual(padded(wordIds, 0));
    }
    const normalised = prepare(record.prompt, { ...options, normalisation: normalization as TokenNormalisation });
    expectRecorded(name, embedsOf(normalised, options.weighting, (await tiny)(1)));
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
