import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { fromFloat32 } from '../files/dtypes.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import type { TensorDtype } from '../files/tensorFile.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { png, tEXt } from '../files/testing/png.ts';
import { type TorchSpec, torchBytes } from '../files/testing/torch.ts';
import { EmbeddingError, openEmbeddings } from './embeddingFile.ts';

const d = 768;
/** Multiples of a quarter, which every type holds exactly. */
const value = (i: number) => ((i % 37) - 18) / 4;
const floats = (n: number) => Float32Array.from({ length: n * d }, (_, i) => value(i));

const spec = (name: string, shape: readonly number[], dtype: TensorDtype = 'F32'): TorchSpec => {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => value(i));
  const data =
    dtype === 'F64'
      ? Float64Array.from(values)
      : dtype === 'I64'
        ? BigInt64Array.from(values, (x) => BigInt(Math.floor(x)))
        : fromFloat32(values, dtype as 'F32');
  return { name, dtype, shape, data };
};
const safetensors = (...specs: TorchSpec[]) => writeSafetensors(specs);

/** Makes A1111's file: one parameter, in PyTorch's ParameterDict until 1.12 and in a dictionary since. */
const a1111 = (shape: readonly number[]) =>
  torchBytes([spec('*', shape)], {
    within: (state) =>
      new Map<string, unknown>([
        ['string_to_token', new Map([['*', 265]])],
        ['string_to_param', state],
        ['name', 'my style'],
        ['step', 500],
        ['sd_checkpoint', null],
      ]),
  });

const open = (bytes: Uint8Array, name: string) => openEmbeddings(memorySource(bytes, name));

test.each<[string, string, Uint8Array, { name: string; trainedAs?: string; n: number }]>([
  ['A1111', 'style.pt', a1111([3, d]), { name: 'style', trainedAs: 'my style', n: 3 }],
  [
    'Diffusers, one vector',
    'learned_embeds.safetensors',
    safetensors(spec('<cat-toy>', [d], 'F16')),
    { name: 'learned_embeds', trainedAs: '<cat-toy>', n: 1 },
  ],
  [
    'Diffusers, some vectors, from PyTorch',
    'learned_embeds.bin',
    torchBytes([spec('<cat-toy>', [2, d], 'BF16')]),
    { name: 'learned_embeds', trainedAs: '<cat-toy>', n: 2 },
  ],
  ['kohya', 'a.b.safetensors', safetensors(spec('emb_params', [4, d])), { name: 'a.b', n: 4 }],
  [
    'SDXL',
    'negative.safetensors',
    safetensors(spec('clip_g', [2, 1280]), spec('clip_l', [2, d], 'F64')),
    { name: 'negative', n: 2 },
  ],
])('%s: %s', async (_, file, bytes, { n, ...named }) => {
  const [embedding, ...more] = await open(bytes, file);
  expect(more).toEqual([]);
  expect(embedding).toMatchObject(named);
  expect(embedding.vectors.map((vector) => vector.length)).toEqual(Array(n).fill(d));
  expect(embedding.vectors.flatMap((vector) => Array.from(vector))).toEqual(Array.from(floats(n)));
});

test('one that PyTorch saved as A1111 does', async () => {
  const [{ name, trainedAs, vectors }] = await open(
    await readFile(new URL('../files/recorded/torch/embedding.pt', import.meta.url)),
    'charm.pt',
  );
  expect({ name, trainedAs, n: vectors.length }).toEqual({ name: 'charm', trainedAs: 'charm', n: 2 });
  const step = 2 / (2 * d - 1);
  vectors
    .flatMap((vector) => [...vector])
    .forEach((x, i) => {
      // The tolerance is half precision's.
      expect(Math.abs(x - (i * step - 1)), `${i}`).toBeLessThan(2 ** -11);
    });
});

/** Makes A1111's picture of an embedding. */
const picture = (data: unknown) =>
  png(tEXt('sd-ti-embedding', Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)).toString('base64')));
const rows = (n: number, width = d) => ({ TORCHTENSOR: Array.from({ length: n }, () => Array(width).fill(0.25)) });

test('a picture of one', async () => {
  const data = { name: 'style', string_to_token: { '*': 265 }, string_to_param: { '*': rows(2) } };
  const [{ name, trainedAs, vectors }, ...more] = await open(picture(data), 'card.png');
  expect({ name, trainedAs, more }).toEqual({ name: 'style', trainedAs: 'style', more: [] });
  expect(vectors).toEqual([1, 2].map(() => new Float32Array(d).fill(0.25)));
});

test.each<[string, Uint8Array, string]>([
  ['no embedding', png(tEXt('parameters', 'a cat')), 'is a picture without an embedding in its texts or its pixels'],
  ['no base64', png(tEXt('sd-ti-embedding', '(!)')), 'is a picture with an embedding that is damaged'],
  ['no JSON', picture('{'), 'is a picture with an embedding that is damaged'],
  ['nothing', picture('null'), 'is a picture with an embedding that is damaged'],
  ['no parameters', picture({}), 'has no tensors'],
  [
    'no rows',
    picture({ string_to_param: { '*': { TORCHTENSOR: [] } } }),
    'is a picture with an embedding that is damaged',
  ],
  [
    'a null',
    picture({ string_to_param: { '*': { TORCHTENSOR: [null] } } }),
    'is a picture with an embedding that is damaged',
  ],
  [
    'ragged rows',
    picture({ string_to_param: { '*': { TORCHTENSOR: [[1, 2], [3]] } } }),
    'is a picture with an embedding that is damaged',
  ],
  [
    'another width',
    picture({ string_to_param: { '*': rows(1, 1024) } }),
    "has vectors of width 1024, as for Stable Diffusion 2; expected 768, the width of Stable Diffusion 1's encoder",
  ],
])('a picture with %s is refused', async (_, bytes, why) => {
  const error = await open(bytes, 'x.png').catch((e) => e);
  expect(error).toBeInstanceOf(EmbeddingError);
  expect(error.message).toBe(`"x.png" ${why}.`);
});

test('a LoRA brings several', async () => {
  const bytes = safetensors(
    spec('bundle_emb.hero.string_to_param.*', [2, d]),
    spec('bundle_emb.a.b.clip_l', [1, d]),
    spec('bundle_emb.a.b.clip_g', [1, 1280]),
    spec('bundle_emb.onetrainer.clip_l', [3, d]),
    spec('bundle_emb.onetrainer.t5', [3, 4096]),
    spec('bundle_emb.v1.5.string_to_param.*', [2, d]),
    spec('bundle_emb.diffusers.<toy>', [4, d]),
    spec('lora_te_text_model_encoder_layers_0_mlp_fc1.alpha', []),
  );
  const found = await open(bytes, 'lora.safetensors');
  expect(found.map(({ name, vectors }) => [name, vectors.length]).toSorted()).toEqual([
    ['a.b', 1],
    ['diffusers', 4],
    ['hero', 2],
    ['onetrainer', 3],
    ['v1.5', 2],
  ]);
});

const nan = Float32Array.from({ length: 2 * d }, (_, i) => (i === d + 3 ? Number.NaN : 1));

test.each<[string, Uint8Array, string]>([
  [
    'Stable Diffusion 2',
    a1111([2, 1024]),
    "has vectors of width 1024, as for Stable Diffusion 2; expected 768, the width of Stable Diffusion 1's encoder",
  ],
  [
    'SDXL without its first half',
    safetensors(spec('clip_g', [2, 1280])),
    "has vectors for SDXL's second encoder only; expected clip_l, those for the first",
  ],
  [
    'a swapped SDXL',
    safetensors(spec('clip_l', [2, 1280]), spec('clip_g', [2, d])),
    "has vectors of width 1280, as for SDXL's second encoder; expected 768, the width of Stable Diffusion 1's encoder",
  ],
  [
    'nobody’s width',
    safetensors(spec('x', [7])),
    "has vectors of width 7; expected 768, the width of Stable Diffusion 1's encoder",
  ],
  ['no vectors', safetensors(spec('x', [0, d])), 'has 0 vectors; expected 1 to 1024'],
  ['too many vectors', safetensors(spec('emb_params', [1025, d], 'F16')), 'has 1025 vectors; expected 1 to 1024'],
  [
    'a scalar',
    safetensors(spec('emb_params', [])),
    'has tensor "emb_params" of shape []; expected one or more vectors of 768',
  ],
  [
    'a cube',
    safetensors(spec('x', [1, 1, d])),
    'has tensor "x" of shape [1, 1, 768]; expected one or more vectors of 768',
  ],
  [
    'integers',
    safetensors(spec('x', [d], 'I64')),
    'stores tensor "x" as I64; expected F32, F16, BF16, F64, F8_E4M3, F8_E5M2 or F4',
  ],
  [
    'NaN',
    safetensors({ name: 'emb_params', dtype: 'F32', shape: [2, d], data: nan }),
    'has NaN in tensor "emb_params" at [1, 3]; expected only finite numbers',
  ],
  [
    'two tokens',
    torchBytes([spec('*', [1, d]), spec('@', [1, d])], { within: (state) => new Map([['string_to_param', state]]) }),
    'has vectors for 2 tokens; expected one',
  ],
  [
    'a bundle that says it twice',
    safetensors(spec('bundle_emb.a.clip_l', [1, d]), spec('bundle_emb.a.emb_params', [1, d])),
    'has more than one tensor for the embedding "a"',
  ],
  [
    'another file',
    safetensors(spec('a', [d, d, 1]), spec('b', [d]), spec('c', [d])),
    'is not recognised as a textual inversion: it has 3 tensors ("a", "b", …)',
  ],
  ['an empty file', safetensors(), 'has no tensors'],
])('%s is refused in one sentence', async (_, bytes, why) => {
  const error = await open(bytes, 'x.pt').catch((e) => e);
  expect(error).toBeInstanceOf(EmbeddingError);
  expect(error.message).toBe(`"x.pt" ${why}.`);
});

test('reading can be aborted', async () => {
  const reason = new Error('another file was chosen');
  const source = memorySource(a1111([1, d]));
  await expect(openEmbeddings(source, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
