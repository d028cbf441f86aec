import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { syntheticWeights } from '../checkpoint/synthetic.ts';
import { clipTiny } from '../clip/config.ts';
import type { Encode } from '../clip/encode.ts';
import { maskModes } from '../clip/masks.ts';
import { referenceEncoder, toEncode } from '../clip/reference.ts';
import { expectClose, recordedArray } from '../clip/testing/recorded.ts';
import { createTokenizer } from '../clip/tokenizer.ts';
import { meanRatio } from './a1111.ts';
import { defaultOptions, preparePrompt, promptEmbeds, type WeightingMethod, weightingMethods } from './pipeline.ts';
import recorded from './recorded/index_a1111.json';

interface Recorded {
  readonly prompt: string;
  readonly emphasis: string;
  readonly tokens: number[][];
  readonly multipliers: number[][];
  readonly ratio_original_mean_over_new_mean?: number[];
}

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const { hiddenSize: d } = clipTiny;
const methods: Readonly<Record<string, WeightingMethod>> = { Original: 'original', 'No norm': 'scale', Ignore: 'none' };
const prepare = (prompt: string, options = {}) => preparePrompt(prompt, { ...defaultOptions, ...options }, tokenizer);

let encode: Encode;
beforeAll(async () => {
  encode = toEncode(await referenceEncoder(syntheticWeights(clipTiny)));
});
const want = { hiddenStates: [], attentions: false };

describe('from prompt to conditioning, against the recording', () => {
  test.each(Object.entries(recorded as Record<string, Recorded>))('%s', async (name, record) => {
    const weighting = methods[record.emphasis];
    const prepared = prepare(record.prompt, { weighting });
    expect(Array.from(prepared.chunk.inputIds)).toEqual(record.tokens[0]);
    expect(Array.from(prepared.chunk.perTokenWeights)).toEqual(record.multipliers[0]);
    const outputs = await encode(prepared.passes, want);
    const ratio = record.ratio_original_mean_over_new_mean?.[0];
    if (ratio !== undefined)
      expect(meanRatio(outputs[0].lastHiddenState, prepared.chunk.perTokenWeights, d)).toBeCloseTo(ratio, 8);
    const embeds = promptEmbeds(prepared, outputs, weighting, d);
    expectClose('promptEmbeds', embeds, recordedArray(`weighting/recorded/${name}.npy`).data, 5e-7);
  });
});

test.each(weightingMethods)('a prompt without weights is the bare encoder output: %s', async (method) => {
  const prepared = prepare('a photo of a cat');
  const outputs = await encode(prepared.passes, want);
  expect(promptEmbeds(prepared, outputs, method, d)).toEqual(outputs[0].lastHiddenState);
});

test('a weight changes the weights and nothing of what is encoded', () => {
  const plain = prepare('a photo of a (cat:1)');
  fc.assert(
    fc.property(fc.integer({ min: -300, max: 300 }), fc.constantFrom(...maskModes), (hundredths, mask) => {
      const weight = hundredths / 100;
      const { chunk, passes } = prepare(`a photo of a (cat:${weight})`, { mask });
      expect(Array.from(chunk.perTokenWeights.subarray(0, 7))).toEqual([1, 1, 1, 1, 1, weight, 1]);
      expect(passes).toHaveLength(1);
      expect(passes[0].inputIds).toEqual(plain.chunk.inputIds);
    }),
  );
});

test('ranges lead back to what was typed', () => {
  const prompt = 'a (red\\(ish\\):1.3) car';
  const { chunk } = prepare(prompt);
  const typed = chunk.tokens.flatMap(({ range }) => (range ? [prompt.slice(range.start, range.end)] : []));
  expect(typed).toEqual(['a', 'red', '\\(', 'ish', '\\)', 'car']);
});

test('tokens past the limit are counted, and shown where they are', () => {
  const prompt = `${'cat '.repeat(74)}(cat dog bird:1.2)`;
  const { chunk, cut, diagnostics } = prepare(prompt);
  expect(chunk.tokens.at(-1)?.kind).toBe('eos');
  expect(cut.map((token) => token.text)).toEqual(['dog</w>', 'bird</w>']);
  const [warning] = diagnostics;
  expect(warning).toMatchObject({ code: 'tokens-cut', severity: 'warning' });
  expect(warning.message).toContain('75 tokens');
  expect(warning.message).toContain('last 2 tokens are');
  expect(prompt.slice(warning.start, warning.end)).toBe('dog bird');
  expect(prepare('cat '.repeat(76)).diagnostics[0].message).toContain('the last token is');
  expect(prepare('cat '.repeat(75)).diagnostics).toEqual([]);
});

test('BREAK is said not to split', () => {
  const prompt = 'a cat BREAK a dog';
  const { chunk, diagnostics } = prepare(prompt);
  expect(chunk.tokens.slice(1, 5).map((token) => token.text)).toEqual(['a</w>', 'cat</w>', 'a</w>', 'dog</w>']);
  const note = diagnostics.find(({ code }) => code === 'break-does-not-split');
  expect(note?.severity).toBe('info');
  expect(prompt.slice(note?.start, note?.end)).toBe('BREAK');
});

test('an EOS that was typed is not the end for the hf mask', () => {
  const { chunk, passes } = prepare('a <|endoftext|> cat', { mask: 'hf' });
  const eos = chunk.tokens.findIndex((token) => token.kind === 'eos');
  expect(eos).toBe(4);
  expect(passes[0].keyMask.indexOf(0)).toBe(eos + 1);
});

test('an empty prompt is BOS, EOS and padding', () => {
  const { chunk, cut, diagnostics } = prepare('');
  expect(chunk.tokens.slice(0, 3).map((token) => token.kind)).toEqual(['bos', 'eos', 'pad']);
  expect([cut, diagnostics]).toEqual([[], []]);
});
