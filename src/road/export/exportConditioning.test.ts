import { describe, expect, test } from 'vitest';
import { passKey } from '../../clip/encoderPass.ts';
import { syntaxes } from '../../prompt/syntax.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { defaultOptions, type PromptOptions } from '../options.ts';
import { preparePrompt, promptEmbeds } from '../pipeline.ts';
import { withPasses } from '../testing/encodings.ts';
import { d, fakeZ, tokenizer } from '../testing/prompts.ts';
import {
  type ConditioningPair,
  exportConditioning,
  exportMetadata,
  exportPasses,
  exportRefusal,
  exportShapes,
  promptEmbeddings,
  promptEmbedsTensor,
  storedNetworks,
} from './exportConditioning.ts';

const long = `a cat ${'on grass '.repeat(40)}(and dogs:0.5)`;

function pair(positive: string, negative: string | null, changed: Partial<PromptOptions> = {}): ConditioningPair {
  const options = { ...defaultOptions, ...changed };
  return {
    positive: preparePrompt(positive, options, tokenizer, 'positive'),
    negative: negative === null ? null : preparePrompt(negative, options, tokenizer, 'negative'),
    options,
  };
}

const names = Object.keys(methods) as MethodName[];

test.each(syntaxes.flatMap((syntax) => names.map((weighting) => [syntax, weighting] as const)))(
  '%s, %s: positive and negative have one length, and nothing is encoded for nothing',
  (syntax, weighting) => {
    const both = pair('a (cat:1.2)', long, { syntax, weighting, split: 'WORDS' });
    const tensors = withPasses(exportPasses(both), fakeZ, (zOf) => exportConditioning(both, zOf));
    const [positive, negative] = tensors;
    expect(tensors.map(({ name }) => name)).toEqual(['prompt_embeds', 'negative_prompt_embeds']);
    expect(positive.shape).toEqual([1, 154, d]);
    expect(negative.shape).toEqual(positive.shape);
    const own = (prepared: ConditioningPair['positive']) => promptEmbeds(prepared, fakeZ, weighting)[0];
    expect(negative.data).toEqual(own(both.negative!));
    const first = own(both.positive);
    const rest = syntax === 'comfy' ? first : fakeZ(both.positive.conditionings[0].composition.empty.chunks[0].pass);
    expect(positive.data).toEqual(Float32Array.of(...first, ...rest));
    expect(exportShapes(both, d)).toEqual(tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })));
  },
);

test('without a negative prompt nothing is completed', () => {
  const alone = pair('a cat', null);
  expect(exportPasses(alone)).toHaveLength(1);
  expect(exportConditioning(alone, fakeZ).map(({ name, shape }) => [name, ...shape])).toEqual([
    ['prompt_embeds', 1, 77, d],
  ]);
});

test('the parts of an AND are stacked with their last rows, and then completed', () => {
  const both = pair('a cat :1.2 AND a dog BREAK grass', `${long} ${long}`);
  const [a, b, negative] = exportConditioning(both, fakeZ);
  expect([a.name, b.name]).toEqual(['prompt_embeds.0', 'prompt_embeds.1']);
  expect([a, b, negative].map(({ shape }) => shape)).toEqual(Array(3).fill([1, 3 * 77, d]));
  const part = promptEmbeds(both.positive, fakeZ, 'original')[0];
  expect(a.data.slice(0, 77 * d)).toEqual(part);
  for (let row = 77; row < 154; row++) expect(a.data.slice(row * d, (row + 1) * d)).toEqual(part.slice(-d));
  const empty = fakeZ(both.positive.conditionings[0].composition.empty.empty);
  expect(a.data.slice(154 * d)).toEqual(empty);
  expect(b.data.slice(154 * d)).toEqual(empty);
  const one = promptEmbedsTensor([a, b, negative]);
  expect(one.shape).toEqual([2, 231, d]);
  expect(one.data).toEqual(Float32Array.of(...(a.data as Float32Array), ...(b.data as Float32Array)));
  expect(exportMetadata(both, { name: 'tiny', random: true }).guidance_weights).toBe('[1.2,1]');
});

test('a text of a schedule is completed with the empty prompt to the chunks of the longest, before its AND and the negative prompt', () => {
  const both = pair('a (cat:1.2)[: BREAK a dog:0.5] AND fog BREAK fog BREAK fog', null, { weighting: 'scale' });
  const [a, b] = withPasses(exportPasses(both), fakeZ, (zOf) => exportConditioning(both, zOf));
  expect([a.shape, b.shape]).toEqual(Array(2).fill([1, 3 * 77, d]));
  const empty = fakeZ(both.positive.conditionings[0].composition.empty.empty);
  const alone = promptEmbeds(pair('a (cat:1.2)', null).positive, fakeZ, 'scale')[0];
  expect(a.data.slice(0, 2 * 77 * d)).toEqual(Float32Array.of(...alone, ...empty));
  // AND then goes on with the last row, which is now one of the empty prompt.
  for (let row = 154; row < 231; row++) expect(a.data.slice(row * d, (row + 1) * d)).toEqual(empty.slice(-d));
  expect(a.rows!.slice(77)).toEqual(Array(154).fill(null));
  expect(exportMetadata(both, { name: 'tiny', random: true }).batch_chunks).toBe('[2,3]');
  const late = pair('a (cat:1.2)[: BREAK a dog:0.5]', 'fog', { step: 20, weighting: 'scale' });
  expect(exportConditioning(late, fakeZ).map(({ shape }) => shape[1])).toEqual([154, 154]);
  expect(exportMetadata(late, { name: 'tiny', random: true })).not.toHaveProperty('batch_chunks');
});

test('rows know their tokens, and those that were completed none', () => {
  const [{ rows }, negative] = exportConditioning(pair('a (cat:1.2)', long), fakeZ);
  expect(rows!.slice(0, 4).map((token) => [token?.kind, token?.weight])).toEqual([
    ['bos', 1],
    ['text', 1],
    ['text', 1.2],
    ['eos', 1],
  ]);
  expect(rows![76]?.kind).toBe('pad');
  expect(rows!.slice(77)).toEqual(Array(77).fill(null));
  expect(negative.rows).not.toContain(null);
});

test('rows of an .and() stand where its parts do', () => {
  const { positive, ...rest } = pair('("a cat", "a dog").and(1, 0.5)', null, { syntax: 'compel' });
  const [{ rows }] = exportConditioning({ positive, ...rest }, fakeZ);
  expect([rows![2]?.text, rows![77 + 2]?.text]).toEqual(['cat</w>', 'dog</w>']);
});

test.each([
  ['causal', undefined],
  ['none', undefined],
  ['hf', [1, 1, 1, 1, 0, 0]],
  ['lecture', [1, 1, 1, 0, 0, 0]],
] as const)('mask %s: keys that are masked are in the file', (mask, expected) => {
  const tensors = exportConditioning(pair('a cat', 'fog', { mask }), fakeZ);
  const found = tensors.find(({ name }) => name === 'attention_mask');
  expect(found && Array.from(found.data.slice(0, 6), Number)).toEqual(expected);
  expect(found?.shape).toEqual(expected && [1, 77]);
});

test('the mask of a blend is what any of its prompts sees', () => {
  const prompt = '("a cat", "a dog on grass").blend(1, 1)';
  const tensors = exportConditioning(pair(prompt, null, { syntax: 'compel', mask: 'hf' }), fakeZ);
  expect(tensors.map(({ name }) => name)).toEqual(['prompt_embeds', 'attention_mask']);
  expect(Array.from(tensors[1].data.slice(0, 8), Number)).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
});

test('metadata keeps the prompt as typed for ComfyUI’s page, and says what was read', () => {
  const both = pair('a {red|blue} car // x', 'fog', { syntax: 'comfy', positiveVariant: 2 });
  const metadata = exportMetadata(both, { name: 'a.safetensors', random: false });
  expect(metadata).toMatchObject({
    prompt: 'a {red|blue} car // x',
    prompt_read: 'a blue car ',
    negative_prompt: 'fog',
    positiveVariant: '2',
    choiceSeed: '0',
  });
  expect(metadata).not.toHaveProperty('negative_prompt_read');
});

test('metadata says what was encoded, and by what', () => {
  const both = pair('a (cat:1.3)', 'fog', { mask: 'hf', clipSkip: 2 });
  const metadata = exportMetadata(both, { name: 'a.safetensors', random: false, sha256: 'ab' });
  expect(metadata).toMatchObject({
    clipscope: '1',
    prompt: 'a (cat:1.3)',
    negative_prompt: 'fog',
    syntax: 'a1111',
    weighting: 'original',
    clipSkip: '2',
    mask: 'hf',
    model: 'a.safetensors',
    model_hash: 'ab',
    random_weights: 'false',
    operators: '[null]',
    batch_sizes: '[1]',
  });
  const { pass, chunk } = both.positive.chunks[0];
  expect(JSON.parse(metadata.token_ids)).toEqual([Array.from(pass.inputIds)]);
  expect(JSON.parse(metadata.weights)).toEqual([Array.from(chunk.perTokenWeights)]);
  expect(JSON.parse(metadata.key_masks)).toEqual([Array.from(pass.keyMask)]);
  expect(metadata).not.toHaveProperty('applied_weights');
});

test('weights that are normalised are there twice', () => {
  const both = pair('a (bicycle apricots:2)', null, { syntax: 'comfy', weighting: 'comfy', normalisation: 'mean' });
  const { weights, applied_weights } = exportMetadata(both, { name: 'tiny', random: true });
  expect(JSON.parse(weights)[0][2]).toBe(2);
  expect(JSON.parse(applied_weights)[0][2]).toBeLessThan(2);
});

test('a schedule’s other texts are counted and encoded', () => {
  const both = pair('a [(cat:1.2):dog:0.5]', null);
  expect(exportMetadata(both, { name: 'tiny', random: true }).batch_sizes).toBe('[2]');
  expect(new Set(exportPasses(both).map(passKey)).size).toBe(2);
});

describe('textual inversions and LoRAs', () => {
  const vectors = Array.from({ length: 3 }, () => new Float32Array(d));
  const named = (prompt: string, changed: Partial<PromptOptions> = {}) =>
    preparePrompt(prompt, { ...defaultOptions, ...changed }, tokenizer, 'positive', [
      { name: 'moody', vectors },
      { name: 'hands', vectors: vectors.slice(2) },
      { name: 'unused', vectors },
    ]);
  const prompts: readonly (readonly [string, Partial<PromptOptions>])[] = [
    ['a (hands:1.2) moody AND hands', {}],
    ['a embedding:hands, embedding:moody', { syntax: 'comfy' }],
    ['("hands", "moody cat").blend(1, 1)', { syntax: 'compel' }],
    [`hands ${'cat '.repeat(73)} moody`, { syntax: 'compel' }],
  ];

  test.each(prompts)('%s, %o: those in the prompt are in the metadata, and are read back', (prompt, changed) => {
    const positive = named(prompt, changed);
    const embeddings = [
      { name: 'hands', vectors: 1 },
      { name: 'moody', vectors: 3 },
    ];
    expect(promptEmbeddings(positive)).toEqual(embeddings);
    const both = { positive, negative: named('fog', changed), options: { ...defaultOptions, ...changed } };
    const loras = [
      { name: 'style', multiplier: 0.5 },
      { name: 'style', multiplier: -1 },
    ];
    const metadata = exportMetadata(both, { name: 'tiny', random: true, loras });
    expect(storedNetworks(new Map(Object.entries(metadata)), '', 'positive')).toEqual({ embeddings, loras });
    expect(storedNetworks(new Map(Object.entries(metadata)), '', 'negative')).toEqual({ embeddings: [], loras });
    expect(metadata).not.toHaveProperty('negative_embeddings');
    const rows: [number, string, number][][] = JSON.parse(metadata.embedding_rows);
    expect(rows).toHaveLength(positive.chunks.length);
    for (const [i, { pass }] of positive.chunks.entries()) {
      expect(rows[i].map(([row]) => row)).toEqual([...(pass.vectors?.keys() ?? [])]);
      for (const [row, name, index] of rows[i]) {
        expect(pass.inputIds[row]).toBe(0);
        expect(pass.vectors?.get(row)).toBe(name === 'moody' ? vectors[index] : vectors[2]);
      }
    }
    expect(exportMetadata(both, { name: 'tiny', random: true })).not.toHaveProperty('loras');
  });

  test.each([
    ['not JSON'],
    ['{"name": "a"}'],
    ['[null, 1, {"name": 2, "vectors": 1, "multiplier": 1}, {"name": "a", "vectors": "1", "multiplier": null}]'],
  ])('what else a file says in their place is left out: %s', (text) => {
    const metadata = new Map([
      ['3.negative_embeddings', text],
      ['3.loras', text],
    ]);
    expect(storedNetworks(metadata, '3.', 'negative')).toEqual({ embeddings: [], loras: [] });
  });
});

test.each([
  ['comfy', Array(60).fill(long).join(' '), Array(61).fill(long).join(' ')],
  ['a1111', `${Array(60).fill(long).join(' ')} AND ${Array(40).fill('a').join(' AND ')}`, ''],
] as const)('%s: what would be too long once it is made equally long is refused', (syntax, positive, negative) => {
  const both = pair(positive, negative, { syntax });
  expect([both.positive.refusal, both.negative?.refusal]).toEqual([null, null]);
  expect(exportRefusal(both)).toMatch(
    /^Both prompts and their parts, made equally long as the program does, would fill \d,\d+ chunks, and a file takes at most 2,048: shorten a prompt\.$/,
  );
  expect(exportRefusal(pair(positive, null, { syntax: 'compel' }))).toBeNull();
});
