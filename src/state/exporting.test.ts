import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { passKey } from '../clip/encoderPass.ts';
import { writeNpy } from '../files/npy.ts';
import { whole } from '../prompt/slices.ts';
import { writeConditioning } from '../road/export/conditioningFile.ts';
import { exportConditioning } from '../road/export/exportConditioning.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import type { ZOf } from '../weighting/method.ts';
import type { EncoderClient } from '../worker/client.ts';
import {
  checkedFiles,
  comparisonWork,
  exportedCount,
  exportedMetadata,
  exportedNetworks,
  exportedPair,
  exportedPasses,
  exportedShapes,
  exportWork,
  isSessionWhole,
  snippetFor,
  snippetWith,
  whyUnchecked,
  writeSession,
} from './exporting.ts';
import type { OpenedLora } from './facts.ts';
import { readShared } from './shared.ts';
import { createClipscopeStore } from './store.ts';
import { answeringEncoder, modelInfo, tokenized, tokenizer, when } from './testing/fakeEncoder.ts';

const width = clipTiny.hiddenSize;

/** A number from each pass, the same in every row. */
const zOf: ZOf = (pass) => {
  let hash = 7;
  for (const character of passKey(pass)) hash = (hash * 31 + character.charCodeAt(0)) % 1009;
  return new Float32Array(77 * width).fill(hash / 64);
};

const model = {
  ...modelInfo('tiny.safetensors', 'tiny'),
  finalLayerNorm: { weight: new Float32Array(width), bias: new Float32Array(width) },
};
const client: EncoderClient = {
  ...answeringEncoder(model, (pass, want) => ({
    lastHiddenState: zOf(pass),
    hiddenStates: new Map(want.hiddenStates.map((index) => [index, zOf(pass)])),
    ...(want.attentions && { attentions: new Float32Array(1) }),
  })),
  weightsHash: async () => 'abc',
};

function openStore() {
  const store = createClipscopeStore({ connect: () => client, loadTokenizer: async () => tokenizer, memory: null });
  store.getState().setPrompt('positive', 'a (red:1.3) car');
  store.getState().setPrompt('negative', 'fog BREAK (sea:0.5)');
  return store;
}

async function encodedStore() {
  const store = openStore();
  await tokenized(store);
  store.getState().need('export', exportedPasses(store.getState()));
  await when(store, (facts) => exportWork(facts) !== null && facts.weightsHash !== null);
  return store;
}

test('what is exported is encoded when it is needed, the negative prompt too', async () => {
  const store = openStore();
  await when(store, (facts) => exportedCount(facts) === 1);
  expect(exportedPasses(store.getState())).toHaveLength(4);
  expect(exportWork(store.getState())).toBeNull();
  expect(exportedShapes(store.getState())?.map(({ name, shape }) => [name, ...shape])).toEqual([
    ['prompt_embeds', 1, 154, width],
    ['negative_prompt_embeds', 1, 154, width],
  ]);
  store.getState().need('export', exportedPasses(store.getState()));
  await when(store, (facts) => exportedCount(facts) === 4);
  const work = exportWork(store.getState())!;
  const [positive, negative] = (['positive', 'negative'] as const).map((role) =>
    preparePrompt(store.getState().prompts[role], defaultOptions, tokenizer, role),
  );
  const tensors = exportConditioning({ positive, negative, options: defaultOptions }, zOf);
  expect(whole(work())).toMatchObject({ tensors, isFinite: true });
  expect(exportWork(store.getState())).toBe(work);
  expect(exportedMetadata(store.getState())).toMatchObject({ model: 'tiny.safetensors', model_hash: 'abc' });
});

test('an exported file opens for comparison, and differs by nothing until something is changed', async () => {
  const store = await encodedStore();
  const bytes = writeConditioning(
    'safetensors',
    whole(exportWork(store.getState())!()).tensors,
    exportedMetadata(store.getState())!,
  );
  await store.getState().openFile(new File([bytes], 'mine.safetensors'));
  const { compared } = store.getState();
  expect(compared?.metadata.get('prompt')).toBe('a (red:1.3) car');
  const names = compared!.conditionings.map(({ name }) => name);
  const work = () => comparisonWork(store.getState(), names.indexOf('prompt_embeds'));
  const shown = () => whole(work()!()).comparison;
  expect(shown()).toMatchObject({ with: 'prompt_embeds', largest: 0 });
  expect(work()).toBe(work());
  store.getState().setOption('weighting', 'scale');
  expect(shown()).not.toMatchObject({ largest: 0 });
  store.getState().closeCompared();
  expect(work()).toBeNull();
});

test('an array from elsewhere is compared, and one that cannot be is a notice', async () => {
  const store = await encodedStore();
  await store.getState().openFile(new File([writeNpy(new Float32Array(77 * 64), [77, 64])], 'cond.npy'));
  const shown = () => whole(comparisonWork(store.getState(), 0)!()).comparison;
  expect(shown()).toMatchObject({ rows: 77 });
  await store.getState().openFile(new File([writeNpy(new Float32Array(77 * 8), [77, 8])], 'cond.npy'));
  expect(shown()).toContain('another shape, 77 × 8');
  await store.getState().openFile(new File([writeNpy(new Float32Array(8), [8])], 'x.npy'));
  expect(store.getState().notices.at(-1)?.message).toContain('"x.npy" of shape [8]');
});

test('metadata waits for the hash of the weights, and goes without one where there is none', async () => {
  const store = await encodedStore();
  store.setState({ weightsHash: null });
  expect(exportedMetadata(store.getState())).toBeUndefined();
  store.setState({ weightsHash: undefined });
  expect(exportedMetadata(store.getState())).toMatchObject({ model: 'tiny.safetensors' });
  expect(exportedMetadata(store.getState())).not.toHaveProperty('model_hash');
});

test('the JSON of the session opens as a saved prompt, and has the tokens', async () => {
  const store = await encodedStore();
  const json = writeSession(store.getState());
  expect(readShared(json).work.prompts.positive).toBe('a (red:1.3) car');
  const { tokens, model } = JSON.parse(json);
  expect(tokens.positive[0].tokens[2]).toEqual({ id: 736, token: 'red', weight: 1.3 });
  expect(tokens.negative).toHaveLength(2);
  expect(model).toEqual({ name: 'tiny.safetensors', sha256: 'abc', random: false });
});

test('the JSON of the session keeps what was typed for ComfyUI’s page, how it chose, and what was read', async () => {
  const store = openStore();
  const options = { ...defaultOptions, syntax: 'comfy', positiveVariant: 2, choiceSeed: 5 } as const;
  store.getState().replace({ prompts: { positive: 'a {red|blue} car // x', negative: 'fog' }, options }, '');
  await tokenized(store);
  const json = writeSession(store.getState());
  expect(readShared(json).work).toEqual({ prompts: { positive: 'a {red|blue} car // x', negative: 'fog' }, options });
  expect(JSON.parse(json).read).toEqual({ positive: 'a blue car ' });
});

test.each([
  ['a (cat:1.2)', {}, null],
  ['a cat AND a dog', { weighting: 'none' }, null],
  ['a cat', { weighting: 'adv-compel' }, 'not the weighting chosen now'],
  ['a cat', { mask: 'none' }, 'without a mask'],
  ['("a", "b").and()', { syntax: 'compel', weighting: 'comfy' }, '.blend()'],
  ['a [(cat:1.2):dog:0.5]', {}, 'share a mean'],
  ['a [(cat:1.2):dog:0.5]', { weighting: 'scale' }, null],
] as const)('%s, %o: whether the script can recompute it', async (prompt, options, why) => {
  const store = openStore();
  store
    .getState()
    .replace({ prompts: { positive: prompt, negative: 'fog' }, options: { ...defaultOptions, ...options } }, '');
  await tokenized(store);
  const reason = whyUnchecked(exportedPair(store.getState())!);
  if (why === null) expect(reason).toBeNull();
  else expect(reason).toContain(why);
});

describe('what the prompts name besides text', () => {
  const effects = [{ target: 'text_model.encoder.layers.0.self_attn.q_proj.weight', delta: 1, weight: 1, relative: 1 }];
  const leftOut = { unet: 0, otherEncoders: 0, unused: 0, unsupported: [], unknown: [] };
  const lora = (name: string, number: number): [string, OpenedLora] => [
    name,
    {
      file: new File([], `${name}.safetensors`),
      info: { lora: number, ranks: [4], kinds: ['LoRA'], effects, finalNorm: [], leftOut },
      problem: null,
    },
  ];

  async function namingStore(positive: string, negative: string) {
    const store = openStore();
    await when(store, ({ model }) => model !== null);
    store.setState({
      embeddings: [{ name: 'moody', vectors: [new Float32Array(width), new Float32Array(width)] }],
      loras: new Map([lora('style.v2', 1), lora('other', 2)]),
    });
    store.getState().setPrompt('positive', positive);
    store.getState().setPrompt('negative', negative);
    await tokenized(store);
    return store;
  }

  test('is in the metadata, in the session, and before the call in the snippet', async () => {
    const tags = '<lora:style.v2:0.5:0.8><lora:absent:1><lora:other:te=-1><lora:style.v2:0.25>';
    const facts = (await namingStore(`${tags} a cat`, 'moody')).getState();
    const loras = [
      { name: 'style.v2', multiplier: 0.25 },
      { name: 'style.v2', multiplier: 0.25 },
      { name: 'other', multiplier: -1 },
    ];
    const metadata = exportedMetadata(facts)!;
    expect(JSON.parse(metadata.loras)).toEqual(loras);
    expect(JSON.parse(metadata.negative_embeddings)).toEqual([{ name: 'moody', vectors: 2 }]);
    expect(metadata).not.toHaveProperty('embeddings');
    expect(exportedNetworks(facts)).toBe(exportedNetworks(facts));
    const session = writeSession(facts);
    expect(JSON.parse(session)).toMatchObject({ loras, embeddings: [{ name: 'moody', vectors: 2 }] });
    expect(readShared(session).work.prompts.negative).toBe('moody');
    const lines = snippetWith('pipe = x\nimage = pipe(\n)\n', exportedNetworks(facts)!).split('\n');
    expect(lines[0]).toBe('pipe = x');
    expect(lines[1]).toMatch(/^# .*LoRAs merged.*\.$/);
    expect(lines.slice(2, 5)).toEqual([
      'pipe.load_lora_weights(".", weight_name="style.v2.safetensors", adapter_name="lora_1")',
      'pipe.load_lora_weights(".", weight_name="other.safetensors", adapter_name="lora_2")',
      'pipe.set_adapters(["lora_1", "lora_2"], [0.5, -1])',
    ]);
    expect(lines[5]).toMatch(/^# .*"moody".*load_textual_inversion\.$/);
    expect(lines.slice(6)).toEqual(['image = pipe(', ')', '']);
    expect(checkedFiles(exportedNetworks(facts)!)).toBe(
      'These numbers have more in them than the model: add --lora style.v2.safetensors, --lora other.safetensors, --embedding and the file with “moody”.',
    );
  });

  test('the snippet reads the file that is chosen, by its name', () => {
    const snippet = readFileSync('src/views/export/diffusers.py', 'utf8');
    expect(snippetFor('safetensors', snippet)).toBe(snippet);
    const npz = snippetFor('npz', snippet);
    expect(npz).toContain('import numpy\nimport torch\n');
    expect(npz).toContain('numpy.load("conditioning.npz")');
    expect(npz).toContain('negative_prompt_embeds=embeds["negative_prompt_embeds"]');
    const npy = snippetFor('npy', snippet);
    expect(npy).toContain('numpy.load("conditioning.npy")');
    expect(npy).toContain('negative_prompt=""');
    for (const other of [npz, npy]) expect(other).not.toMatch(/load_file|safetensors\.torch|conditioning\.safetensors/);
  });

  test('of nothing the snippet stays as it is', async () => {
    const merged = (await namingStore('<lora:other:1> a cat', '')).getState();
    const plain = (await namingStore('<lora:other:0> a cat', '')).getState();
    expect(exportedNetworks(plain)).toEqual({ embeddings: [], loras: [] });
    expect(checkedFiles(exportedNetworks(plain)!)).toBeNull();
    expect(whyUnchecked(exportedPair(plain)!)).toBeNull();
    const snippet = readFileSync('src/views/export/diffusers.py', 'utf8');
    expect(snippetWith(snippet, exportedNetworks(plain)!)).toBe(snippet);
    expect(snippetWith(snippet, exportedNetworks(merged)!)).toContain(
      'pipe.set_adapters(["lora_1"], [1])\nimage = pipe(',
    );
  });
});

test('a session is whole when both prompts are read', async () => {
  const store = await encodedStore();
  expect(isSessionWhole(store.getState())).toBe(true);
  store.getState().setPrompt('negative', 'fog '.repeat(3000));
  expect(isSessionWhole(store.getState())).toBe(false);
  await when(store, (facts) => facts.longReadings.negative !== null);
  expect(isSessionWhole(store.getState())).toBe(true);
  expect(JSON.parse(writeSession(store.getState())).tokens.negative).toHaveLength(40);
});
