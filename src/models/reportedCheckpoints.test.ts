/**
 * Checkpoints out of public bug reports of other programs, by the report's number, with what the original program makes of
 * each; and further inputs of the same kinds.
 */
import { expect, test } from 'vitest';
import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, type WeightSource } from '../clip/weights.ts';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { TrailingBytesError, writeSafetensors } from '../files/safetensors.ts';
import { elementCount, type TensorDtype } from '../files/tensorFile.ts';
import { zeroSource } from '../files/testing/faultySources.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { archiveBytes, joined, op, pickled, type TorchSpec, TorchView, torchBytes } from '../files/testing/torch.ts';
import { examine } from './doctor.ts';
import { describeModelJson } from './modelJson.ts';
import { CheckpointError, openCheckpoint } from './openCheckpoint.ts';
import { syntheticWeights } from './synthetic.ts';
import { fileTensor, type Layout, wholeShape } from './tensorNames.ts';
import { checkpointBytes } from './testing/checkpoints.ts';

const original = syntheticWeights(clipTiny, { dtype: 'F16' });

async function expectOriginal(checkpoint: WeightSource): Promise<void> {
  for (const name of expectedTensors(clipTiny).keys())
    expect(Buffer.compare(await checkpoint.read(name), await original.read(name)), name).toBe(0);
}

/** The tiny encoder's tensors, named by `layout`. */
async function encoderTensors(layout: Layout): Promise<TorchSpec[]> {
  const specs: TorchSpec[] = [];
  for (const [name, shape] of expectedTensors(clipTiny))
    specs.push({ name: fileTensor(name, layout).name, dtype: 'F16', shape, data: await original.read(name) });
  return specs;
}

const open = (bytes: Uint8Array, name = 'model.safetensors') => openCheckpoint(memorySource(bytes, name));

const within = (...keys: string[]) => ({
  within: (state: Map<string, unknown>) => keys.reduceRight<unknown>((inner, key) => new Map([[key, inner]]), state),
});

test.each([
  ['B37', 'transformer.text_model.'],
  ['B37', 'text_encoder.text_model.'],
  ['B37', 'clip_l.transformer.text_model.'],
  ['B37', 'model.sd.text_encoder.text_model.'],
  ['B37', 'embedding_manager.embedder.transformer.text_model.'],
  ['B37', 'module.text_model.'],
  ['B43', 'cond_stage_model.transformer.'],
  ['transformers 5 within a pipeline', 'text_encoder.'],
  ['compiled by torch', '_orig_mod.text_model.'],
  ['parallel, within a checkpoint', 'module.cond_stage_model.transformer.text_model.'],
  ['a name of its own', 'my-net.clip.0.text_model.'],
])('%s: an encoder under %s is found and is the same', async (_, prefix) => {
  const layout: Layout = { prefix, names: 'transformers' };
  const checkpoint = await open(await checkpointBytes({ config: clipTiny, dtype: 'F16', layout }));
  expect(checkpoint.layout).toEqual(layout);
  expect(checkpoint.doubt).toBeUndefined();
  await expectOriginal(checkpoint);
});

test("an encoder by OpenAI's names under a name of its own, of which OpenCLIP has another", async () => {
  const layout: Layout = { prefix: 'wrapped.clip.', names: 'openai' };
  const checkpoint = await open(await checkpointBytes({ config: clipTiny, dtype: 'F16', layout }));
  expect(checkpoint.layout).toEqual(layout);
  await expectOriginal(checkpoint);
  expect(checkpoint.doubt).toContain('trained on LAION');
});

test.each<[string, string, { within: (state: Map<string, TorchView>) => unknown }]>([
  [
    'B37: a dictionary of model, autoencoder and text_encoder',
    'transformer.text_model.',
    {
      within: (state) =>
        new Map<string, unknown>([
          ['model', new Map([['x', 1]])],
          ['autoencoder', new Map()],
          ['text_encoder', state],
        ]),
    },
  ],
  ['dictionaries in dictionaries', 'text_model.', within('state', 'networks', 'clip')],
  [
    'beside a state_dict',
    'text_model.',
    {
      within: (state) =>
        new Map<string, unknown>([
          ['state_dict', new Map([['unet.step', 1]])],
          ['text_encoder', state],
        ]),
    },
  ],
  ['in a list', 'text_model.', { within: (state) => [new Map([['step', 1]]), state] }],
])('%s', async (_, prefix, options) => {
  const bytes = torchBytes(await encoderTensors({ prefix, names: 'transformers' }), options);
  await expectOriginal(await open(bytes, 'model.pt'));
});

/** Tensors without data of an encoder of another size. */
const specs = (config: ClipTextConfig, layout: Layout) =>
  [...expectedTensors(config)].flatMap(([tensor, shape]) => {
    const file = fileTensor(tensor, layout);
    return file.third ? [] : [{ name: file.name, dtype: 'F16' as const, shape: wholeShape(file, shape) }];
  });
const bigG: ClipTextConfig = { ...clipVitL14, hiddenSize: 1280, intermediateSize: 5120, numHiddenLayers: 14 };
const vision: ClipTextConfig = { ...clipVitL14, maxPositionEmbeddings: 257, hiddenSize: 1024, intermediateSize: 4096 };
const ours: Layout = { prefix: 'pipe.text_encoder.', names: 'transformers' };

test.each([
  ['bigG by OpenAI’s names', specs(bigG, { prefix: 'a.model.', names: 'openai' })],
  ['bigG by transformers’ names', specs(bigG, { prefix: 'a.', names: 'transformers' })],
  ['an image half', specs(vision, { prefix: 'a.vision_model.', names: 'transformers' }).slice(1)],
  [
    'an image half of another name',
    [
      ...specs(vision, { prefix: 'a.', names: 'transformers' }).slice(1),
      { name: 'a.embeddings.patch_embedding.weight', dtype: 'F16' as const, shape: [1024, 3, 14, 14] },
    ],
  ],
  [
    'T5 and BART',
    ['t5.encoder.final_layer_norm.weight', 'bart.encoder.layers.0.self_attn.q_proj.weight'].map((name) => ({
      name,
      dtype: 'F16' as const,
      shape: [768],
    })),
  ],
])('%s beside the encoder is told apart', async (_, others) => {
  const checkpoint = await openCheckpoint(zeroSource([...others, ...specs(clipVitL14, ours)]));
  expect([checkpoint.layout, checkpoint.config]).toEqual([ours, clipVitL14]);
});

test.each([
  [
    'bigG alone',
    specs(bigG, { prefix: 'conditioner.embedders.0.model.', names: 'openai' }),
    "has a text encoder of width 1280, that of SDXL's second encoder (OpenCLIP ViT-bigG); expected 768, that of Stable Diffusion 1",
  ],
  [
    'an image half alone',
    specs(vision, { prefix: 'image_encoder.vision_model.', names: 'transformers' }).slice(1),
    "has only CLIP's image half; open a Stable Diffusion 1 checkpoint or its text encoder's model.safetensors instead",
  ],
  [
    'an encoder of names that nobody knows',
    [{ name: 'words.table', dtype: 'F16' as const, shape: [49408, 768] }],
    'has a table of CLIP\'s 49408 tokens, "words.table", but its text encoder has names that are not known here; open a Stable Diffusion 1 checkpoint or its text encoder\'s model.safetensors instead',
  ],
])('of %s the sentence is true', async (_, tensors, why) => {
  const error = await openCheckpoint(zeroSource(tensors)).catch((e) => e);
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toBe(`"zeros.safetensors" ${why}.`);
});

test('a part of a model says so', async () => {
  const half = specs(clipTiny, ours).slice(0, 20);
  const error = await openCheckpoint({ ...zeroSource(half), name: 'model-00001-of-00002.safetensors' }).catch((e) => e);
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toContain('of the 36 tensors of the text encoder');
  expect(error.message).toContain('it is part 1 of 2 of a model, which are not opened together');
});

test('an encoder with adapters beside its weights says what to do', async () => {
  const wrapped = specs(clipTiny, ours).map((spec) => ({
    ...spec,
    name: spec.name.replace(/q_proj\.(weight|bias)$/, 'q_proj.base_layer.$1'),
  }));
  const lora = {
    name: `${ours.prefix}encoder.layers.0.self_attn.q_proj.lora_A.default.weight`,
    dtype: 'F16' as const,
    shape: [2, 64],
  };
  await expect(openCheckpoint(zeroSource([...wrapped, lora]))).rejects.toThrow(
    `has a text encoder with PEFT's adapters beside its weights, such as "${ours.prefix}encoder.layers.0.self_attn.q_proj.base_layer.weight"`,
  );
});

const index = (files: Record<string, string>) => JSON.stringify({ metadata: { total_size: 1 }, weight_map: files });
const inFile = (file: string, layout: Layout = ours) =>
  Object.fromEntries(specs(clipTiny, layout).map(({ name }) => [name, file]));
test.each<[string, string, string | null]>([
  [
    'an index that has the encoder in one file',
    index({ ...inFile('b.safetensors'), 'unet.x': 'a.safetensors' }),
    'is the index of a model in 2 files; open "b.safetensors", which has the text encoder',
  ],
  [
    'an index that has the encoder in two files',
    index({ ...inFile('b.safetensors'), [`${ours.prefix}final_layer_norm.bias`]: 'a.safetensors' }),
    'is in 2 of them, which cannot be opened together',
  ],
  [
    'an index of another model',
    index({ 'unet.x': 'a', 'unet.y': 'b' }),
    "names no tensor as a CLIP text encoder's are",
  ],
  ['a configuration', '{"architectures": ["CLIPTextModel"]}', 'is the configuration of a model, not its weights'],
  ['a pipeline', '{"_class_name": "StableDiffusionPipeline"}', 'open the model.safetensors in its folder text_encoder'],
  ['another JSON', '{"a": 1}', null],
  ['no object', '[1]', null],
  ['no JSON', '{', null],
])('JSON beside a model: %s', (_, json, text) => {
  const described = describeModelJson(json);
  if (text === null) expect(described).toBeNull();
  else expect(described).toContain(text);
});

/** A tensor of a type that writeSafetensors does not know. */
function withHeader(bytes: Uint8Array<ArrayBuffer>, change: (json: string) => string): Uint8Array {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextEncoder().encode(change(new TextDecoder().decode(bytes.subarray(8, 8 + length))));
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(header.length), true);
  return joined(size, header, bytes.subarray(8 + length));
}

const layout = 'ldm';
test.each<[string, TensorDtype, readonly number[], string]>([
  ['B39', 'F4', [4, 8], 'F4'],
  ['six bits', 'F6_E2M3', [4, 8], 'F6_E2M3'],
  ['no infinities', 'F8_E4M3FNUZ', [16], 'F8_E4M3FNUZ'],
  ['a type that came later', 'U8', [16], 'F8_E3M4'],
  ['a type of any length', 'U8', [5], 'INT3'],
])('%s: a tensor of the U-Net as %s [%s] (%s) refuses nothing', async (_, dtype, shape, named) => {
  const bytes = await checkpointBytes({
    config: clipTiny,
    dtype: 'F16',
    layout,
    extra: [
      { name: 'model.diffusion_model.x.weight', dtype, shape, data: () => new Uint8Array(byteCount(dtype, shape)) },
    ],
  });
  const file = withHeader(bytes, (json) => json.replace(`"${dtype}"`, `"${named}"`));
  await expectOriginal(await open(file));
  const { dtypes, mistyped } = await examine(await openTensorFile(memorySource(file)));
  expect(dtypes.get(named)).toEqual({ tensors: 1, bytes: byteCount(dtype, shape) });
  expect(mistyped).toEqual([]);
});
const byteCount = (dtype: TensorDtype, shape: readonly number[]) =>
  elementCount(shape) * ({ F4: 0.5, F6_E2M3: 0.75, U8: 1, F8_E4M3FNUZ: 1 } as Record<string, number>)[dtype];

test('a storage and a tensor of unknown types in a PyTorch file refuse nothing', async () => {
  const storages: Record<string, Uint8Array> = { odd: new Uint8Array(6) };
  const state = new Map<string, unknown>(
    (await encoderTensors({ prefix: 'text_model.', names: 'transformers' })).map(({ name, dtype, shape, data }, i) => {
      storages[i] = data as Uint8Array;
      return [name, new TorchView(String(i), dtype, shape)];
    }),
  );
  const storage = (type: Uint8Array, count: number) =>
    joined(op.mark, ...['storage', type, 'odd', 'cpu', count].map(pickled), op.tuple, op.persistentId);
  const rebuilt = (name: string, ...parts: Uint8Array[]) =>
    joined(op.global('torch._utils', name), op.mark, ...parts, op.tuple, op.reduce);
  const two = joined(op.int(2), op.tuple1);
  state.set(
    'model.a',
    rebuilt('_rebuild_tensor_v2', storage(op.global('torch', 'QInt8Storage'), 3), op.int(0), two, two),
  );
  state.set(
    'model.b',
    rebuilt(
      '_rebuild_tensor_v3',
      ...[storage(op.global('torch.storage', 'UntypedStorage'), 6), op.int(0), two, two, op.false, op.none],
      op.global('torch', 'complex32'),
    ),
  );
  await expectOriginal(await open(archiveBytes(pickled(state), storages), 'model.ckpt'));
});

/** Every value of a type of few bits, as NumPy's ml_dtypes has them. */
const e4m3 = (byte: number) => {
  const [sign, exponent, fraction] = [byte & 128 ? -1 : 1, (byte >> 3) & 15, byte & 7];
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10));
};
const e5m2 = (byte: number) => {
  const [sign, exponent, fraction] = [byte & 128 ? -1 : 1, (byte >> 2) & 31, byte & 3];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -16 : (4 + fraction) * 2 ** (exponent - 17));
};
/** FNUZ: the exponent counts from one less, and −0 is NaN. */
const fnuz = (fractionBits: number, bias: number) => (byte: number) => {
  if (byte === 128) return Number.NaN;
  const one = 2 ** fractionBits;
  const [exponent, fraction] = [(byte & 127) >> fractionBits, byte % one];
  const magnitude = exponent === 0 ? fraction * 2 ** (1 - bias) : (one + fraction) * 2 ** (exponent - bias);
  return ((byte & 128 ? -1 : 1) * magnitude) / one;
};
const [e4m3fnuz, e5m2fnuz] = [fnuz(3, 8), fnuz(2, 16)];
const e2m1 = (bits: number) => (bits & 8 ? -1 : 1) * [0, 0.5, 1, 1.5, 2, 3, 4, 6][bits & 7];

const name = 'text_model.encoder.layers.1.mlp.fc2.weight';
const shape = [64, 128];
/** The tiny encoder with one matrix in another type. */
async function small(dtype: TensorDtype, data: Uint8Array, extra: readonly TorchSpec[] = []) {
  const tensors = (await encoderTensors({ prefix: 'text_model.', names: 'transformers' })).map((spec) =>
    spec.name === name ? { ...spec, dtype, data } : spec,
  );
  return writeSafetensors([...tensors, ...extra]);
}
const scale = (ending: string, values: readonly number[], shape: readonly number[] = []): TorchSpec => ({
  name: name.replace(/weight$/, ending),
  dtype: 'F32',
  shape,
  data: Float32Array.from(values),
});
const finite = (value: (byte: number) => number) =>
  Uint8Array.from({ length: 8192 }, (_, i) => (Number.isFinite(value(i & 255)) ? i & 255 : 0));

const everyFinite = (name: string, dtype: TensorDtype, value: (byte: number) => number) =>
  [name, dtype, finite(value), Array.from(finite(value), value)] as const;

test.each([
  everyFinite('B40', 'F8_E4M3', e4m3),
  everyFinite('no infinities, three bits', 'F8_E4M3FNUZ', e4m3fnuz),
  everyFinite('no infinities, two bits', 'F8_E5M2FNUZ', e5m2fnuz),
  everyFinite('five bits of exponent', 'F8_E5M2', e5m2),
  [
    'four bits',
    'F4',
    Uint8Array.from({ length: 4096 }, (_, i) => i),
    Array.from({ length: 8192 }, (_, i) => e2m1(i % 2 === 0 ? (i >> 1) & 15 : (i >> 5) & 15)),
  ] as const,
])('%s: weights in %s are decoded exactly', async (_, dtype, data, expected) => {
  const checkpoint = await open(await small(dtype, data));
  expect(checkpoint.tensor(name)).toEqual({ dtype: 'F16', shape });
  expect(Array.from(toFloat32(await checkpoint.read(name), 'F16'))).toEqual(expected);
});

test('weights that are powers of two', async () => {
  const data = Uint8Array.from({ length: 8192 }, (_, i) => i % 255);
  const checkpoint = await open(await small('F8_E8M0', data));
  expect(checkpoint.tensor(name)).toEqual({ dtype: 'F32', shape });
  const values = toFloat32(await checkpoint.read(name), 'F32');
  expect(Array.from(values)).toEqual(Array.from(data, (byte) => 2 ** (byte - 127)));
  const broken = await open(await small('F8_E8M0', data.fill(255, 7, 8)));
  await expect(broken.read(name)).rejects.toThrow(`has NaN in tensor "${name}" at [0, 7]`);
});

test.each(['F6_E2M3', 'F6_E3M2'] as const)('weights in %s are refused with the reason', async (dtype) => {
  await expect(open(await small(dtype, new Uint8Array(6144)))).rejects.toThrow(
    `stores tensor "${name}" as ${dtype}, whose six bits no program has settled how to pack; expected F32, F16`,
  );
});

test('a NaN of eight bits is refused', async () => {
  const checkpoint = await open(await small('F8_E4M3', finite(e4m3).fill(0x7f, 5, 6)));
  await expect(checkpoint.read(name)).rejects.toThrow(`has NaN in tensor "${name}" at [0, 5]; expected only finite`);
});

test.each(['scale_weight', 'weight_scale'])('weights of eight bits are multiplied by their %s', async (ending) => {
  const checkpoint = await open(await small('F8_E4M3', finite(e4m3), [scale(ending, [0.3])]));
  expect(checkpoint.tensor(name).dtype).toBe('F32');
  const values = toFloat32(await checkpoint.read(name), 'F32');
  const factor = Math.fround(0.3);
  expect(Array.from(values)).toEqual(Array.from(finite(e4m3), (byte) => Math.fround(e4m3(byte) * factor)));
});

test('factors of blocks are refused, not passed over', async () => {
  const bytes = await small('F8_E4M3', finite(e4m3), [scale('weight_scale', Array(64).fill(1), [64, 1])]);
  await expect(open(bytes)).rejects.toThrow(
    `stores tensor "${name}" with factors of shape [64, 1]; expected one factor for the whole tensor`,
  );
});

test.each([
  ['B41', 'hf', 6],
  ['a byte', 'ldm', 1],
  ['a page', 'openclip', 4096],
] as const)('%s: %s and %s bytes after the last tensor', async (_, layout, count) => {
  const bytes = joined(await checkpointBytes({ config: clipTiny, dtype: 'F16', layout }), new Uint8Array(count));
  const error = await open(bytes).catch((e) => e);
  expect(error).toBeInstanceOf(TrailingBytesError);
  expect(error.message).toBe(
    `"model.safetensors" has ${count} ${count === 1 ? 'byte' : 'bytes'} after its last tensor that belong to none: ComfyUI passes over them, A1111 and diffusers refuse the file.`,
  );
  const options = { passTrailingBytes: true };
  await expectOriginal(await openCheckpoint(memorySource(bytes), undefined, options));
  const { notes } = await examine(await openTensorFile(memorySource(bytes), undefined, options));
  expect(notes.join()).toContain(`${count} bytes after the last tensor belong to none and are passed over`);
});

test.each<[string, TensorDtype, ArrayBufferView]>([
  ['I64', 'I64', BigInt64Array.from({ length: 77 }, (_, i) => BigInt(i))],
  [
    'F16',
    'F16',
    fromFloat32(
      Float32Array.from({ length: 77 }, (_, i) => i),
      'F16',
    ),
  ],
])('B43: position ids in %s', async (_, dtype, data) => {
  const layout: Layout = { prefix: 'cond_stage_model.transformer.', names: 'transformers' };
  const ids = { name: 'cond_stage_model.transformer.embeddings.position_ids', dtype, shape: [1, 77], data };
  await expectOriginal(await open(writeSafetensors([...(await encoderTensors(layout)), ids])));
});
