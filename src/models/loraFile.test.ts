import { expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import type { TensorDtype } from '../files/tensorFile.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { type TorchSpec, torchBytes } from '../files/testing/torch.ts';
import fc from '../properties.ts';
import { type LoraUpdate, loraDelta, loraNorm } from './loraDelta.ts';
import { hasLoraNames, LoraError, loraEffects, readLora } from './loraFile.ts';
import { syntheticWeights } from './synthetic.ts';

const { hiddenSize: d, intermediateSize: m } = clipTiny;
const value = (i: number) => (((i * 7) % 31) - 15) / 8;
const values = (n: number, from = 0) => Float32Array.from({ length: n }, (_, i) => value(i + from));

const spec = (name: string, shape: readonly number[], dtype: TensorDtype = 'F32', from = 0): TorchSpec => {
  const floats = values(
    shape.reduce((a, b) => a * b, 1),
    from,
  );
  const data = dtype === 'F64' ? Float64Array.from(floats) : fromFloat32(floats, dtype as 'F32');
  return { name, dtype, shape, data };
};
const number = (name: string, n: number, shape: readonly number[] = []): TorchSpec => ({
  name,
  dtype: 'F32',
  shape,
  data: Float32Array.of(n),
});

async function read(specs: readonly TorchSpec[], name = 'style.safetensors', torch = false) {
  const bytes = torch ? torchBytes(specs) : writeSafetensors(specs);
  return readLora(await openTensorFile(memorySource(bytes, name)), { config: clipTiny });
}

const kohya = 'lora_te_text_model_encoder_layers_';
const r = 4;
/** Returns a pair of matrices of fc1 in layer 1, with these beginnings and ends of their names. */
const pair = (down: string, up: string, kernel: readonly number[] = []) => [
  spec(down, [r, d, ...kernel]),
  spec(up, [m, r, ...kernel], 'F32', 3),
];

const peft = 'text_encoder.text_model.encoder.layers.1.mlp.fc1.';
test.each<[string, TorchSpec[]]>([
  ['kohya', pair(`${kohya}1_mlp_fc1.lora_down.weight`, `${kohya}1_mlp_fc1.lora_up.weight`)],
  [
    'kohya, SDXL’s first',
    pair(
      'lora_te1_text_model_encoder_layers_1_mlp_fc1.lora_down.weight',
      'lora_te1_text_model_encoder_layers_1_mlp_fc1.lora_up.weight',
    ),
  ],
  ['kohya, as convolutions', pair(`${kohya}1_mlp_fc1.lora_down.weight`, `${kohya}1_mlp_fc1.lora_up.weight`, [1, 1])],
  ['PEFT', pair(`${peft}lora_A.weight`, `${peft}lora_B.weight`)],
  [
    'PEFT, saved by itself',
    pair(`base_model.model.${peft.slice(13)}lora_A.weight`, `base_model.model.${peft.slice(13)}lora_B.weight`),
  ],
  ['PEFT, adapter named', pair(`${peft}lora_A.default.weight`, `${peft}lora_B.default.weight`)],
  ['Diffusers', pair(`${peft}lora_linear_layer.down.weight`, `${peft}lora_linear_layer.up.weight`)],
  ['Diffusers without prefix', pair(`${peft.slice(13)}lora.down.weight`, `${peft.slice(13)}lora.up.weight`)],
])('%s: both matrices are found, alpha is r where none is given', async (_, specs) => {
  for (const torch of [false, true]) {
    const { name, updates, leftOut } = await read(specs, 'style.safetensors', torch);
    expect(name).toBe('style');
    expect(leftOut).toMatchObject({ unet: 0, otherEncoders: 0, unused: 0, unsupported: [], unknown: [] });
    expect(updates).toEqual([
      {
        target: 'text_model.encoder.layers.1.mlp.fc1.weight',
        scale: 1,
        change: { kind: 'LoRA', rank: r, down: values(r * d), up: values(m * r, 3) },
        magnitude: null,
      },
    ]);
  }
});

const encoderWeight = 'text_model.encoder.layers.0.mlp.fc1.weight';
test.each([
  'lora_unet_down_blocks_0_proj_in.alpha',
  'lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight',
  'base_model.model.unet.x.lora_A.weight',
  'unet.x.processor.to_q_lora.down.weight',
  'text_encoder.text_model.encoder.layers.0.mlp.fc1.lora.down.weight',
  'unet.x.to_q.lora_linear_layer.up.weight',
  'unet.x.dora_scale',
  'unet.x.lora_magnitude_vector',
  'lycoris_blocks_0.hada_w1_a',
  'diffusion_model.x.lokr_w1',
])('%s is of a LoRA', (name) => {
  const file = (...names: string[]) => ({ tensors: new Map(names.map((name) => [name, {} as never])) });
  expect(hasLoraNames(file('note', name))).toBe(true);
  expect(hasLoraNames(file(encoderWeight, 'model.diffusion_model.input_blocks.0.0.weight', 'emb_params'))).toBe(false);
});

test('the oldest spelling of Diffusers', async () => {
  const attention = 'text_encoder.text_model.encoder.layers.0.self_attn.to_';
  const specs = ['q', 'out'].flatMap((part) => [
    spec(`${attention}${part}_lora.down.weight`, [2, d]),
    spec(`${attention}${part}_lora.up.weight`, [d, 2]),
  ]);
  expect((await read(specs)).updates.map(({ target }) => target)).toEqual(
    ['q', 'out'].map((part) => `text_model.encoder.layers.0.self_attn.${part}_proj.weight`),
  );
});

const modules: readonly (readonly [string, string, number, number])[] = [
  ['self_attn_q_proj', 'self_attn.q_proj', d, d],
  ['self_attn_k_proj', 'self_attn.k_proj', d, d],
  ['self_attn_v_proj', 'self_attn.v_proj', d, d],
  ['self_attn_out_proj', 'self_attn.out_proj', d, d],
  ['mlp_fc1', 'mlp.fc1', m, d],
  ['mlp_fc2', 'mlp.fc2', d, m],
];

test('a whole file, in the order of the encoder, in every type, with its alphas', async () => {
  const dtypes = ['F32', 'F16', 'BF16', 'F64'] as const;
  const specs = [1, 0].flatMap((layer) =>
    modules
      .toReversed()
      .flatMap(([module, , out, into], i) => [
        spec(`${kohya}${layer}_${module}.lora_down.weight`, [r, into], dtypes[i % 4]),
        spec(`${kohya}${layer}_${module}.lora_up.weight`, [out, r], dtypes[(i + 1) % 4]),
        number(`${kohya}${layer}_${module}.alpha`, 0.5 + i, i % 2 ? [1] : []),
      ]),
  );
  const unet = [spec('lora_unet_down_blocks_0_proj_in.lora_down.weight', [r, 8]), number('lora_unet_x.alpha', 1)];
  const second = [spec('lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight', [r, 1280])];
  const { updates, leftOut } = await read([
    ...unet,
    ...specs,
    ...second,
    spec('bundle_emb.a.clip_l', [1, 8]),
    number('note', 1),
  ]);
  expect(updates.map(({ target, scale }) => [target, scale])).toEqual(
    [0, 1].flatMap((layer) =>
      modules.map(([, module], i) => [`text_model.encoder.layers.${layer}.${module}.weight`, (5.5 - i) / r]),
    ),
  );
  for (const { change, target } of updates) {
    const [, , out, into] = modules.find(([, module]) => target.endsWith(`.${module}.weight`))!;
    // The values are eighths, which every type holds exactly.
    expect(change).toEqual({ kind: 'LoRA', rank: r, down: values(r * into), up: values(out * r) });
  }
  expect(leftOut).toEqual({ unet: 2, otherEncoders: 1, unused: 0, unsupported: [], unknown: ['note'] });
});

test('a LoRA of the U-Net alone changes nothing here', async () => {
  const { updates, leftOut } = await read([
    spec('unet.up_blocks.0.attentions.0.proj_in.lora_A.weight', [2, 8]),
    spec('lora_unet_x.lora_up.weight', [8, 2]),
  ]);
  expect(updates).toEqual([]);
  expect(leftOut.unet).toBe(2);
});

test('alpha may be a whole number', async () => {
  const [update] = (
    await read([
      ...pair(`${kohya}1_mlp_fc1.lora_down.weight`, `${kohya}1_mlp_fc1.lora_up.weight`),
      { name: `${kohya}1_mlp_fc1.alpha`, dtype: 'I64', shape: [], data: BigInt64Array.of(16n) },
    ])
  ).updates;
  expect(update.scale).toBe(16 / r);
});

test('of two kinds in one file the one that can be applied is used and the other named', async () => {
  const { updates, leftOut } = await read([
    ...pair(`${kohya}1_mlp_fc1.lora_down.weight`, `${kohya}1_mlp_fc1.lora_up.weight`),
    ...[spec(`${kohya}0_mlp_fc1.vera_lambda_b`, [m]), spec(`${kohya}0_mlp_fc1.vera_lambda_d`, [d])],
  ]);
  expect(updates.map(({ target }) => target)).toEqual(['text_model.encoder.layers.1.mlp.fc1.weight']);
  const [{ kind, names }] = leftOut.unsupported;
  expect(kind).toBe('VeRA');
  expect(names.toSorted()).toEqual(['vera_lambda_b', 'vera_lambda_d'].map((part) => `${kohya}0_mlp_fc1.${part}`));
});

const down = `${kohya}0_mlp_fc1.lora_down.weight`;
const up = `${kohya}0_mlp_fc1.lora_up.weight`;
test.each<[string, TorchSpec[], string]>([
  [
    'VeRA and HRA',
    [spec(`${kohya}0_mlp_fc1.vera_lambda_b`, [m]), spec(`${kohya}0_mlp_fc2.hra_u`, [m, 2])],
    'changes the text encoder by VeRA and HRA, which cannot be applied',
  ],
  [
    'half a Kronecker product',
    [spec(`${kohya}0_mlp_fc2.lokr_w1`, [2, 2])],
    `has "${kohya}0_mlp_fc2.lokr_w1" without the other matrix of its Kronecker product`,
  ],
  [
    'a Kronecker product of another size',
    [spec(`${kohya}0_mlp_fc2.lokr_w1`, [2, 2]), spec(`${kohya}0_mlp_fc2.lokr_w2`, [2, 2])],
    `changes a matrix [4, 4] at "${kohya}0_mlp_fc2.lokr_w1"; expected [${d}, ${m}], as Stable Diffusion 1's encoder has it`,
  ],
  [
    'half a LoHa',
    [spec(`${kohya}0_mlp_fc1.hada_w1_a`, [m, 2])],
    `has "${kohya}0_mlp_fc1.hada_w1_a" without the other matrix of its pair`,
  ],
  [
    'a difference of another size',
    [spec(`${kohya}0_mlp_fc1.diff_b`, [d])],
    `has tensor "${kohya}0_mlp_fc1.diff_b" of shape [${d}]; expected ${m} numbers, as Stable Diffusion 1's encoder has them`,
  ],
  [
    'a rank that no matrix has',
    [spec(down, [4097, d]), spec(up, [m, 4097])],
    `has "${down}" of rank 4097; expected at most 4096`,
  ],
  [
    'one module under two prefixes',
    [
      ...[spec(down, [r, d]), spec(up, [m, r])],
      ...pair(`${peft}lora_A.weight`, `${peft}lora_B.weight`).map((one) => ({
        ...one,
        name: one.name.replace('.1.', '.0.'),
      })),
    ],
    'changes "text_model.encoder.layers.0.mlp.fc1" twice, under two prefixes',
  ],
  ['half a pair', [spec(up, [m, r])], `has "${up}" without the other matrix of its pair`],
  [
    'a layer too many',
    [spec(`${kohya}2_mlp_fc1.lora_down.weight`, [r, d]), spec(`${kohya}2_mlp_fc1.lora_up.weight`, [m, r])],
    "changes layer 2 of the text encoder; Stable Diffusion 1's has 2",
  ],
  [
    'another width',
    [spec(down, [r, 1024]), spec(up, [4096, r])],
    `changes a matrix [4096, 1024] at "${down}"; expected [${m}, ${d}], as Stable Diffusion 1's encoder has it`,
  ],
  [
    'two ranks',
    [spec(down, [r, d]), spec(up, [m, 2])],
    `has "${down}" of rank 4 and "${up}" of rank 2; expected the same`,
  ],
  [
    'a real convolution',
    [spec(down, [r, d, 3, 3]), spec(up, [m, r])],
    `has tensor "${down}" of shape [4, 64, 3, 3], which is not a matrix`,
  ],
  ['rank 0', [spec(down, [0, d]), spec(up, [m, 0])], `has tensor "${down}" of shape [0, 64], which is not a matrix`],
  ['a vector', [spec(down, [d]), spec(up, [m, 1])], `has tensor "${down}" of shape [64], which is not a matrix`],
  [
    'two alphas',
    [spec(down, [r, d]), spec(up, [m, r]), spec(`${kohya}0_mlp_fc1.alpha`, [2])],
    `has tensor "${kohya}0_mlp_fc1.alpha" of shape [2]; expected one number`,
  ],
  [
    'an alpha of NaN',
    [spec(down, [r, d]), spec(up, [m, r]), number(`${kohya}0_mlp_fc1.alpha`, Number.NaN)],
    `has NaN in tensor "${kohya}0_mlp_fc1.alpha" at []; expected only finite numbers`,
  ],
  [
    'one matrix in two spellings',
    [spec(down, [r, d]), spec(up, [m, r]), spec(`${kohya}0_mlp_fc1.lora_A.weight`, [r, d])],
    `has two tensors for one matrix: "${kohya}0_mlp_fc1.lora_A.weight" and "${down}"`,
  ],
  [
    'eight-bit matrices',
    [{ name: down, dtype: 'U8', shape: [r, d], data: new Uint8Array(r * d) }, spec(up, [m, r])],
    `stores tensor "${down}" as U8; expected F32, F16, BF16, F64, F8_E4M3, F8_E5M2 or F4`,
  ],
  [
    'a text encoder',
    [spec('text_model.encoder.layers.0.mlp.fc1.weight', [m, d])],
    'is not recognised as a LoRA: none of its 1 tensors is named like one\'s, such as "text_model.encoder.layers.0.mlp.fc1.weight"',
  ],
  ['nothing', [], 'has no tensors'],
])('%s is refused in one sentence', async (_, specs, why) => {
  const error = await read(specs).catch((e) => e);
  expect(error).toBeInstanceOf(LoraError);
  expect(error.message).toBe(`"style.safetensors" ${why}.`);
});

test('ΔW is the scale times the product', () => {
  const change = {
    kind: 'LoRA',
    rank: 2,
    down: Float32Array.of(1, 2, 3, 4, 5, 6),
    up: Float32Array.of(1, 0, 0, 1, 1, -1, 2, 2),
  } as const;
  const update: LoraUpdate = { target: 'w', scale: 3, change, magnitude: null };
  const product = [1, 2, 3, 4, 5, 6, -3, -3, -3, 10, 14, 18];
  expect(Array.from(loraDelta(update, 0.5))).toEqual(product.map((x) => 1.5 * x));
  expect(loraNorm(update, -0.5)).toBeCloseTo(1.5 * Math.hypot(...product), 12);
});

test('the norm without the product is that of the product', () => {
  const finite = fc.float({ min: -8, max: 8, noNaN: true });
  const update = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
    .chain(([rank, out, into]) =>
      fc.record({
        rank: fc.constant(rank),
        alpha: finite,
        up: fc.array(finite, { minLength: out * rank, maxLength: out * rank }),
        down: fc.array(finite, { minLength: into * rank, maxLength: into * rank }),
      }),
    );
  fc.assert(
    fc.property(update, finite, ({ rank, alpha, up, down }, multiplier) => {
      const made: LoraUpdate = {
        target: 'w',
        scale: alpha / rank,
        change: { kind: 'LoRA', rank, up: Float32Array.from(up), down: Float32Array.from(down) },
        magnitude: null,
      };
      const norm = Math.hypot(...loraDelta(made, multiplier));
      // The sum of squares cancels if the product is small beside its factors.
      const scale = Math.abs((multiplier * alpha) / rank) * Math.hypot(...up) * Math.hypot(...down);
      expect(Math.abs(loraNorm(made, multiplier) - norm)).toBeLessThanOrEqual(1e-6 * scale);
    }),
  );
});

test('effects are relative to the weights that are changed', async () => {
  const lora = await read([
    ...pair(`${kohya}1_mlp_fc1.lora_down.weight`, `${kohya}1_mlp_fc1.lora_up.weight`),
    spec(`${kohya}0_self_attn_k_proj.lora_down.weight`, [r, d]),
    spec(`${kohya}0_self_attn_k_proj.lora_up.weight`, [d, r]),
  ]);
  const weights = syntheticWeights(clipTiny, { dtype: 'F16' });
  const progress: [number, number][] = [];
  const effects = await loraEffects(lora, weights, {
    multiplier: 0.25,
    onProgress: (done, total) => progress.push([done, total]),
  });
  expect(progress).toEqual([
    [1, 2],
    [2, 2],
  ]);
  for (const [i, { target, delta, weight, relative }] of effects.entries()) {
    const update = lora.updates[i];
    expect(target).toBe(update.target);
    const w = toFloat32(await weights.read(target), 'F16');
    expect(weight).toBeCloseTo(Math.hypot(...w), 9);
    expect(delta).toBeCloseTo(Math.hypot(...loraDelta(update, 0.25)), 9);
    expect(relative).toBe(delta / weight);
  }
  const reason = new Error('closed');
  await expect(loraEffects(lora, weights, { multiplier: 1, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
