import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { maskModes } from '../clip/masks.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import type { WeightSource } from '../clip/weights.ts';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { openSafetensors, writeSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { testAdapters } from '../gpu/testing/adapters.ts';
import { loraDelta } from '../models/loraDelta.ts';
import { openLora } from '../models/loraFile.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { writeCheckpointFile } from '../models/testing/checkpoints.ts';
import { openConditioning } from '../road/export/conditioningFile.ts';
import { defaultOptions, type PromptOptions, writtenOptions } from '../road/options.ts';
import { preparePrompt, promptEmbeds } from '../road/pipeline.ts';
import { referenceZ } from '../road/testing/encodings.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { flavourOf } from '../tokens/tokenizerFlavours.ts';
import { main } from './encode.ts';
import { fileSource } from './fileSource.ts';

const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
const out = join(folder, 'out.safetensors');
const engine = ['--engine', 'cpu'];
const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
let printed = '';
let complaint = '';

beforeEach(() => {
  printed = complaint = '';
  vi.spyOn(console, 'log').mockImplementation((line) => {
    printed += `${line}\n`;
  });
  vi.spyOn(console, 'error').mockImplementation((line) => {
    complaint += `${line}\n`;
  });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

const prompt = 'a (red:1.3) car, [blurry]';
const tiny = referenceZ(clipTiny);

async function written() {
  const { tensors, metadata } = await openSafetensors(memorySource(readFileSync(out)));
  const read = async (name: string) => toFloat32(await tensors.get(name)!.read(), 'F32');
  return { tensors, metadata, read };
}

const cases: readonly (readonly [prompt: string, options: Partial<PromptOptions>])[] = [
  ...maskModes.map((mask) => ['a (red:1.3) car, [blurry]', { mask }] as const),
  ['a (red:1.3) car, [blurry]', { weighting: 'scale', squareFactor: '0.9' }],
  ['a (red:1.3) car, [blurry]', { weighting: 'none', brackets: 'text' }],
  [`(cat:1.2) ${'dog '.repeat(80)}`, { clipSkip: 2, commaPaddingBacktrack: 0 }],
  ['a (red:1.3) car :0.5 AND a dog', {}],
  ['a [(red:1.3):blue:0.5] car', { steps: 10, step: 8 }],
  ['a [(red:1.3):blue:1.5] car', { steps: 10, step: 3, timeline: 'before-1.6' }],
  ['a (red)1.3 car, (blurry)0.5', { syntax: 'compel', weighting: 'compel-mask' }],
  ['a red++ car, blurry-', { syntax: 'compel', weighting: 'compel-remove', split: 'WORDS' }],
  ['("a red++ car", "a dog").blend(1, 0.5)', { syntax: 'compel', weighting: 'compel-mask' }],
  ['a (red:1.3) car, (blurry:0.5)', { syntax: 'comfy', weighting: 'comfy', comfyUnit: 'words' }],
  ['a (red:1.3) car, (blurry:0.5)', { syntax: 'comfy', weighting: 'adv-comfy++', normalisation: 'length+mean' }],
  ['a ({red|blue|green}:1.3) car // blurry', { syntax: 'comfy', weighting: 'comfy', choiceSeed: 7 }],
  ['a cat that don’t see “猫”', { syntax: 'comfy', weighting: 'comfy' }],
  ['a cat that don’t see “猫”', { syntax: 'comfy', weighting: 'comfy', tokenizer: 'hf-slow-ftfy' }],
  ['a {red|blue|green} car', { syntax: 'comfy', weighting: 'comfy', positiveVariant: 3, comfyInput: 'page' }],
];

const flags: Readonly<Record<keyof PromptOptions, string>> = {
  syntax: 'syntax',
  tokenizer: 'tokenizer',
  mask: 'mask',
  weighting: 'weighting',
  context: 'context',
  rowMaps: 'row-maps',
  normalisation: 'normalisation',
  clipSkip: 'clip-skip',
  brackets: 'brackets',
  squareFactor: 'square-factor',
  timeline: 'timeline',
  steps: 'steps',
  step: 'step',
  commaPaddingBacktrack: 'comma-backtrack',
  split: 'split',
  clsTokens: 'cls-tokens',
  comfyUnit: 'comfy-unit',
  comfyInput: 'comfy-input',
  choiceSeed: 'seed',
  positiveVariant: 'variant',
  negativeVariant: 'negative-variant',
};

test.each(cases)('%s %o: what the float64 encoder gives', async (prompt, changed) => {
  const args = Object.entries(changed).flatMap(([name, value]) => [
    `--${flags[name as keyof PromptOptions]}`,
    String(value),
  ]);
  const given = ['--prompt', prompt, '--model', 'synthetic-tiny', '--out', out, ...args];
  expect(await main([...given, ...engine]), complaint).toBe(0);
  const options = { ...defaultOptions, ...changed };
  const prepared = preparePrompt(prompt, options, tokenizer);
  const zOf = (await tiny)(options.clipSkip);
  const { tensors, metadata, read } = await written();
  const embeds = promptEmbeds(prepared, zOf, options.weighting);
  for (const [i, rows] of embeds.entries()) {
    const name = embeds.length > 1 ? `prompt_embeds.${i}` : 'prompt_embeds';
    expect(tensors.get(name)).toMatchObject({ dtype: 'F32', shape: [1, rows.length / 64, 64] });
    expectClose(name, await read(name), rows, 1e-4);
  }
  const masks = options.mask === 'hf' || options.mask === 'lecture';
  expect(tensors.size).toBe(embeds.length + 1 + Number(masks));
  const n = prepared.chunks.length;
  expect(tensors.get('last_hidden_state')).toMatchObject({ dtype: 'F32', shape: [n, 77, 64] });
  const last = await read('last_hidden_state');
  for (const [i, { pass }] of prepared.chunks.entries())
    expectClose('last_hidden_state', last.subarray(i * 77 * 64, (i + 1) * 77 * 64), (await tiny)(1)(pass), 1e-5);
  const rows = (of: 'inputIds' | 'perTokenWeights') => prepared.chunks.map(({ chunk }) => Array.from(chunk[of]));
  expect(JSON.parse(metadata.get('token_ids')!)).toEqual(rows('inputIds'));
  expect(JSON.parse(metadata.get('weights')!)).toEqual(rows('perTokenWeights'));
  const texts = { ...writtenOptions(options), tokenizer: flavourOf(options) };
  expect(Object.fromEntries(metadata)).toMatchObject({ prompt, ...texts, model: 'synthetic-tiny' });
});

test.each([
  ['WebGPU', testAdapters[0] ? ['--adapter', testAdapters[0]] : ['--engine', 'webgpu'], /, F32, (?!CPU)/],
  ['one thread of the CPU', ['--engine', 'cpu', '--threads', '1'], /, F32, CPU, 1 thread, /],
])('%s is said to have encoded, and gives what the float64 encoder gives', async (_, chosen, said) => {
  expect(await main(['--prompt', prompt, '--model', 'synthetic-tiny', '--out', out, ...chosen]), complaint).toBe(0);
  expect(printed).toMatch(said);
  const [embeds] = promptEmbeds(
    preparePrompt(prompt, defaultOptions, tokenizer),
    (await tiny)(1),
    defaultOptions.weighting,
  );
  expectClose('prompt_embeds', await (await written()).read('prompt_embeds'), embeds, 1e-4);
});

test('a negative prompt is encoded too, and both are completed to one length', async () => {
  const long = `(cat:1.2) ${'dog '.repeat(80)}`;
  const args = ['--prompt', prompt, '--negative', long, '--model', 'synthetic-tiny', '--out', out];
  expect(await main([...args, '--mask', 'hf', ...engine]), complaint).toBe(0);
  const options: PromptOptions = { ...defaultOptions, mask: 'hf' };
  const zOf = (await tiny)(1);
  const [positive, negative, empty] = [prompt, long, ''].map((text) => {
    const prepared = preparePrompt(text, options, tokenizer, text === long ? 'negative' : 'positive');
    return promptEmbeds(prepared, zOf, options.weighting)[0];
  });
  const { tensors, metadata, read } = await written();
  const whole = Float32Array.of(...positive, ...empty);
  expect(tensors.get('prompt_embeds')!.shape).toEqual([1, 154, 64]);
  expectClose('prompt_embeds', await read('prompt_embeds'), whole, 1e-4);
  expectClose('negative_prompt_embeds', await read('negative_prompt_embeds'), negative, 1e-4);
  expect(tensors.get('attention_mask')).toMatchObject({ dtype: 'I64', shape: [1, 154] });
  const mask = new BigInt64Array((await tensors.get('attention_mask')!.read()).buffer);
  // Attention masks end after BOS, five tokens and EOS; those of the empty prompt after BOS and EOS.
  const ends = [7, 2].flatMap((end) => Array.from({ length: 77 }, (_, i) => BigInt(i < end)));
  expect(Array.from(mask)).toEqual(ends);
  expect(metadata.get('negative_prompt')).toBe(long);
  expect(JSON.parse(metadata.get('negative_token_ids')!)).toHaveLength(2);
});

test.each([
  ['lines', 'prompts.txt', 'a red car\n\na (blue:1.2) car\n'],
  [
    'JSON',
    'prompts.json',
    JSON.stringify(['a red car', { prompt: 'a (blue:1.2) car', negative: 'fog', weighting: 'scale', 'clip-skip': 2 }]),
  ],
])('a file of prompts, %s, becomes one file', async (kind, name, contents) => {
  const file = join(folder, name);
  writeFileSync(file, contents);
  expect(await main(['--prompts', file, '--model', 'synthetic-tiny', '--out', out, ...engine]), complaint).toBe(0);
  const { tensors, metadata, read } = await written();
  const json = kind === 'JSON';
  expect([...tensors.keys()].filter((name) => name.includes('embeds')).sort()).toEqual([
    '0.prompt_embeds',
    ...(json ? ['1.negative_prompt_embeds'] : []),
    '1.prompt_embeds',
  ]);
  const options: PromptOptions = { ...defaultOptions, ...(json && { weighting: 'scale', clipSkip: 2 }) };
  const prepared = preparePrompt('a (blue:1.2) car', options, tokenizer);
  const [embeds] = promptEmbeds(prepared, (await tiny)(options.clipSkip), options.weighting);
  expectClose('1.prompt_embeds', await read('1.prompt_embeds'), embeds, 1e-4);
  expect(metadata.get('prompts')).toBe('2');
  expect(metadata.get('0.prompt')).toBe('a red car');
  expect(metadata.get('1.weighting')).toBe(options.weighting);
});

test.each<[string, string, string, Partial<PromptOptions>, string]>([
  [
    'a.jpg',
    'a (red:1.3) fox, 猫',
    'blurry, [bad]',
    { steps: 24, clipSkip: 2 },
    'prompt, negative prompt, 24 steps and clip skip 2.',
  ],
  [
    'comfy.png',
    'best quality\n(cat:1.2) on a log',
    '(out of frame)',
    { syntax: 'comfy', weighting: 'comfy' },
    'prompt and negative prompt of ComfyUI’s sampler 3 (KSampler).',
  ],
])('the prompts of %s are encoded as its program did', async (file, positive, negative, changed, summary) => {
  const args = ['--from', `src/files/recorded/pictures/${file}`, '--model', 'synthetic-tiny', '--out', out];
  expect(await main([...args, '--clip-skip', '1', ...engine]), complaint).toBe(0);
  expect(printed).toContain(`from ${file}: ${summary}`);
  const { metadata, read } = await written();
  expect([metadata.get('prompt'), metadata.get('negative_prompt')]).toEqual([positive, negative]);
  const options = { ...defaultOptions, ...changed };
  const [embeds] = promptEmbeds(
    preparePrompt(positive, options, tokenizer),
    (await tiny)(options.clipSkip),
    options.weighting,
  );
  expectClose('prompt_embeds', await read('prompt_embeds'), embeds, 1e-4);
});

test.each([
  [['--from', 'src/models/recorded/cards/card.png'], '"card.png" is a picture without generation data'],
  [['--from', 'package.json'], '"package.json" holds no graph of ComfyUI\'s.'],
  [['--from', 'none.png'], '"none.png" does not exist.'],
  [['--from', 'a.png', '--prompt', 'a'], 'There is both --prompt and --from; give one of them.'],
])('%j is one sentence and an exit code', async (args, message) => {
  expect(await main(args)).toBe(1);
  expect(complaint.trim()).toContain(message);
  expect(complaint.trim().split('\n')).toHaveLength(1);
});

describe('textual inversions and LoRAs', () => {
  const { hiddenSize: d, intermediateSize: m } = clipTiny;
  const waves = (n: number, seed: number) =>
    Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed) / 4);
  const tensor = (name: string, shape: readonly number[], seed: number) => {
    const size = shape.reduce((product, n) => product * n, 1);
    return { name, dtype: 'F32' as const, shape, data: waves(size, seed) };
  };
  const write = (name: string, ...tensors: ReturnType<typeof tensor>[]) => {
    const file = join(folder, name);
    writeFileSync(file, writeSafetensors(tensors));
    return file;
  };
  const vectorsOf = (count: number, seed: number) => {
    const all = waves(count * d, seed);
    return Array.from({ length: count }, (_, i) => all.subarray(i * d, (i + 1) * d));
  };
  const fc1 = 'lora_te_text_model_encoder_layers_1_mlp_fc1';
  const style = write(
    'style.safetensors',
    tensor(`${fc1}.lora_down.weight`, [2, d], 3),
    tensor(`${fc1}.lora_up.weight`, [m, 2], 4),
    tensor('bundle_emb.charm.emb_params', [1, d], 6),
  );
  const toy = write('toy.safetensors', tensor('<cat-toy>', [2, d], 5));
  const unet = write('unet.safetensors', tensor('lora_unet_x.lora_down.weight', [2, 8], 1));
  const other = write('wide.safetensors', tensor('emb_params', [1, 768], 1));
  const embeddings = [
    { name: 'charm', vectors: vectorsOf(1, 6) },
    { name: 'toy', trainedAs: '<cat-toy>', vectors: vectorsOf(2, 5) },
  ];

  async function zOfMerged(multiplier: number) {
    const source = syntheticWeights(clipTiny);
    const { updates } = await openLora(fileSource(style), { config: clipTiny });
    const merged: WeightSource = {
      ...source,
      async read(name, signal) {
        const sums = Float64Array.from(toFloat32(await source.read(name, signal), 'F32'));
        for (const update of updates.filter((update) => update.target === name))
          for (const [i, delta] of loraDelta(update, multiplier).entries()) sums[i] += delta;
        return fromFloat32(Float32Array.from(sums), 'F32');
      },
    };
    return (await referenceZ(clipTiny, merged))(1);
  }

  test.each<[string, string, string, number, Partial<PromptOptions>]>([
    ['A1111', '<lora:style:0.5> a (toy:1.2) charm', 'charm <lora:style:3> fog', 0.5, {}],
    ['ComfyUI', 'a embedding:toy', 'embedding:charm fog', 0, { syntax: 'comfy', weighting: 'comfy' }],
    ['Compel', 'a (<cat-toy>)1.2 withLora(style, 2)', 'charm', 2, { syntax: 'compel', weighting: 'compel-mask' }],
  ])('%s: what the float64 encoder gives', async (_, positive, negative, multiplier, changed) => {
    const args = ['--prompt', positive, '--negative', negative, '--model', 'synthetic-tiny', '--out', out];
    const files = ['--lora', style, '--embedding', toy, '--lora', unet];
    const syntax = changed.syntax ? ['--syntax', changed.syntax] : [];
    expect(await main([...args, ...files, ...syntax, ...engine]), complaint).toBe(0);
    const options = { ...defaultOptions, ...changed };
    const zOf = await zOfMerged(multiplier);
    const { metadata, read } = await written();
    for (const [side, text] of [['positive', positive] as const, ['negative', negative] as const]) {
      const prepared = preparePrompt(text, options, tokenizer, side, embeddings);
      expect(prepared.chunks[0].pass.vectors?.size).toBe(side === 'positive' ? 2 + Number(multiplier === 0.5) : 1);
      const name = side === 'positive' ? 'prompt_embeds' : 'negative_prompt_embeds';
      expectClose(name, await read(name), promptEmbeds(prepared, zOf, options.weighting)[0], 1e-4);
    }
    expect(JSON.parse(metadata.get('embeddings')!)).toHaveLength(multiplier === 0.5 ? 2 : 1);
    expect(JSON.parse(metadata.get('negative_embeddings')!)).toEqual([{ name: 'charm', vectors: 1 }]);
    expect(JSON.parse(metadata.get('loras') ?? '[]')).toEqual(multiplier ? [{ name: 'style', multiplier }] : []);
    expect(printed).toContain(changed.syntax === 'compel' ? '<cat-toy>·2' : 'toy·2');
    expect(printed.includes(`LoRA style: merged × ${multiplier}`)).toBe(multiplier !== 0);
  });

  test('PEFT’s settings beside a LoRA count, and bytes after its last tensor are passed over on request', async () => {
    const path = join(folder, 'adapter_model.safetensors');
    copyFileSync('src/models/recorded/reports/real_peft_tf5.safetensors', path);
    const encode = async (...more: string[]) => {
      const args = [
        '--prompt',
        '<lora:adapter_model:1> a cat',
        '--lora',
        path,
        '--model',
        'synthetic-tiny',
        '--out',
        out,
      ];
      expect(await main([...args, ...more, ...engine]), complaint).toBe(0);
      return (await written()).read('prompt_embeds');
    };
    const alone = await encode();
    expect(printed).toContain('PEFT keeps alpha in adapter_config.json');
    const settings = join(folder, 'adapter_config.json');
    const settingsOf = (alpha: number) =>
      writeFileSync(settings, `{"peft_type": "LORA", "r": 4, "lora_alpha": ${alpha}}`);
    settingsOf(4);
    printed = '';
    expect(await encode()).toEqual(alone);
    expect(printed).not.toContain('PEFT keeps alpha');
    settingsOf(8);
    const twice = await encode();
    expect(twice).not.toEqual(alone);
    appendFileSync(path, new Uint8Array(6));
    expect(await main(['--prompt', 'a cat', '--lora', path, '--model', 'synthetic-tiny', ...engine])).toBe(1);
    expect(complaint).toContain('has 6 bytes after its last tensor');
    expect(await encode('--pass-trailing-bytes')).toEqual(twice);
    expect(printed).toContain('6 bytes after the last tensor');
    rmSync(settings);
  });

  test('a LoRA is merged while a prompt of the file names it; what is not merged is told', async () => {
    const file = join(folder, 'loras.txt');
    writeFileSync(file, 'a cat\n<lora:style:1><lora:absent:1><lora:unet:1> a cat\na cat\n');
    const args = ['--prompts', file, '--lora', style, '--lora', unet, '--model', 'synthetic-tiny', '--out', out];
    expect(await main([...args, ...engine]), complaint).toBe(0);
    const { metadata, read } = await written();
    const [first, merged, last] = await Promise.all([0, 1, 2].map((i) => read(`${i}.prompt_embeds`)));
    expect(last).toEqual(first);
    expect(merged).not.toEqual(first);
    expect(metadata.has('0.loras')).toBe(false);
    expect(JSON.parse(metadata.get('1.loras')!)).toEqual([{ name: 'style', multiplier: 1 }]);
    expect(printed).toContain('The LoRA “absent” is not merged: give its file by --lora.');
    expect(printed).toContain('LoRA unet: changes the image model alone');
  });

  test.each([
    ['a missing embedding', ['--embedding', 'none.pt'], '"none.pt" does not exist.'],
    ['a LoRA in the place of an embedding', ['--embedding', unet], '"unet.safetensors" has vectors of width 8'],
    ['an embedding in the place of a LoRA', ['--lora', toy], '"toy.safetensors" is not recognised as a LoRA'],
    ['an embedding of another width', ['--embedding', other], '"wide.safetensors" has vectors of width 768'],
    ['a LoRA without a file', ['--lora'], "Option '--lora <value>' argument missing"],
  ])('%s is one sentence and an exit code', async (_, args, message) => {
    expect(await main(['--prompt', 'x', '--model', 'synthetic-tiny', ...args])).toBe(1);
    expect(complaint.trim()).toContain(message);
    expect(complaint.trim().split('\n')).toHaveLength(1);
  });
});

test.each(['npz', 'npy'] as const)('%s holds the same numbers', async (format) => {
  const args = ['--prompt', 'a (red:1.3) car :0.5 AND a dog BREAK grass', '--model', 'synthetic-tiny', '--out'];
  const file = join(folder, `out.${format}`);
  for (const name of [out, file]) expect(await main([...args, name, ...engine]), complaint).toBe(0);
  const { read } = await written();
  const { conditionings } = (await openConditioning(fileSource(file)))!;
  expect(conditionings.map(({ rows, d }) => [rows, d])).toEqual([
    [154, 64],
    [154, 64],
  ]);
  for (const [i, { data }] of conditionings.entries()) expect(data).toEqual(await read(`prompt_embeds.${i}`));
});

test('bytes after the last tensor refuse a checkpoint until they are said to be passed over', async () => {
  const file = join(folder, 'trailing.safetensors');
  await writeCheckpointFile(file, { config: clipTiny, dtype: 'F32', layout: 'hf' });
  appendFileSync(file, new Uint8Array(6));
  const args = ['--prompt', prompt, '--model', file, ...engine];
  expect(await main(args)).toBe(1);
  expect(complaint).toContain('has 6 bytes after its last tensor');
  expect(await main([...args, '--pass-trailing-bytes']), complaint).toBe(0);
  expect(printed).toContain('6 bytes after the last tensor');
});

test('a checkpoint file is encoded as the same weights are', async () => {
  const file = join(folder, 'model.safetensors');
  await writeCheckpointFile(file, { config: clipTiny, dtype: 'F32', layout: 'ldm' });
  const last: Float32Array[] = [];
  const hashes: (string | undefined)[] = [];
  for (const model of [file, 'synthetic-tiny']) {
    expect(await main(['--prompt', prompt, '--model', model, '--out', out, ...engine]), complaint).toBe(0);
    const { read, metadata } = await written();
    last.push(await read('last_hidden_state'));
    hashes.push(metadata.get('model_hash'));
  }
  expect(last[0]).toEqual(last[1]);
  expect(printed).toContain('model.safetensors, F32');
  expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(hashes[1]).toBeUndefined();
  expect(printed).toContain('synthetic-tiny (random weights');
});

test('without --model the small CLIP of shapes encodes, and words that it never learnt are marked', async () => {
  expect(await main(['--prompt', 'a (red:1.3) dragon', '--out', out, ...engine]), complaint).toBe(0);
  const { read, metadata } = await written();
  expect(await read('prompt_embeds')).toHaveLength(77 * 128);
  expect(metadata.get('model')).toBe('small CLIP of shapes, trained by clipscope');
  expect(metadata.get('model_hash')).toMatch(/^[0-9a-f]{64}$/);
  expect(printed).toMatch(/red<\/w>\n/);
  expect(printed).toContain('dragon</w>  (not in this model’s world)');
  expect(printed).toContain('(a small model of coloured shapes, not Stable Diffusion), F16');
});

test.each([
  ['B33, a blend of nothing', '("a cat","a dog").blend(0,0)', 'The weights of this .blend() add up to 0'],
  ['B33, one that takes away what it adds', '("a cat","a dog").blend(1,-1)', 'add up to 0'],
  ['an infinite weight of a part', '("a","b").and(1,inf)', '“inf” is not a finite weight'],
])('%s is named, and not the weighting, where a prompt comes to no numbers', async (_, prompt, message) => {
  expect(await main(['--prompt', prompt, '--syntax', 'compel', '--model', 'synthetic-tiny'])).toBe(1);
  expect(complaint).toContain(message);
  expect(complaint).not.toContain('compel-mask');
});

test.each([
  ['no prompt', [], 'There is no --prompt'],
  ['an unknown option', ['--prompt', 'x', '--weight', '1'], "Unknown option '--weight'"],
  ['an option without its value', ['--prompt'], '--prompt'],
  ['an unknown mask', ['--prompt', 'x', '--mask', 'pad'], '--mask is one of causal, hf, lecture, none, not "pad".'],
  ['an unknown syntax', ['--prompt', 'x', '--syntax', 'midjourney'], '--syntax is one of a1111'],
  ['an unknown weighting', ['--prompt', 'x', '--weighting', '2'], '--weighting is one of none, scale, original'],
  ['a clip skip of 0', ['--prompt', 'x', '--clip-skip', '0'], '--clip-skip is a whole number from 1 to 13, not "0".'],
  ['a step after the last', ['--prompt', 'x', '--steps', '5', '--step', '6'], '--step is a whole number from 1 to 5'],
  ['an unknown engine', ['--prompt', 'x', '--engine', 'tpu'], '--engine is one of automatic, webgpu, cpu, not "tpu".'],
  ['no thread', ['--prompt', 'x', '--threads', '0'], '--threads is a whole number from 1 to'],
  ['a GPU for the CPU', ['--prompt', 'x', '--engine', 'cpu', '--adapter', 'x'], '--adapter names a GPU; leave it out'],
  ['threads for a GPU', ['--prompt', 'x', '--engine', 'webgpu', '--threads', '1'], 'or leave out --engine webgpu.'],
  ['threads for an adapter', ['--prompt', 'x', '--adapter', 'x', '--threads', '1'], 'or leave out --adapter.'],
  ['more threads than cores', ['--prompt', 'x', '--threads', '999'], '--threads is a whole number from 1 to'],
  ['no such adapter', ['--prompt', 'x', '--model', 'synthetic-tiny', '--adapter', 'none'], ', or take --engine cpu.'],
  ['a missing file', ['--prompt', 'x', '--model', 'none.safetensors'], 'none.safetensors'],
  ['a file of another kind', ['--prompt', 'x', '--model', 'package.json'], '"package.json" is not a safetensors file'],
  ['both ways to give prompts', ['--prompt', 'x', '--prompts', 'y'], 'There is both --prompt and --prompts'],
  ['a file of prompts that is missing', ['--prompts', 'none.txt'], '"none.txt" could not be read: ENOENT'],
  ['a file of another kind to write', ['--prompt', 'x', '--out', 'x.pt'], '--out ends in .safetensors, .npz, .npy'],
  ['two arrays for one', ['--prompt', 'x', '--negative', '', '--out', 'x.npy'], '"x.npy" can hold one array'],
])('%s is one sentence and an exit code', async (_, args, message) => {
  expect(await main(args)).toBe(1);
  expect(complaint.trim()).toContain(message);
  expect(complaint.trim().split('\n')).toHaveLength(1);
});

test('prompts come from standard input, one a line or as JSON', async () => {
  const answer = (text: string) =>
    vi.spyOn(process, 'stdin', 'get').mockReturnValue(Readable.from([Buffer.from(text)]) as never);
  answer('a cat\n\na (dog:1.2)\n');
  expect(await main(['--prompts', '-', '--model', 'synthetic-tiny', ...engine]), complaint).toBe(0);
  expect(printed).toContain('Prompt 0: a cat\n');
  expect(printed).toContain('Prompt 1: a (dog:1.2)\n');
  answer('[3]');
  expect(await main(['--prompts', '-'])).toBe(1);
  expect(complaint).toContain('"standard input", prompt 1: it is neither a text nor an object');
});

test.each([
  ['[', 'begins like a JSON list and is none'],
  ['\n \n', 'holds no prompt'],
  ['["x", 3]', 'prompt 2: it is neither a text nor an object'],
  ['[{"negative": "x"}]', 'prompt 1: it has no "prompt".'],
  ['[{"prompt": "x", "clipSkip": 2}]', 'prompt 1: "clipSkip" is not among prompt, negative, role'],
  ['[{"prompt": "x", "steps": true}]', 'prompt 1: "steps" is neither a text nor a number.'],
  ['[{"prompt": "x", "mask": "pad"}]', 'prompt 1: --mask is one of'],
])('a file of prompts such as %s is one sentence', async (contents, message) => {
  await refusedPrompts(contents, message);
});

test.each([
  ['lists that never end', '['.repeat(1 << 20), 'begins like a JSON list and is none'],
  ['lists within lists', '['.repeat(1 << 19) + ']'.repeat(1 << 19), 'prompt 1: it is neither a text nor an object'],
  ['more prompts than fit', 'x\n'.repeat(600_000), 'has more than 1 MB of prompts; split it into several files.'],
])('a file of %s instead of prompts is one sentence', async (_, contents, message) => {
  await refusedPrompts(contents, message);
});

async function refusedPrompts(contents: string, message: string): Promise<void> {
  const file = join(folder, 'bad.json');
  writeFileSync(file, contents);
  expect(await main(['--prompts', file])).toBe(1);
  expect(complaint).toContain(message);
  expect(complaint.trim().split('\n')).toHaveLength(1);
}

test('the command itself exits with the code', () => {
  const run = (...args: string[]) =>
    execFileSync('node', ['scripts/run.mjs', 'src/cli/encode.ts', ...args], { stdio: 'pipe' });
  expect(run('--help').toString()).toContain('npm run encode');
  writeFileSync(join(folder, 'empty.safetensors'), '');
  expect(() => run('--prompt', 'x', '--model', join(folder, 'empty.safetensors'))).toThrow(
    /empty\.safetensors" is empty/,
  );
});
