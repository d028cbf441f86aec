/**
 * LoRAs out of public bug reports of other programs, by the report's number, with what the original program makes of each;
 * and further files of the same kinds, judged by recorded results of PyTorch and PEFT.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, layerTensorNames } from '../clip/weights.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { elementCount } from '../files/tensorFile.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import type { TorchSpec } from '../files/testing/torch.ts';
import { bringsEmbeddings, readEmbeddings } from './embeddingFile.ts';
import { unchangedText } from './leftOut.ts';
import { loraNamed } from './loraAliases.ts';
import { changedWeight, loraDelta, loraNorm, mergedFinalLayerNorm } from './loraDelta.ts';
import { describeLora, hasLoraNames, type Lora, loraEffects, readLora } from './loraFile.ts';
import deltas from './recorded/loras/deltas.json' with { type: 'json' };
import { syntheticWeights } from './synthetic.ts';

const expected = expectedTensors(clipTiny);
const { hiddenSize: d, intermediateSize: m } = clipTiny;

async function open(path: string, config = clipTiny): Promise<Lora> {
  const bytes = readFileSync(new URL(`./recorded/${path}.safetensors`, import.meta.url));
  return readLora(await openTensorFile(memorySource(bytes, `${path.replace(/.*\//, '')}.safetensors`)), { config });
}
const written = async (specs: readonly TorchSpec[], metadata: Record<string, string> = {}, config = clipTiny) =>
  readLora(await openTensorFile(memorySource(writeSafetensors(specs, metadata), 'x.safetensors')), { config });

/** The weights that the recorded results are of. */
const recordedWeight = (target: string) =>
  Float32Array.from({ length: elementCount(expected.get(target)!) }, (_, i) => (((i * 7) % 31) - 15) / 64);
/** A tensor of repeatable numbers in ±0.25, which every type of 16 bits holds. */
const spec = (name: string, shape: readonly number[], seed = 1): TorchSpec => ({
  name,
  dtype: 'F32',
  shape,
  data: Float32Array.from({ length: elementCount(shape) }, (_, i) => (((i * 11 + seed * 5) % 17) - 8) / 32),
});

interface RecordedDelta {
  readonly target: string;
  readonly multiplier: number;
  readonly norm: number;
  readonly at: Readonly<Record<string, number>>;
}

test.each(Object.entries(deltas as unknown as Record<string, RecordedDelta[]>))(
  'recorded: every change of %s',
  async (name, recorded) => {
    const { updates } = await open(`loras/${name}`);
    expect(updates.map(({ target }) => target).toSorted()).toEqual(recorded.map(({ target }) => target).toSorted());
    for (const { target, multiplier, norm, at } of recorded) {
      const update = updates.find((one) => one.target === target)!;
      const weight = recordedWeight(target);
      const delta = loraDelta(update, multiplier, weight);
      for (const [i, value] of Object.entries(at)) expect(delta[Number(i)], `${target} ${i}`).toBeCloseTo(value, 6);
      expect(loraNorm(update, multiplier, weight) / norm, target).toBeCloseTo(1, 6);
      const changed = changedWeight(weight, [{ ...update, multiplier }]);
      expect(changed).toEqual(Float32Array.from(weight, (value, i) => value + delta[i]));
    }
  },
);

const qv = ['0.self_attn.q_proj', '0.self_attn.v_proj', '1.self_attn.q_proj', '1.self_attn.v_proj'].map(
  (module) => `text_model.encoder.layers.${module}.weight`,
);

test.each([
  ['B34', 'real_diffusers_tf5', qv, 2],
  // PEFT keeps alpha beside the file, which a single file cannot say.
  ['B34', 'real_peft_tf5', qv, 1],
] as const)('%s: %s has four updates', async (_, file, targets, scale) => {
  const { updates, leftOut } = await open(`reports/${file}`);
  expect(updates.map(({ target }) => target)).toEqual(targets);
  expect(updates.map((update) => update.scale)).toEqual([scale, scale, scale, scale]);
  expect(leftOut).toEqual({
    ...{ unet: 0, otherEncoders: 0, unused: 0, unsupported: [], unknown: [] },
    ...(file === 'real_peft_tf5' && { lacksSettings: true }),
  });
});

test.each<[string, object, number]>([
  ['alpha and rank', { peft_type: 'LORA', r: 4, lora_alpha: 8 }, 2],
  ['rank-stabilised', { peft_type: 'LORA', r: 4, lora_alpha: 8, use_rslora: true }, 4],
  ['a pattern', { peft_type: 'LORA', r: 4, lora_alpha: 8, alpha_pattern: { 'layers\\.[01]\\.self_attn.*': 2 } }, 0.5],
])('adapter_config.json beside a file of PEFT’s: %s', async (_, values, scale) => {
  const bytes = readFileSync(new URL('./recorded/reports/real_peft_tf5.safetensors', import.meta.url));
  const file = await openTensorFile(memorySource(bytes, 'adapter_model.safetensors'));
  const { updates, leftOut } = await readLora(file, { config: clipTiny, adapterConfig: JSON.stringify(values) });
  expect(updates.map((update) => update.scale)).toEqual([scale, scale, scale, scale]);
  expect(leftOut.lacksSettings).toBeUndefined();
});

test.each([
  ['B34', 'text_encoder.encoder.layers.0.self_attn.q_proj'],
  ['B34', 'base_model.model.encoder.layers.0.self_attn.q_proj'],
  ['kohya', 'lora_te_encoder_layers_0_self_attn_q_proj'],
  ['within a pipeline', 'pipe.text_encoder.encoder.layers.0.self_attn.q_proj'],
])('%s: %s beside the U-Net’s tensors is found', async (_, module) => {
  const specs = [...pairOf(module, 4, [d, d]), ...pairOf('unet.down_blocks.0.attentions.0.to_q', 4, [320, 320])];
  const { updates, leftOut } = await written(specs);
  expect(updates.map(({ target }) => target)).toEqual(qv.slice(0, 1));
  expect(leftOut).toMatchObject({ unet: 2, unknown: [] });
});

test('OFT of PEFT without its settings is named, not guessed', async () => {
  const module = 'base_model.model.text_model.encoder.layers.0.mlp.fc1';
  const specs = [spec(`${module}.oft_R.weight`, [8, 28])];
  await expect(written(specs)).rejects.toThrow(
    'changes the text encoder by OFT of PEFT without its adapter_config.json, which cannot be applied',
  );
  const { updates } = await written(specs, settings({ peft_type: 'OFT' }));
  expect(updates.map(({ change }) => change.kind)).toEqual(['OFT']);
  await expect(written([spec(`${module}.oft_R.weight`, [8, 27])], settings({ r: 8 }))).rejects.toThrow(
    'do not fit 64 columns',
  );
});

test('B35: alpha stands in the metadata', async () => {
  const { updates } = await open('reports/meta_alpha');
  expect(updates.map(({ scale }) => scale)).toEqual([2, 2, 2, 2]);
});

const pairOf = (module: string, r: number, [out, into]: readonly [number, number], ends = ['lora_A', 'lora_B']) => [
  spec(`${module}.${ends[0]}.weight`, [r, into]),
  spec(`${module}.${ends[1]}.weight`, [out, r], 2),
];
const settings = (values: object) => ({ lora_adapter_metadata: JSON.stringify(values) });

test.each<[string, object | string, number]>([
  ['rank-stabilised', { 'text_encoder.lora_alpha': 6, 'text_encoder.use_rslora': true }, 3],
  ['a pattern by module', { 'text_encoder.lora_alpha': 6, 'text_encoder.alpha_pattern': { fc1: 2 } }, 0.5],
  [
    'a pattern by name',
    {
      'text_encoder.lora_alpha': 6,
      'text_encoder.alpha_pattern': { 'text_model.encoder.layers.1.mlp.fc1': 2, '^encoder.layers.0.mlp.fc1': 9 },
    },
    0.5,
  ],
  [
    'an expression for the end of the name',
    { 'text_encoder.lora_alpha': 6, 'text_encoder.alpha_pattern': { 'layers\\.\\d+\\.mlp\\.fc(1|2)': 2 } },
    0.5,
  ],
  [
    'an expression for the whole name',
    { 'text_encoder.lora_alpha': 6, 'text_encoder.alpha_pattern': { '^.*\\.1\\..*fc1': 2 } },
    0.5,
  ],
  [
    'an expression in the middle of a name',
    { 'text_encoder.lora_alpha': 6, 'text_encoder.alpha_pattern': { c1: 2, '.*c1': 10 } },
    2.5,
  ],
  ['the first that fits', { lora_alpha: 6, alpha_pattern: { 'mlp.fc1': 2, fc1: 10 } }, 0.5],
  ['a pattern of another module', { 'text_encoder.lora_alpha': 6, 'text_encoder.alpha_pattern': { q_proj: 2 } }, 1.5],
  ['PEFT’s own names', { r: 4, lora_alpha: 2 }, 0.5],
  ['settings of the U-Net alone', { 'unet.lora_alpha': 2 }, 1],
  ['no numbers', { 'text_encoder.lora_alpha': 'x' }, 1],
  ['no JSON', '{', 1],
])('scale by metadata: %s', async (_, values, scale) => {
  const metadata = typeof values === 'string' ? { lora_adapter_metadata: values } : settings(values);
  const module = 'text_encoder.text_model.encoder.layers.1.mlp.fc1';
  expect((await written(pairOf(module, 4, [m, d]), metadata)).updates[0].scale).toBe(scale);
  const alpha = spec(`${module}.alpha`, []);
  const own = await written([...pairOf(module, 4, [m, d]), { ...alpha, data: Float32Array.of(12) }], metadata);
  expect(own.updates[0].scale).toBe(3);
});

test.each([
  ['a quantifier of a group', '(fc|mlp)+'],
  ['many choices', '.*.*.*.*fc1'],
  ['a bracket too few', '(fc1'],
  ['more than any name', 'x'.repeat(501)],
])('an expression that is not read is told, not passed over: %s', async (_, key) => {
  const metadata = settings({ lora_alpha: 6, alpha_pattern: { [key]: 2 } });
  const specs = pairOf('text_encoder.text_model.encoder.layers.1.mlp.fc1', 4, [m, d]);
  await expect(written(specs, metadata)).rejects.toThrow('an expression that is not read here');
});

test('expressions that could be tried for ever take no time', async () => {
  const alpha_pattern = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`.*.*.*x${i}`, 2]));
  const specs = [0, 1].flatMap((layer) =>
    ['mlp.fc1', 'mlp.fc2'].flatMap((module) =>
      pairOf(`text_encoder.text_model.encoder.layers.${layer}.${module}`, 4, module === 'mlp.fc1' ? [m, d] : [d, m]),
    ),
  );
  const { updates } = await written(specs, settings({ lora_alpha: 6, alpha_pattern }));
  expect(updates.map(({ scale }) => scale)).toEqual([1.5, 1.5, 1.5, 1.5]);
  const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`.*.*.*x${i}`, 2]));
  await expect(written(specs, settings({ lora_alpha: 6, alpha_pattern: many }))).rejects.toThrow('not read here');
});

test('LoKr of PEFT takes alpha and rank from the settings', async () => {
  const module = 'base_model.model.text_model.encoder.layers.1.mlp.fc1';
  const whole = [spec(`${module}.lokr_w1`, [8, 8]), spec(`${module}.lokr_w2`, [16, 8], 2)];
  const scaleOf = async (values: object) => (await written(whole, settings(values))).updates[0].scale;
  expect(await scaleOf({ r: 8, alpha: 4 })).toBe(0.5);
  expect(await scaleOf({ r: 8, alpha: 4, rank_pattern: { fc1: 2 }, alpha_pattern: { '.*fc1': 6 } })).toBe(3);
  expect(await scaleOf({ alpha: 4 })).toBe(1);
  const factored = [
    spec(`${module}.lokr_w1`, [8, 8]),
    spec(`${module}.lokr_w2_a`, [16, 2]),
    spec(`${module}.lokr_w2_b`, [2, 8]),
  ];
  expect((await written(factored, settings({ r: 8, alpha: 4 }))).updates[0].scale).toBe(2);
});

test.each([
  ['transformers 5, PEFT', 'base_model.model.encoder.layers.1.mlp.fc1'],
  ['ComfyUI', 'text_encoders.clip_l.transformer.text_model.encoder.layers.1.mlp.fc1'],
  ['OneTrainer', 'lora_te.text_model.encoder.layers.1.mlp.fc1'],
  ['OneTrainer’s of SDXL', 'lora_te1.text_model.encoder.layers.1.mlp.fc1'],
  ['OMI', 'clip_l.text_model.encoder.layers.1.mlp.fc1'],
  ['kohya, transformers 5', 'lora_te_encoder_layers_1_mlp_fc1'],
  ['kohya’s of SDXL, transformers 5', 'lora_te1_encoder_layers_1_mlp_fc1'],
  ['LyCORIS', 'lycoris_text_model_encoder_layers_1_mlp_fc1'],
  ['no prefix', 'encoder.layers.1.mlp.fc1'],
  ['kohya', 'lora_te_text_model_encoder_layers_1_mlp_fc1'],
  ['SDXL’s first, PEFT', 'text_encoder.base_model.model.text_model.encoder.layers.1.mlp.fc1'],
  ['a pipeline of diffusers', 'text_encoder.encoder.layers.1.mlp.fc1'],
  ['a name of its own', 'mine.text_encoder.text_model.encoder.layers.1.mlp.fc1'],
  ['parallel', 'module.text_model.encoder.layers.1.mlp.fc1'],
])('%s: a LoRA of %s is found', async (_, module) => {
  for (const ends of [
    ['lora_A', 'lora_B'],
    ['lora_down', 'lora_up'],
    ['lora_A.mine', 'lora_B.mine'],
    ['lora.down', 'lora.up'],
  ]) {
    const { updates, leftOut } = await written(pairOf(module, 4, [m, d], ends));
    expect(updates.map(({ target }) => target)).toEqual(['text_model.encoder.layers.1.mlp.fc1.weight']);
    expect(leftOut.unknown).toEqual([]);
  }
});

test.each([
  ['bigG by name', 'lora_te2_text_model_encoder_layers_0_mlp_fc1', [5120, 1280]],
  ['bigG by ComfyUI’s name', 'text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1', [5120, 1280]],
  ['bigG by shape', 'encoder_b.text_model.encoder.layers.0.mlp.fc1', [5120, 1280]],
  ['an image half', 'vision_model.encoder.layers.0.mlp.fc1', [4096, 1024]],
  ['T5', 'text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q', [768, 768]],
] as const)('%s is another encoder’s', async (_, module, shape) => {
  const own = pairOf('encoder_a.text_model.encoder.layers.0.mlp.fc1', 4, [3072, 768]);
  const { updates, leftOut } = await written([...pairOf(module, 4, shape), ...own], {}, clipVitL14);
  expect(updates).toHaveLength(1);
  expect(leftOut).toMatchObject({ otherEncoders: 2, unet: 0, unknown: [] });
});

test('B40: matrices and alpha of eight bits', async () => {
  const { updates } = await open('reports/fp8');
  expect(updates).toHaveLength(2);
  for (const { scale, change } of updates) {
    if (change.kind !== 'LoRA') throw new Error('It is plain.');
    expect(scale).toBeGreaterThan(0);
    // Four significant bits are exact in half precision, and so in float32.
    for (const value of change.up) expect(Math.fround(value * 2 ** 9) % 1).toBe(0);
  }
});

test('B44: DoRA and IA³ are applied', async () => {
  const dora = await open('reports/dora');
  expect(describeLora(dora)).toEqual({ ranks: [4], kinds: ['DoRA'] });
  const weights = syntheticWeights(clipTiny);
  for (const { target, change, magnitude } of dora.updates) {
    const [out, into] = expected.get(target)!;
    const weight = new Float32Array((await weights.read(target)).buffer);
    const merged = changedWeight(weight, [{ ...dora.updates.find((one) => one.target === target)!, multiplier: 1 }]);
    // At the multiplier 1 every column has the norm that the file gives it.
    expect([change.kind, magnitude?.along]).toEqual(['LoRA', 'columns']);
    for (let column = 0; column < into; column += 7) {
      const norm = Math.hypot(...Array.from({ length: out }, (_, row) => merged[row * into + column]));
      expect(norm / magnitude!.norms[column]).toBeCloseTo(1, 5);
    }
  }
  const ia3 = await open('reports/ia3');
  expect(describeLora(ia3)).toEqual({ ranks: [], kinds: ['IA³'] });
  expect(ia3.updates).toHaveLength(6);
  expect(ia3.leftOut).toEqual({ unet: 2, otherEncoders: 0, unused: 0, unsupported: [], unknown: [] });
  const [{ relative }] = await loraEffects(ia3, weights, { multiplier: 1 });
  expect(relative).toBeGreaterThan(0);
});

test('B46: an alias is another name', async () => {
  const [alias, kohya] = [await open('reports/alias'), await open('reports/kohya')];
  expect([alias.alias, kohya.alias]).toEqual(['myStyle', undefined]);
  const loras = new Map([alias, kohya].map((lora) => [lora.name, lora]));
  const found = (name: string) => loraNamed(loras, (lora) => lora.alias, name)?.name;
  expect(['myStyle', 'alias', 'kohya', 'mystyle', 'x'].map(found)).toEqual([
    'alias',
    'alias',
    'kohya',
    undefined,
    undefined,
  ]);
});

test.each<[string, Record<string, string | undefined>, string, string | undefined]>([
  ['the alias of two files', { a: 'style', b: 'style' }, 'style', undefined],
  ['the name of one of them', { a: 'style', b: 'style' }, 'b', 'b'],
  ['an alias that is a file’s name, too', { a: undefined, b: 'a' }, 'a', 'a'],
  ['none', { a: 'none' }, 'none', undefined],
])('aliases: %s', (_, files, name, expected) => {
  const loras = new Map(Object.entries(files).map(([file, alias]) => [file, { file, alias }]));
  expect(loraNamed(loras, ({ alias }) => alias, name)?.file).toBe(expected);
});

test('the final LayerNorm that clip skip applies has its differences', async () => {
  const { updates } = await open('loras/comfy_extract');
  const [weight, bias] = [new Float32Array(d).fill(1), new Float32Array(d)];
  const merged = mergedFinalLayerNorm({ weight, bias }, [{ updates, multiplier: 0.5 }]);
  for (const [part, base] of [
    ['weight', weight],
    ['bias', bias],
  ] as const) {
    const { change } = updates.find(({ target }) => target === `text_model.final_layer_norm.${part}`)!;
    if (change.kind !== 'difference') throw new Error('It is whole.');
    expect(merged[part]).toEqual(base.map((value, i) => value + 0.5 * change.values[i]));
  }
  expect(mergedFinalLayerNorm({ weight, bias }, [])).toEqual({ weight, bias });
});

test('a colon in an alias is a dash, for it ends the name', async () => {
  const module = 'lora_te_text_model_encoder_layers_1_mlp_fc1';
  expect((await written(pairOf(module, 4, [m, d]), { ss_output_name: 'a:b' })).alias).toBe('a-b');
});

test('whole differences of every tensor of the encoder', async () => {
  const prefix = 'text_encoders.clip_l.transformer.text_model.';
  const layer = layerTensorNames.map((part) => `encoder.layers.1.${part}`);
  const names = ['embeddings.token_embedding.weight', 'embeddings.position_embedding.weight', ...layer];
  names.push('final_layer_norm.weight', 'final_layer_norm.bias');
  const specs = names.map((name) => {
    const shape = expected.get(`text_model.${name}`)!;
    return spec(prefix + name.replace(/\.weight$/, '.diff').replace(/\.bias$/, '.diff_b'), shape);
  });
  const { updates, leftOut } = await written(specs);
  expect(updates.map(({ target }) => target)).toEqual(names.map((name) => `text_model.${name}`));
  expect(leftOut.unknown).toEqual([]);
  expect(updates.every(({ change }) => change.kind === 'difference')).toBe(true);
});

test.each([
  ['w_norm and b_norm', ['w_norm', 'b_norm']],
  ['diff and diff_b', ['diff', 'diff_b']],
])('%s of a norm by LyCORIS', async (_, ends) => {
  const { updates } = await written(
    ends.map((end) => spec(`lora_te_text_model_encoder_layers_0_layer_norm2.${end}`, [d])),
  );
  expect(updates.map(({ target }) => target)).toEqual(
    ['weight', 'bias'].map((part) => `text_model.encoder.layers.0.layer_norm2.${part}`),
  );
});

test('a bias that PEFT trained is scaled as its matrix', async () => {
  const module = 'text_encoder.text_model.encoder.layers.1.mlp.fc1';
  const specs = [...pairOf(module, 4, [m, d]), spec(`${module}.lora_B.bias`, [m])];
  const { updates } = await written(specs, settings({ lora_alpha: 8 }));
  expect(updates.map(({ target, scale }) => [target.replace(/.*\./, ''), scale])).toEqual([
    ['weight', 2],
    ['bias', 2],
  ]);
});

test.each<[string, TorchSpec[], string]>([
  ['the U-Net alone', [spec('unet.up_blocks.0.x.lora_A.weight', [2, 8])], 'changes the image model alone'],
  [
    'the transformer of Flux, which has no U-Net',
    [spec('transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight', [2, 8])],
    'changes the image model alone',
  ],
  ['bigG alone', [spec('lora_te2_x.lora_up.weight', [2, 8])], 'changes other encoders alone'],
  [
    'the U-Net and the projection',
    [spec('unet.up_blocks.0.x.lora_A.weight', [2, 8]), spec('text_encoder.text_projection.lora_A.weight', [2, 64])],
    'changes the image model and the text encoder’s projection, which no prompt goes through, alone',
  ],
  [
    'an image half',
    [spec('vision_model.encoder.layers.0.mlp.fc1.lora_A.weight', [2, 8])],
    'changes other encoders alone',
  ],
  [
    'an encoder by OpenAI’s names, of this width',
    [
      spec('lora_te_transformer_resblocks_0_mlp_c_fc.lora_up.weight', [m, 2]),
      spec('unet.up_blocks.0.x.lora_A.weight', [2, 8]),
    ],
    'changes nothing of the text encoder that is known here',
  ],
  [
    'an encoder by OpenAI’s names, of another width',
    [spec('lora_te_transformer_resblocks_0_mlp_c_fc.lora_up.weight', [4096, 2])],
    'changes other encoders alone',
  ],
  [
    'an encoder whose blocks are named like a U-Net’s',
    [
      spec('unet.up_blocks.0.x.lora_A.weight', [2, 8]),
      spec('text_encoder.transformer_blocks.0.attn.lora_A.weight', [2, 64]),
    ],
    'changes nothing of the text encoder that is known here',
  ],
  [
    'the U-Net and what is not understood',
    [spec('unet.up_blocks.0.x.lora_A.weight', [2, 8]), spec('words.7.lora_A.weight', [2, 8])],
    'changes nothing of the text encoder that is known here',
  ],
  [
    'the U-Net and an encoder without the names of its layers',
    [spec('unet.up_blocks.0.x.lora_A.weight', [2, 8]), spec('te.layers.lora_A.weight', [2, 8])],
    'changes nothing of the text encoder that is known here',
  ],
])('of a LoRA of %s no more is said than is known', async (_, specs, text) => {
  const { updates, leftOut } = await written(specs);
  expect([updates.length, unchangedText(leftOut)]).toEqual([0, text]);
});

test.each([
  ['norms of no OFT', 'oft_blocks', [16, 8, 7], 'do not fit 128 rows'],
  ['too few blocks', 'oft_blocks', [15, 8, 8], 'do not fit 128 rows'],
  ['more turns than rows', 'oft_blocks', [6, 16, 8, 8], 'do not fit 128 rows'],
  ['no blocks', 'oft_blocks', [128], 'do not fit 128 rows'],
  ['one block of all rows', 'oft_diag', [1, 128, 128], null],
])('OFT: %s', async (_, part, shape, why) => {
  const read = written([spec(`lora_te_text_model_encoder_layers_0_mlp_fc1.${part}`, shape)]);
  if (why) await expect(read).rejects.toThrow(why);
  else expect(describeLora(await read).kinds).toEqual(['OFT']);
});

test.each<[string, TorchSpec[], Record<string, string>, string]>([
  [
    'blocks that take long to invert',
    [spec('text_encoder.text_model.encoder.layers.0.mlp.fc1.oft_blocks', [3, 1024, 1024])],
    {},
    'of 1024 rows; expected at most 512',
  ],
  [
    'a series without end',
    [spec('base_model.model.encoder.layers.0.mlp.fc1.oft_R.weight', [96, 28])],
    settings({ num_cayley_neumann_terms: 1e9 }),
    'with 1000000000 terms of a series; expected 1 to 16',
  ],
  [
    'a core of a high rank',
    [
      spec('te.text_model.encoder.layers.0.self_attn.q_proj.lora_down.weight', [513, 768]),
      spec('te.text_model.encoder.layers.0.self_attn.q_proj.lora_up.weight', [768, 513]),
      spec('te.text_model.encoder.layers.0.self_attn.q_proj.lora_mid.weight', [513, 513]),
    ],
    {},
    'of rank 513; expected at most 512',
  ],
])('a LoRA with %s is refused before it is computed', async (_, specs, metadata, why) => {
  await expect(written(specs, metadata, clipVitL14)).rejects.toThrow(why);
});

test('orthogonal matrices keep the length of every column', async () => {
  const { updates } = await open('loras/boft');
  const [update] = updates;
  const weight = recordedWeight(update.target);
  const merged = changedWeight(weight, [{ ...update, multiplier: 1 }]);
  for (let column = 0; column < d; column += 9) {
    const length = (values: Float32Array) =>
      Math.hypot(...Array.from({ length: m }, (_, row) => values[row * d + column]));
    expect(length(merged) / length(weight)).toBeCloseTo(1, 5);
  }
});

test('a weight that takes the place of another does so at any multiplier but 0', async () => {
  const { updates } = await open('loras/set_weight');
  const update = updates.find(({ change }) => change.kind === 'replacement')!;
  if (update.change.kind !== 'replacement') throw new Error('It is whole.');
  const weight = recordedWeight(update.target);
  for (const multiplier of [1, -0.5, 3])
    expect(changedWeight(weight, [{ ...update, multiplier }])).toEqual(update.change.values);
  expect(changedWeight(weight, [{ ...update, multiplier: 0 }])).toEqual(weight);
});

test('the first LoRAs number the layers of the attention, and bring tokens', async () => {
  const specs = [0, 1, 2, 3, 6].flatMap((number) => [
    spec(`text_encoder:${number}:up`, [d, 4]),
    spec(`text_encoder:${number}:down`, [4, d], 2),
  ]);
  const others = [spec('unet:0:up', [8, 4]), spec('unet:0:down', [4, 8]), spec('<s1>', [d])];
  const metadata = { text_encoder: '["CLIPAttention"]', unet: '["CrossAttention"]', '<s1>': '<embed>' };
  const { updates, leftOut } = await written([...specs, ...others], metadata);
  // transformers declares them in the order k, v, q, out.
  expect(updates.map(({ target }) => target.slice('text_model.encoder.layers.'.length)).toSorted()).toEqual(
    [
      '0.self_attn.k_proj',
      '0.self_attn.out_proj',
      '0.self_attn.q_proj',
      '0.self_attn.v_proj',
      '1.self_attn.q_proj',
    ].map((module) => `${module}.weight`),
  );
  expect(updates.map(({ scale }) => scale)).toEqual([1, 1, 1, 1, 1]);
  expect(leftOut).toEqual({ unet: 2, otherEncoders: 0, unused: 0, unsupported: [], unknown: [] });
  const file = await openTensorFile(memorySource(writeSafetensors([...specs, ...others], metadata), 'x.safetensors'));
  expect([hasLoraNames(file), bringsEmbeddings(file)]).toEqual([true, true]);
  const embeddings = await readEmbeddings(file, { hiddenSize: d });
  expect(embeddings.map(({ name, trainedAs, vectors }) => [name, trainedAs, vectors.length])).toEqual([
    ['<s1>', '<s1>', 1],
  ]);
  // Layers of other classes have other numbers.
  const extended = await written([...specs, ...others], { ...metadata, text_encoder: '["CLIPAttention", "CLIPMLP"]' });
  expect([extended.updates.length, unchangedText(extended.leftOut)]).toEqual([
    0,
    'changes nothing of the text encoder that is known here',
  ]);
});

test('a LoRA of names that are not known is not called none', async () => {
  const specs = [spec('net.blocks.0.lora_A.weight', [2, 8])];
  expect(hasLoraNames(await openTensorFile(memorySource(writeSafetensors(specs))))).toBe(true);
  await expect(written(specs)).rejects.toThrow(
    'has no tensor that is known to change a text encoder or an image model, such as "net.blocks.0.lora_A.weight"',
  );
});
