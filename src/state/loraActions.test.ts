import { beforeEach, describe, expect, test } from 'vitest';
import { type LayerTensorName, layerTensor } from '../clip/weights.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import type { LoraEffect } from '../models/loraFile.ts';
import { shownEncoded } from './encoded.ts';
import { encoderStatus } from './encoderStatus.ts';
import { layerEffects, networkState } from './loraActions.ts';
import { prepared } from './reading.ts';
import type { ClipscopeStore } from './store.ts';
import { type FakeEncoder, modelInfo, noticesOf, readyPage } from './testing/fakeEncoder.ts';

const effect = (layer: number, part: LayerTensorName, delta: number, weight: number): LoraEffect => ({
  target: layerTensor(layer, part),
  delta,
  weight,
  relative: delta / weight,
});

test('the effect on a layer is that of its changed weights together', () => {
  const effects = [
    effect(0, 'self_attn.q_proj.weight', 3, 6),
    effect(0, 'mlp.fc1.bias', 4, 8),
    effect(2, 'mlp.fc2.weight', 1, 4),
  ];
  expect(layerEffects(effects, 4)).toEqual([
    { layer: 0, relative: 0.5, weights: effects.slice(0, 2) },
    { layer: 1, relative: 0, weights: [] },
    { layer: 2, relative: 0.25, weights: effects.slice(2) },
    { layer: 3, relative: 0, weights: [] },
  ]);
});

test('an update of zeros has no effect, on a weight of zeros either', () => {
  expect(layerEffects([effect(0, 'mlp.fc1.weight', 0, 0)], 1)[0].relative).toBe(0);
});

test('a LoRA that is called by its alias is told as merged', () => {
  const info = { alias: 'style', effects: [effect(0, 'mlp.fc1.weight', 1, 2)] };
  const loras = new Map([['style_v1', { info }]]) as unknown as Parameters<typeof networkState>[2];
  const stateOf = (usage: readonly string[]) =>
    networkState(
      { kind: 'lora', name: 'style' } as Parameters<typeof networkState>[0],
      'positive',
      loras,
      new Map(usage.map((name) => [name, [1]])),
    );
  expect(stateOf(['style_v1'])).toBe('merged');
  expect(stateOf([])).toBe('not merged');
});

describe('LoRAs', () => {
  let fake: FakeEncoder;
  let store: ClipscopeStore;
  const facts = () => store.getState();
  const status = () => encoderStatus(facts());
  const plain = 'a cat';
  const tagged = '<lora:style:0.5>a cat';

  beforeEach(async () => {
    ({ fake, store } = await readyPage());
    facts().setPrompt('positive', plain);
    await (await fake.nextEncode()).answer();
  });

  async function open(name = 'style.safetensors') {
    const added = facts().addLora(new File([], name));
    await (await fake.loras.next()).answer();
    await added;
  }

  /** Types a prompt that takes another pass, and has it encoded; gives what was asked for. */
  async function encode(prompt: string) {
    facts().setPrompt('positive', prompt);
    const encode = await fake.nextEncode();
    await encode.answer();
    return encode;
  }

  test('bring embeddings, which stay when they are removed', async () => {
    const tensor = (name: string, shape: readonly number[]) => ({
      name,
      dtype: 'F32' as const,
      shape,
      data: new Uint8Array(4 * shape.reduce((product, size) => product * size, 1)),
    });
    const bringing = (width: number) => [
      tensor('lora_te_x.lora_down.weight', [4, 768]),
      tensor('bundle_emb.cat.emb_params', [2, width]),
    ];
    const bundle = (width: number) => new File([writeSafetensors(bringing(width))], 'style.safetensors');
    const { openFile, removeLora } = facts();
    const opening = openFile(bundle(768));
    await (await fake.loras.next()).answer();
    await opening;
    removeLora('style');
    expect(facts().embeddings).toMatchObject([{ name: 'cat', vectors: { length: 2 } }]);
    expect(prepared(facts(), 'positive')?.networks).toMatchObject([{ kind: 'embedding', name: 'cat' }]);
    void openFile(bundle(1024));
    await fake.loras.next();
    expect(facts().embeddings).toHaveLength(1);
    expect(noticesOf(store)).toEqual([expect.stringContaining('width 1024')]);
  });

  test('take PEFT’s settings from the file that is opened with them, or after them', async () => {
    const tensors = [
      { name: 'base_model.model.x.lora_A.weight', dtype: 'F32', shape: [1], data: new Uint8Array(4) },
    ] as const;
    const matrices = new File([writeSafetensors(tensors)], 'adapter_model.safetensors');
    const settings = (alpha: number) =>
      new File([JSON.stringify({ peft_type: 'LORA', lora_alpha: alpha })], 'adapter_config.json');
    const { openFile } = facts();
    await openFile(settings(1));
    expect(noticesOf(store)).toEqual([expect.stringContaining('open adapter_model.safetensors together with it')]);
    const together = [settings(2), matrices];
    const opening = together.map((file) => openFile(file, together));
    const asked = await fake.loras.next();
    expect(JSON.parse(asked.adapterConfig!)).toEqual({ peft_type: 'LORA', lora_alpha: 2 });
    await asked.answer();
    await Promise.all(opening);
    const later = openFile(settings(3));
    const again = await fake.loras.next();
    expect([again.file, JSON.parse(again.adapterConfig!).lora_alpha]).toEqual([matrices, 3]);
    await again.answer();
    await later;
    expect(fake.client.removeLora).toHaveBeenCalledTimes(1);
    // Settings that cannot be read leave the LoRA as it is.
    const refused = openFile(settings(4));
    await (await fake.loras.next()).fail(new Error('The settings cannot be read.'));
    await refused;
    expect(fake.client.removeLora).toHaveBeenCalledTimes(1);
    expect(fake.loras.waiting).toBe(0);
    expect(noticesOf(store).slice(1)).toEqual(['The settings cannot be read.']);
  });

  test('are merged while the prompt names them, and what was encoded without them is found again', async () => {
    await open();
    expect(fake.encodes.waiting).toBe(0);
    const { setPrompt } = facts();
    const before = shownEncoded(facts())?.output;
    const pass = shownEncoded(facts())?.pass;
    setPrompt('positive', tagged);
    expect(shownEncoded(facts())).toBeUndefined();
    const encode = await fake.nextEncode();
    expect(encode.options.loras).toEqual([{ lora: 100, multiplier: 0.5 }]);
    expect(encode.passes).toEqual([pass]);
    await encode.answer();
    const merged = shownEncoded(facts())?.output;
    expect(status().phase).toBe('ready');
    setPrompt('positive', plain);
    expect(shownEncoded(facts())?.output).toBe(before);
    setPrompt('positive', tagged);
    expect(shownEncoded(facts())?.output).toBe(merged);
    setPrompt('positive', '<lora:style:0>a cat');
    expect(shownEncoded(facts())?.output).toBe(before);
    expect(fake.encodes.waiting).toBe(0);
    setPrompt('positive', '<lora:style:0.6>a cat');
    expect((await fake.nextEncode()).options.loras).toEqual([{ lora: 100, multiplier: 0.6 }]);
  });

  test('named before they are open are merged when they are, and no more when they are removed', async () => {
    facts().setPrompt('positive', tagged);
    expect(fake.encodes.waiting).toBe(0);
    await open();
    const encode = await fake.nextEncode();
    expect(encode.options.loras).toHaveLength(1);
    await encode.answer();
    facts().removeLora('style');
    expect(fake.client.removeLora).toHaveBeenCalledWith(100);
    expect([fake.encodes.waiting, status().phase, facts().loras.size]).toEqual([0, 'ready', 0]);
  });

  test('of the positive prompt act on the negative one; of the negative one they do not', async () => {
    await open();
    await encode(tagged);
    facts().show({ side: 'negative' });
    const negative = await fake.nextEncode();
    expect(negative.options.loras).toEqual([{ lora: 100, multiplier: 0.5 }]);
    await negative.answer();
    facts().setPrompt('positive', plain);
    const unmerged = await fake.nextEncode();
    expect(unmerged.options.loras).toEqual([]);
    await unmerged.answer();
    facts().setPrompt('negative', '<lora:style:2>fog');
    expect((await fake.nextEncode()).options.loras).toEqual([]);
  });

  test('with the same name take the place of the one before, if they can be read', async () => {
    await open();
    await encode(tagged);
    const added = facts().addLora(new File([], 'style.pt'));
    await (await fake.loras.next()).fail(new Error('"style.pt" is not a LoRA.'));
    await added;
    expect(noticesOf(store)).toEqual(['"style.pt" is not a LoRA.']);
    expect(status().phase).toBe('ready');
    await open('style.pt');
    expect((await fake.nextEncode()).options.loras).toEqual([{ lora: 102, multiplier: 0.5 }]);
    expect(fake.client.removeLora).toHaveBeenCalledWith(100);
  });

  test('are read anew for another model, and told of where they do not fit it', async () => {
    await open();
    await open('other.safetensors');
    await encode('<lora:style:1><lora:other:1>a cat');
    void facts().openModel({ kind: 'synthetic', size: 'tiny' });
    await (await fake.nextLoad()).answer(modelInfo('synthetic-tiny', 'tiny'));
    const [style, other] = [await fake.loras.next(), await fake.loras.next()];
    expect([style.file.name, other.file.name]).toEqual(['style.safetensors', 'other.safetensors']);
    const unmerged = await fake.nextEncode();
    expect(unmerged.options.loras).toEqual([]);
    await style.answer();
    await other.fail(new Error('"other.safetensors" changes layer 11.'));
    await unmerged.answer();
    expect((await fake.nextEncode()).options.loras).toEqual([{ lora: 102, multiplier: 1 }]);
    expect(facts().loras.get('other')).toMatchObject({ info: null, problem: expect.stringContaining('11') });
    expect(facts().notices).toEqual([]);
  });
});
