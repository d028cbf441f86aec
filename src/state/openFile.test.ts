import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { withPngText } from '../files/pngText.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { png, tEXt } from '../files/testing/png.ts';
import { torchBytes } from '../files/testing/torch.ts';
import { EmbeddingError } from '../models/embeddingFile.ts';
import { checkpointBytes } from '../models/testing/checkpoints.ts';
import { unetBytes, unetTensors } from '../models/testing/unets.ts';
import { NoPromptError } from '../road/readPrompts.ts';
import { readOpened } from './openFile.ts';

const spec = (name: string, shape: readonly number[]) => ({
  name,
  dtype: 'F32' as const,
  shape,
  data: new Uint8Array(4 * shape.reduce((product, n) => product * n, 1)),
});
const safetensors = (...shapes: readonly [string, readonly number[]][]) =>
  writeSafetensors(shapes.map(([name, shape]) => spec(name, shape)));
const picture = png(
  tEXt(
    'sd-ti-embedding',
    btoa(JSON.stringify({ string_to_param: { '*': { TORCHTENSOR: [Array(768).fill(0), Array(768).fill(1)] } } })),
  ),
  // A preview has both.
  tEXt('parameters', 'a cat'),
);
const a1111 = torchBytes([spec('*', [3, 768])], { within: (state) => new Map([['string_to_param', state]]) });

test.each<[string, Uint8Array<ArrayBuffer>, number, number]>([
  ['kohya.safetensors', safetensors(['emb_params', [2, 768]]), 2, 768],
  ['tiny.safetensors', safetensors(['emb_params', [2, 64]]), 2, 64],
  ['sdxl.safetensors', safetensors(['clip_l', [4, 768]], ['clip_g', [4, 1280]]), 4, 768],
  ['learned_embeds.bin', torchBytes([spec('<cat-toy>', [768])]), 1, 768],
  ['style.pt', a1111, 3, 768],
  ['style.png', picture, 2, 768],
])('%s is a textual inversion', async (name, bytes, count, width) => {
  const opened = await readOpened(new File([bytes], name));
  if (opened.kind !== 'embeddings') throw new Error(`opened as ${opened.kind}`);
  expect(opened.embeddings.map(({ name, vectors }) => [name, vectors.length, vectors[0].length])).toEqual([
    [name.replace(/\..*/, ''), count, width],
  ]);
});

test('one for another encoder is refused by name', async () => {
  const file = new File([safetensors(['emb_params', [1, 1024]])], 'sd2.safetensors');
  await expect(readOpened(file)).rejects.toThrow(EmbeddingError);
});

test('a LoRA is a LoRA, an encoder and a broken file are for whoever loads models; prompt embeds are compared', async () => {
  const kind = async (name: string, bytes: BlobPart) => (await readOpened(new File([bytes], name))).kind;
  expect(await kind('model.safetensors', await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'hf' }))).toBe(
    'checkpoint',
  );
  expect(await kind('lora.safetensors', safetensors(['lora_te_x.lora_down.weight', [4, 768]]))).toBe('lora');
  await expect(kind('broken.pt', 'PK\u0003\u0004')).rejects.toThrow(
    '"broken.pt" is a zip archive without its directory',
  );
  expect(await kind('embeds.safetensors', safetensors(['prompt_embeds', [1, 77, 768]]))).toBe('conditioning');
});

test('a LoRA is opened with the embeddings that it brings, or says why not', async () => {
  const open = (...shapes: readonly [string, readonly number[]][]) =>
    readOpened(new File([safetensors(['lora_te_x.lora_down.weight', [4, 768]], ...shapes)], 'hero.safetensors'));
  expect(await open()).toEqual({ kind: 'lora', embeddings: [], problem: null });
  expect(
    await open(['bundle_emb.charm.emb_params', [1, 768]], ['bundle_emb.hat.string_to_param.*', [2, 768]]),
  ).toMatchObject({
    kind: 'lora',
    embeddings: [
      { name: 'charm', vectors: [expect.any(Float32Array)] },
      { name: 'hat', vectors: [expect.any(Float32Array), expect.any(Float32Array)] },
    ],
    problem: null,
  });
  expect(await open(['bundle_emb.charm.emb_params', [1, 1024]])).toMatchObject({
    kind: 'lora',
    embeddings: [],
    problem: expect.stringContaining('"hero.safetensors" has vectors of width 1024'),
  });
});

test('a picture that the page saved opens as its prompt', async () => {
  const saved = { clipscope: 1, prompts: { positive: 'a (cat:1.2)', negative: '' }, options: {}, selection: {} };
  const file = (text: string) => new File([png(tEXt('clipscope', text), tEXt('parameters', 'a dog'))], 'map.png');
  expect(await readOpened(file(JSON.stringify(saved)))).toMatchObject({
    kind: 'shared',
    shared: { work: { prompts: { positive: 'a (cat:1.2)' } } },
  });
  await expect(readOpened(file('{'))).rejects.toThrow('is damaged or cut off');
});

test.each<[string, Uint8Array<ArrayBuffer>]>([
  ['a LoRA', safetensors(['lora_te_x.lora_down.weight', [4, 768]])],
  ['an embedding', safetensors(['emb_params', [2, 768]])],
])('%s with bytes after its last tensor is told of, and opens without them', async (_, bytes) => {
  const opened = await readOpened(new File([bytes, new Uint8Array(6)], 'long.safetensors'));
  if (opened.kind !== 'trailing') throw new Error(`opened as ${opened.kind}`);
  expect(opened.problem).toContain('"long.safetensors" has 6 bytes after its last tensor that belong to none');
  expect([opened.file.name, opened.file.size]).toEqual(['long.safetensors', bytes.length]);
  expect(['lora', 'embeddings']).toContain((await readOpened(opened.file)).kind);
});

test('a checkpoint with bytes after its last tensor is left to whoever loads models', async () => {
  const bytes = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'hf' });
  expect(await readOpened(new File([bytes, new Uint8Array(6)], 'long.safetensors'))).toEqual({ kind: 'checkpoint' });
});

test('a U-Net alone is one; beside a text encoder it belongs to the checkpoint', async () => {
  const size = { layout: 'ldm', d: 64, smaller: 320 } as const;
  expect(await readOpened(new File([unetBytes(size)], 'unet.safetensors'))).toEqual({ kind: 'unet' });
  const encoder = {
    name: 'cond_stage_model.transformer.text_model.embeddings.position_embedding.weight',
    ...({ dtype: 'F16', shape: [77, 64], data: new Uint8Array(2 * 77 * 64) } as const),
  };
  const whole = writeSafetensors([encoder, ...unetTensors(size)]);
  expect(await readOpened(new File([whole], 'whole.safetensors'))).toEqual({ kind: 'checkpoint' });
});

test('PEFT’s settings are known by what they are, not by their name', async () => {
  const json = JSON.stringify({ peft_type: 'LORA', r: 4, lora_alpha: 8 });
  expect(await readOpened(new File([json], 'settings.json'))).toEqual({ kind: 'adapterConfig', json });
  await expect(readOpened(new File(['{"model_type": "clip"}'], 'adapter_config.json'))).rejects.toThrow(
    'is the configuration of a model',
  );
});

test('a picture that holds an embedding in its pixels opens as that, unless it holds prompts', async () => {
  const bytes = readFileSync('src/models/recorded/cards/card.png');
  expect(await readOpened(new File([bytes], 'renamed.png'))).toMatchObject({
    kind: 'embeddings',
    embeddings: [{ name: 'rick' }],
  });
  const withPrompt = withPngText(Uint8Array.from(bytes), { parameters: 'a cat' });
  expect(await readOpened(new File([withPrompt], 'renamed.png'))).toMatchObject({ kind: 'prompts' });
  await expect(readOpened(new File([png()], 'photo.png'))).rejects.toThrow(NoPromptError);
});

test('a safetensors file is one whatever the length of its header looks like', async () => {
  const bytes = safetensors(['emb_params', [2, 768]]);
  const [length] = new BigUint64Array(bytes.slice(0, 8).buffer);
  // A header of 0x7b20 bytes, padded with spaces, begins with " {".
  const padding = new Uint8Array(0x7b20 - Number(length)).fill(0x20);
  const head = new Uint8Array(new BigUint64Array([0x7b20n]).buffer);
  const end = 8 + Number(length);
  const file = new File([head, bytes.slice(8, end), padding, bytes.slice(end)], 'style.safetensors');
  expect(await readOpened(file)).toMatchObject({ kind: 'embeddings' });
});
