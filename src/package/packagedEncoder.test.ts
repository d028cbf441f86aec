import { afterAll, beforeAll, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { mergedSource } from '../engine/testing/encoderJudge.ts';
import { createEncoder } from './engineNode.ts';
import { openLora, syntheticCheckpoint } from './filesNode.ts';
import type { ClipEncoder, EncoderLora } from './packagedEncoder.ts';
import { openTokenizer } from './tokens.ts';
import { prepare } from './weighting.ts';

const source = syntheticCheckpoint('tiny');
let encoder: ClipEncoder;
beforeAll(async () => {
  encoder = await createEncoder(source, { engine: 'cpu', threads: 1 });
});
afterAll(() => encoder.close());

const promptsAt = async (clipSkip: number) =>
  prepare('a (red:1.3) circle', await openTokenizer(), { syntax: 'a1111', clipSkip });
const file = (name: string) => `src/models/recorded/${name}.safetensors`;

// The second changes the final LayerNorm, too, which a clip skip reads by itself.
test.each([
  ['reports/kohya', 0.8, 1],
  ['loras/comfy_extract', -0.6, 2],
])('%s is merged at %f as float64 merges it, and leaves no trace', async (name, multiplier, clipSkip) => {
  const lora = await openLora(file(name), encoder);
  const loras = [{ ...lora, multiplier }];
  const prompts = await promptsAt(clipSkip);
  const embeds = async (by: ClipEncoder, loras?: readonly EncoderLora[]) =>
    (await by.encodePrompts(prompts, { loras }))[0].data as Float32Array;
  const before = await embeds(encoder);
  const merged = await embeds(encoder, loras);
  const judge = await createEncoder(mergedSource(source, loras), { engine: 'cpu', threads: 1 });
  expectClose(name, merged, await embeds(judge), 1e-5);
  judge.close();
  expect(Math.max(...merged.map((value, i) => Math.abs(value - before[i])))).toBeGreaterThan(1e-2);
  expect(await embeds(encoder)).toEqual(before);
});

test('a LoRA of another encoder, and a strength that is no number, are refused in words', async () => {
  const lora = await openLora(file('reports/kohya'), source);
  const prompts = await promptsAt(1);
  const other = { ...lora, multiplier: 1, config: { ...clipTiny, hiddenSize: 768 } };
  await expect(encoder.encodePrompts(prompts, { loras: [other] })).rejects.toThrow(
    'A LoRA was opened for an encoder whose hiddenSize is 768, not 64: open it for this encoder.',
  );
  await expect(encoder.encodePrompts(prompts, { loras: [{ ...lora, multiplier: Number.NaN }] })).rejects.toThrow(
    'The "multiplier" of a LoRA is a finite number, not NaN.',
  );
});
