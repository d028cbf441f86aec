import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileSource } from '../cli/fileSource.ts';
import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import {
  expectedTensors,
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  layerTensor,
  tokenEmbeddingName,
  type WeightSource,
} from '../clip/weights.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { SafetensorsError, type TensorEntry, writeSafetensors } from '../files/safetensors.ts';
import type { ByteSource } from '../files/sources.ts';
import { elementCount } from '../files/tensorFile.ts';
import { spySource, zeroSource } from '../files/testing/faultySources.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { CheckpointError, DamagedCheckpointError, openCheckpoint } from './openCheckpoint.ts';
import { syntheticWeights } from './synthetic.ts';
import { fileTensor, fileTensorName, wholeShape } from './tensorNames.ts';
import {
  checkpointBytes,
  type LayoutName,
  layouts,
  torchCheckpointBytes,
  writeCheckpointFile,
} from './testing/checkpoints.ts';

const name = 'model.safetensors';

/** The encoder's tensors in a file, without their data. */
function specs(config: ClipTextConfig, layout: LayoutName = 'hf', dtype: WeightDtype = 'F16'): TensorEntry[] {
  return [...expectedTensors(config)].flatMap(([tensor, shape]) => {
    const file = fileTensor(tensor, layouts[layout]);
    return file.third ? [] : [{ name: file.name, dtype, shape: wholeShape(file, shape) }];
  });
}

/** Returns specs() of the full size, with one tensor's fields changed. */
const changed = (tensor: string, change: Partial<TensorEntry>) =>
  specs(clipVitL14).map((spec) => (spec.name === tensor ? { ...spec, ...change } : spec));

const refusal = (source: ByteSource): Promise<Error> =>
  openCheckpoint(source).then(
    () => Promise.reject(new Error('It was opened.')),
    (error) => error,
  );

test.each([
  ['hf', 'F32'],
  ['hf-bare', 'BF16'],
  ['ldm', 'F16'],
  ['ldm-bare', 'F32'],
  ['sdxl', 'F16'],
  ['openclip', 'F16'],
  ['openclip-text', 'F32'],
  ['openclip-module', 'BF16'],
  ['openclip-ldm', 'F16'],
  ['ldm', 'F16', torchCheckpointBytes],
  ['openclip', 'BF16', torchCheckpointBytes],
  ['hf', 'F32', torchCheckpointBytes],
] as const)(
  'every tensor of an %s file in %s is read as it was written',
  async (layout, dtype, write = checkpointBytes) => {
    const checkpoint = await openCheckpoint(memorySource(await write({ config: clipTiny, dtype, layout }), name));
    expect(checkpoint).toMatchObject({ name, random: false, config: clipTiny, layout: layouts[layout] });
    const written = syntheticWeights(clipTiny, { dtype });
    for (const [tensor, shape] of expectedTensors(clipTiny)) {
      expect(checkpoint.tensor(tensor)).toEqual({ dtype, shape });
      const [actual, expected] = [await checkpoint.read(tensor), await written.read(tensor)];
      expect(Buffer.compare(actual, expected), tensor).toBe(0);
    }
  },
);

test.each(Object.keys(layouts) as LayoutName[])('the full size is recognised in layout %s', async (layout) => {
  const source = spySource(zeroSource(specs(clipVitL14, layout)));
  const checkpoint = await openCheckpoint(source);
  expect(checkpoint.config).toBe(clipVitL14);
  expect(checkpoint.layout).toEqual(layouts[layout]);
  // Opening reads the header alone: 0.25 GB of zeros stay unread.
  expect(Math.max(...source.reads.map(([, end]) => end))).toBeLessThan(100_000);
});

test('the whole CLIP, ids of any type and other strangers do not matter', async () => {
  const extra: TensorEntry[] = [
    { name: 'text_model.embeddings.position_ids', dtype: 'F64', shape: [1, 77] },
    { name: 'text_projection.weight', dtype: 'F32', shape: [768, 768] },
    { name: 'logit_scale', dtype: 'F32', shape: [] },
    { name: 'visual_projection.weight', dtype: 'F32', shape: [768, 1024] },
    { name: 'vision_model.embeddings.position_embedding.weight', dtype: 'F32', shape: [257, 1024] },
    { name: 'vision_model.encoder.layers.12.layer_norm1.weight', dtype: 'F32', shape: [1024] },
    { name: '__proto__', dtype: 'F8_E4M3', shape: [3] },
    { name: 'constructor', dtype: 'U8', shape: [3] },
  ];
  expect((await openCheckpoint(zeroSource([...specs(clipVitL14), ...extra]))).layout).toEqual(layouts.hf);
});

test("SDXL's second encoder beside its first does not matter", async () => {
  const second = { ...clipVitL14, hiddenSize: 1280, intermediateSize: 5120, numHiddenLayers: 32 };
  const tensors = specs(second, 'openclip').map((spec) => ({
    ...spec,
    name: `conditioner.embedders.1.model.${spec.name}`,
  }));
  const checkpoint = await openCheckpoint(zeroSource([...tensors, ...specs(clipVitL14, 'sdxl')]));
  expect([checkpoint.layout, checkpoint.config]).toEqual([layouts.sdxl, clipVitL14]);
});

test('types may differ from tensor to tensor', async () => {
  const checkpoint = await openCheckpoint(zeroSource(changed(tokenEmbeddingName, { dtype: 'F32' })));
  expect(checkpoint.tensor(tokenEmbeddingName).dtype).toBe('F32');
  expect(checkpoint.tensor(finalLayerNormBiasName).dtype).toBe('F16');
});

const q = layerTensor(3, 'self_attn.q_proj.weight');
test.each<[string, TensorEntry[], string]>([
  [
    'one tensor missing',
    specs(clipVitL14, 'ldm').filter((spec) => !spec.name.endsWith(q)),
    `lacks 1 of the 196 tensors of the text encoder, the first being "cond_stage_model.transformer.${q}"`,
  ],
  [
    'half the layers missing',
    specs(clipVitL14).filter((spec) => !/layers\.([6-9]|1\d)\./.test(spec.name)),
    `lacks 96 of the 196 tensors of the text encoder, the first being "${layerTensor(6, 'layer_norm1.weight')}"`,
  ],
  [
    'the token table missing',
    specs(clipVitL14).filter((spec) => spec.name !== tokenEmbeddingName),
    `lacks 1 of the 196 tensors of the text encoder, the first being "${tokenEmbeddingName}"`,
  ],
  [
    'all but one layer missing',
    specs(clipVitL14).filter((spec) => spec.name.includes('layers.0.')),
    `lacks 180 of the 196 tensors of the text encoder, the first being "${tokenEmbeddingName}"`,
  ],
  [
    'a layer too many',
    [...specs(clipVitL14), { name: layerTensor(12, 'layer_norm1.weight'), dtype: 'F16', shape: [768] }],
    "has a text encoder of more than 12 layers, which is not Stable Diffusion 1's",
  ],
  [
    'a transposed fc1',
    changed(layerTensor(0, 'mlp.fc1.weight'), { shape: [768, 3072] }),
    `has tensor "${layerTensor(0, 'mlp.fc1.weight')}" of shape [768, 3072]; expected [3072, 768]`,
  ],
  [
    'a convolution where a matrix should be',
    changed(q, { shape: [768, 768, 1, 1] }),
    `has tensor "${q}" of shape [768, 768, 1, 1]; expected [768, 768]`,
  ],
  [
    'a token table with a token added',
    changed(tokenEmbeddingName, { shape: [49409, 768] }),
    `has tensor "${tokenEmbeddingName}" of shape [49409, 768]; expected [49408, 768]`,
  ],
  [
    'whole numbers',
    changed(q, { dtype: 'U8' }),
    `stores tensor "${q}" as U8; expected F32, F16, BF16, F64, F8_E4M3, F8_E5M2 or F4`,
  ],
  [
    "Stable Diffusion 2's width",
    specs({ ...clipVitL14, hiddenSize: 1024, intermediateSize: 4096, numHiddenLayers: 23 }),
    'has a text encoder of width 1024, that of Stable Diffusion 2 (OpenCLIP ViT-H); expected 768, that of Stable Diffusion 1',
  ],
  [
    'Stable Diffusion 2',
    [
      ...specs({ ...clipVitL14, hiddenSize: 1024, intermediateSize: 4096, numHiddenLayers: 23 }, 'openclip-ldm'),
      { name: 'model.diffusion_model.input_blocks.0.0.weight', dtype: 'F16', shape: [320, 4, 3, 3] },
    ],
    'has a text encoder of width 1024, that of Stable Diffusion 2 (OpenCLIP ViT-H); expected 768, that of Stable Diffusion 1',
  ],
  [
    'an in_proj of the wrong height',
    specs(clipVitL14, 'openclip').map((spec) =>
      spec.name === 'transformer.resblocks.2.attn.in_proj_bias' ? { ...spec, shape: [768] } : spec,
    ),
    'has tensor "transformer.resblocks.2.attn.in_proj_bias" of shape [768]; expected [2304]',
  ],
  [
    "the width of SDXL's second encoder",
    specs({ ...clipVitL14, hiddenSize: 1280, intermediateSize: 5120 }),
    "has a text encoder of width 1280, that of SDXL's second encoder (OpenCLIP ViT-bigG); expected 768, that of Stable Diffusion 1",
  ],
  [
    "nobody's width",
    specs({ ...clipTiny, hiddenSize: 32 }),
    'has a text encoder of width 32; expected 768, that of Stable Diffusion 1',
  ],
  [
    'a token table without dimensions',
    changed(tokenEmbeddingName, { shape: [] }),
    'has a text encoder of width 0; expected 768, that of Stable Diffusion 1',
  ],
  [
    'a LoRA',
    [{ name: 'lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight', dtype: 'F16', shape: [4, 768] }],
    'is a LoRA, which changes a model but is none; open the checkpoint it was made for',
  ],
])('%s is refused in one sentence', async (_, tensors, why) => {
  const error = await refusal(zeroSource(tensors, name));
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toBe(`"${name}" ${why}.`);
  // An encoder that is there can be examined.
  expect(error instanceof DamagedCheckpointError).toBe(/^(lacks|has tensor|stores tensor)/.test(why));
});

test('a file that is no safetensors file keeps its own error', async () => {
  expect(await refusal(memorySource(new Uint8Array(100), name))).toBeInstanceOf(SafetensorsError);
});

test.each([
  ['F32', Float32Array.of(1, 2, Number.NaN, 4).buffer, '[0, 2]', 'NaN'],
  ['F16', Uint16Array.of(0, 0x7bff, 0xfc00, 0x7e00).buffer, '[0, 2]', '-Infinity'],
  ['BF16', Uint16Array.of(0, 0x7f7f, 0x7bff, 0x7f80).buffer, '[0, 3]', 'Infinity'],
] as const)(
  'a %s tensor with %s in it is refused when it is read, with the place',
  async (dtype, values, at, value) => {
    const layout = 'ldm';
    const bytes = await checkpointBytes({ config: clipTiny, dtype, layout });
    const weight = layerTensor(1, 'mlp.fc2.weight');
    const [good] = [await syntheticWeights(clipTiny, { dtype }).read(weight)];
    bytes.set(new Uint8Array(values), Buffer.from(bytes.buffer).indexOf(good));
    const checkpoint = await openCheckpoint(memorySource(bytes, name));
    const error = await checkpoint.read(weight).catch((e) => e);
    expect(error).toBeInstanceOf(DamagedCheckpointError);
    expect(error.message).toBe(
      `"${name}" has ${value} in tensor "${fileTensorName(weight, layouts[layout])}" at ${at}; expected only finite numbers.`,
    );
    await checkpoint.read(layerTensor(0, 'mlp.fc2.weight'));
  },
);

test('float64 is read as float32, rounded, and what float32 cannot hold is refused', async () => {
  const weight = finalLayerNormBiasName;
  const values = Float64Array.from({ length: 64 }, (_, i) => Math.PI * (i - 32));
  const open = async () => {
    const weights = syntheticWeights(clipTiny, { dtype: 'F16' });
    const tensors = [];
    for (const [tensor, shape] of expectedTensors(clipTiny))
      tensors.push(
        tensor === weight
          ? { name: tensor, dtype: 'F64' as const, shape, data: values }
          : { name: tensor, dtype: 'F16' as const, shape, data: await weights.read(tensor) },
      );
    return openCheckpoint(memorySource(writeSafetensors(tensors), name));
  };
  const checkpoint = await open();
  expect(checkpoint.tensor(weight)).toEqual({ dtype: 'F32', shape: [64] });
  expect(new Float32Array((await checkpoint.read(weight)).buffer)).toEqual(Float32Array.from(values, Math.fround));
  values[5] = 1e300;
  await expect((await open()).read(weight)).rejects.toThrow(
    'has Infinity in tensor "text_model.final_layer_norm.bias" at [5]',
  );
});

test("the place of a bad value in OpenAI's in_proj is that in the file", async () => {
  const bytes = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'openclip' });
  const k = await syntheticWeights(clipTiny, { dtype: 'F16' }).read(layerTensor(1, 'self_attn.k_proj.weight'));
  bytes.set([0, 0x7c], Buffer.from(bytes.buffer).indexOf(k) + 2 * (3 * 64 + 9));
  const checkpoint = await openCheckpoint(memorySource(bytes, name));
  await expect(checkpoint.read(layerTensor(1, 'self_attn.k_proj.weight'))).rejects.toThrow(
    'tensor "transformer.resblocks.1.attn.in_proj_weight" at [67, 9]',
  );
  await checkpoint.read(layerTensor(1, 'self_attn.q_proj.weight'));
});

test('the place of a bad value is its row and column, in the token table too', async () => {
  const bytes = await checkpointBytes({ config: clipTiny, dtype: 'F16', layout: 'hf' });
  const table = await syntheticWeights(clipTiny, { dtype: 'F16' }).read(tokenEmbeddingName);
  const at = Buffer.from(bytes.buffer).indexOf(table);
  bytes.set([0, 0x7c], at + 2 * (49407 * 64 + 63));
  const checkpoint = await openCheckpoint(memorySource(bytes, name));
  await expect(checkpoint.read(tokenEmbeddingName)).rejects.toThrow('at [49407, 63]');
});

test('a tensor that no text encoder has is named', async () => {
  const checkpoint = await openCheckpoint(zeroSource(specs(clipTiny)));
  expect(() => checkpoint.tensor('constructor')).toThrow('no tensor "constructor"');
  await expect(checkpoint.read('logit_scale')).rejects.toThrow('no tensor "logit_scale"');
});

test('opening and reading can be aborted', async () => {
  const reason = new Error('another file was chosen');
  const source = zeroSource(specs(clipTiny));
  await expect(openCheckpoint(source, AbortSignal.abort(reason))).rejects.toBe(reason);
  const checkpoint = await openCheckpoint(source);
  await expect(checkpoint.read(tokenEmbeddingName, AbortSignal.abort(reason))).rejects.toBe(reason);
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clipscope-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a file on disk is the same as one in memory', async () => {
  const options = {
    config: clipTiny,
    dtype: 'F16',
    layout: 'ldm',
    extra: [{ name: 'zz', dtype: 'U8', shape: [2], data: () => Uint8Array.of(1, 2) }],
  } as const;
  const path = join(folder, name);
  await writeCheckpointFile(path, options);
  const bytes = await checkpointBytes(options);
  expect(Buffer.compare(await readFile(path), bytes)).toBe(0);

  const source = fileSource(path);
  expect(source).toMatchObject({ name, size: bytes.length });
  expect(await source.read(5, 500)).toEqual(bytes.slice(5, 500));
  await expect(source.read(0, source.size + 1)).rejects.toThrow(RangeError);
  const checkpoint = await openCheckpoint(source);
  expect(checkpoint.layout).toEqual(layouts.ldm);
  const [again, bias] = [await checkpoint.read(finalLayerNormWeightName), finalLayerNormBiasName];
  checkpoint.recycle!(again);
  const written = await checkpoint.read(bias);
  expect(written, 'memory that was given back').toBe(again);
  expect(written).toEqual(await syntheticWeights(clipTiny, { dtype: 'F16' }).read(bias));
  expect(await checkpoint.read(bias)).not.toBe(written);
});

test('a file that is not there, or is a folder, is named', () => {
  expect(() => fileSource(join(folder, 'none.safetensors'))).toThrow(/none\.safetensors" does not exist/);
  expect(() => fileSource(folder)).toThrow('is not a file');
});

/** Bytes without a pattern, which are finite numbers in every type: each is below 2. */
const block = Uint8Array.from({ length: 2_000_002 }, (_, i) => {
  const mixed = Math.imul(i ^ (i >>> 15), 0x7feb352d);
  return ((mixed ^ (mixed >>> 15)) >>> 8) & (i % 2 === 0 ? 0xff : 0xbf);
});

/**
 * Weights that take next to no time to make: each tensor repeats the block from another place, so that no row, matrix or tensor
 * has the bytes of its neighbour.
 */
function blockWeights(config: ClipTextConfig, dtype: WeightDtype): WeightSource {
  const shapes = expectedTensors(config);
  const blocks = new Map([...shapes.keys()].map((tensor, i) => [tensor, block.subarray(5_008 * i)]));
  return {
    name: 'blocks',
    random: true,
    config,
    tensor: (tensor) => ({ dtype, shape: shapes.get(tensor)! }),
    async read(tensor) {
      const bytes = Buffer.alloc(elementCount(shapes.get(tensor)!) * weightBytes[dtype], blocks.get(tensor));
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    },
  };
}

test.each([
  ['hf', 'F32'],
  ['hf-bare', 'BF16'],
  ['ldm', 'F16'],
  ['ldm-bare', 'BF16'],
  ['sdxl', 'F16'],
  ['openclip', 'F16'],
  ['openclip-text', 'BF16'],
  ['openclip-module', 'F16'],
  ['openclip-ldm', 'F32'],
] as const)('the full size in layout %s and %s is, through a file, the same encoder', async (layout, dtype) => {
  const path = join(folder, 'full.safetensors');
  const weights = blockWeights(clipVitL14, dtype);
  await writeCheckpointFile(path, { config: clipVitL14, dtype, layout, weights });
  const checkpoint = await openCheckpoint(fileSource(path));
  expect(checkpoint).toMatchObject({ config: clipVitL14, layout: layouts[layout] });
  for (const tensor of expectedTensors(clipVitL14).keys())
    expect(Buffer.compare(await checkpoint.read(tensor), await weights.read(tensor)), tensor).toBe(0);
});

test('writeSafetensors files are checkpoints, too', async () => {
  const weights = syntheticWeights(clipTiny);
  const tensors = [];
  for (const [tensor, shape] of expectedTensors(clipTiny))
    tensors.push({ name: tensor, dtype: 'F32' as const, shape, data: await weights.read(tensor) });
  expect((await openCheckpoint(memorySource(writeSafetensors(tensors)))).layout).toEqual(layouts.hf);
});
