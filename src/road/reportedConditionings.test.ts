/**
 * Prompts out of public bug reports of other programs, by the report's number, followed to their conditioning on a tiny
 * encoder, with the original's formula written out beside them; and further prompts of the same kinds.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { expectedTensors, type WeightSource } from '../clip/weights.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { changedWeight } from '../models/loraDelta.ts';
import { readLora } from '../models/loraFile.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import type { Side } from '../prompt/side.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import type { ZOf } from '../weighting/method.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt, promptEmbeds, promptPasses } from './pipeline.ts';
import { referenceZ, withPasses } from './testing/encodings.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const { hiddenSize: d } = clipTiny;
const tiny = referenceZ(clipTiny);

function prepare(prompt: string, options: Partial<PromptOptions>, side: Side = 'positive') {
  return preparePrompt(prompt, { ...defaultOptions, ...options }, tokenizer, side);
}

/** The one conditioning of a prompt. */
function embedsOf(prompt: string, options: Partial<PromptOptions>, zOf: ZOf, side?: Side): Float32Array {
  const { weighting } = { ...defaultOptions, ...options };
  const prepared = prepare(prompt, options, side);
  const [embeds, ...more] = withPasses(promptPasses(prepared, weighting), zOf, (z) =>
    promptEmbeds(prepared, z, weighting),
  );
  expect(more).toEqual([]);
  return embeds;
}

/** The pass and the weights of a prompt of one chunk. */
function onlyChunk(prompt: string, options: Partial<PromptOptions>, side?: Side) {
  const [{ pass, chunk }, ...more] = prepare(prompt, options, side).chunks;
  expect(more).toEqual([]);
  return { pass, weights: chunk.perTokenWeights };
}

/** e + (z − e) · w by rows. */
const movedFrom = (e: ArrayLike<number>, z: ArrayLike<number>, weights: ArrayLike<number>) =>
  Float64Array.from(z, (value, i) => e[i] + (value - e[i]) * weights[Math.floor(i / d)]);

const comfy = { syntax: 'comfy', weighting: 'comfy' } as const;
test.each([
  ['B02', 'foo ((((lol (cat:666) attack)))) baz', 666],
  ['no weight', 'foo (cat:0) baz', 0],
  ['a negative weight', 'foo (cat:-1.5) baz', -1.5],
  ['a weight in a weight', 'foo ((cat:0.5) dog:3)', 0.5],
])('ComfyUI, %s: %s is moved from the empty prompt', async (_, prompt, weight) => {
  const zOf = (await tiny)(1);
  const { pass, weights } = onlyChunk(prompt, comfy);
  expect([...weights]).toContain(weight);
  const empty = onlyChunk('', comfy).pass;
  const right = movedFrom(zOf(empty), zOf(pass), weights);
  expectClose(prompt, embedsOf(prompt, comfy, zOf), right, 1e-6 * Math.max(1, Math.abs(weight)));
});

const compel = { syntax: 'compel', weighting: 'compel-mask' } as const;
test.each([
  ['B30', 'prompt with term weighted++ (zero)0.0', [5], 0],
  ['a word of its own', 'a cat (zero)0', [3], 0],
  ['less than the least', 'a cat (zero)0.000001', [3], 0],
  ['a light word', 'a cat (zero)0.25', [3], 0.25],
])('Compel, %s: %s is finite', async (_, prompt, rows, weight) => {
  const zOf = (await tiny)(1);
  const { pass, weights } = onlyChunk(prompt, compel);
  const without: EncoderPass = { ...pass, keyMask: pass.keyMask.map((seen, row) => (rows.includes(row) ? 0 : seen)) };
  const e = zOf(onlyChunk('', compel).pass);
  const [whole, masked] = [pass, without].map((one) => movedFrom(e, zOf(one), weights));
  const factor = Math.tan(((1 - Math.max(weight, 1e-5)) * Math.PI) / 2);
  const right = whole.map((value, i) => (value + factor * masked[i]) / (1 + factor));
  expect(right.every(Number.isFinite)).toBe(true);
  expectClose(prompt, embedsOf(prompt, compel, zOf), right, 1e-6);
});

const original = { syntax: 'a1111', weighting: 'original' } as const;
test.each([
  ['B31', '(worst quality, low quality:1.5), nsfw,', 'negative'],
  ['B32', '(fire:-1.1)', 'positive'],
  ['B32', '(cat:0)', 'positive'],
  ['every word', '(worst quality, low quality:1.5)', 'negative'],
] as const)('A1111, %s: %s keeps the mean of the unweighted prompt', async (_, prompt, side) => {
  const zOf = (await tiny)(1);
  const { pass, weights } = onlyChunk(prompt, original, side);
  const z = Float64Array.from(zOf(pass));
  const weighed = z.map((value, i) => value * weights[Math.floor(i / d)]);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const ratio = mean(z) / mean(weighed);
  expectClose(
    prompt,
    embedsOf(prompt, original, zOf, side),
    weighed.map((value) => value * ratio),
    1e-5,
  );
});

/** Made-up weights with a LoRA file's changes, each by its multiplier, one after the other. */
async function merged(multipliers: readonly number[]): Promise<WeightSource> {
  const bytes = readFileSync(new URL('../models/recorded/reports/kohya.safetensors', import.meta.url));
  const { updates } = await readLora(await openTensorFile(memorySource(bytes, 'kohya.safetensors')), {
    config: clipTiny,
  });
  expect(updates.length).toBeGreaterThan(0);
  const weights = syntheticWeights(clipTiny);
  const changed = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const name of expectedTensors(clipTiny).keys()) {
    const own = updates.filter(({ target }) => target === name);
    const values = new Float32Array((await weights.read(name)).buffer);
    const applied = own.flatMap((update) => multipliers.map((multiplier) => ({ ...update, multiplier })));
    changed.set(name, new Uint8Array(changedWeight(values, applied).buffer));
  }
  return { ...weights, read: async (name) => changed.get(name)!.slice() };
}

test.each([
  ['B13', 'a cat <lora:kohya:0.5> <lora:kohya:0.3>', 0.6],
  ['the last is negative', 'a cat <lora:kohya:2> <lora:kohya:-0.25>', -0.5],
  ['the last is 0', 'a cat <lora:kohya:2> <lora:kohya:0>', 0],
  ['three times', 'a cat <lora:kohya:1> <lora:kohya:9> <lora:kohya:0.2>', 0.6],
])('A1111, %s: a LoRA named again counts with its last multiplier: %s', async (_, prompt, factor) => {
  const multipliers = prepare(prompt, original).loras.map(({ name, multiplier }) => {
    expect(name).toBe('kohya');
    return multiplier;
  });
  const embeds = async (factors: readonly number[]) =>
    embedsOf(prompt, original, (await referenceZ(clipTiny, await merged(factors)))(1));
  const actual = await embeds(multipliers);
  expectClose(prompt, actual, await embeds([factor]), 1e-5);
  const sum = Array.from(prompt.matchAll(/:(-?[\d.]+)>/g), ([, number]) => Number(number)).reduce((a, b) => a + b, 0);
  const other = await embeds([sum]);
  expect(Math.max(...actual.map((value, i) => Math.abs(value - other[i])))).toBeGreaterThan(0.1);
});
