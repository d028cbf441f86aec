import { beforeEach, describe, expect, test } from 'vitest';
import type { StoredModel } from '../models/library/storage.ts';
import { WorkerError } from '../worker/ask.ts';
import type { Lost, ModelRequest } from '../worker/messages.ts';
import { encoderStatus } from './encoderStatus.ts';
import { modelChoice, modelChoices } from './modelChoices.ts';
import { prepared, shownChunk } from './reading.ts';
import { shownHead, shownLayer } from './shownSizes.ts';
import type { ClipscopeStore } from './store.ts';
import {
  type FakeEncoder,
  fakeEncoder,
  fakeMemory,
  modelInfo,
  noticesOf,
  onCpu,
  onGpu,
  openPage,
  readyPage,
  tokenized,
  when,
} from './testing/fakeEncoder.ts';

const full: ModelRequest = { kind: 'synthetic', size: 'full' };
const tiny: ModelRequest = { kind: 'synthetic', size: 'tiny' };
const fileRequest = (name: string): ModelRequest => ({ kind: 'file', file: new File([], name) });
const broken = () => new WorkerError('CheckpointError', '"broken.safetensors" is empty.');
const cancelled = () => new WorkerError('AbortError', 'Cancelled.');

describe('the first load', () => {
  let fake: FakeEncoder;
  let store: ClipscopeStore;
  const status = () => encoderStatus(store.getState());
  beforeEach(async () => {
    ({ fake, store } = openPage());
    await tokenized(store);
  });

  test('loads the synthetic encoder, encodes the prompt, and says so', async () => {
    expect(status()).toEqual({ phase: 'busy', text: 'Loading made-up weights, full size' });
    const load = await fake.nextLoad();
    expect(load).toMatchObject({
      request: full,
      engine: { engine: 'automatic', threads: null, retriesGpu: false },
    });
    load.progress({ done: 47, total: 100 });
    expect(status()).toEqual({ phase: 'busy', text: 'Loading made-up weights, full size 45 %' });
    await load.answer(modelInfo('synthetic', 'full'));
    expect(status()).toEqual({ phase: 'busy', text: 'Encoding' });
    const encode = await fake.nextEncode();
    expect(encode.passes).toEqual(prepared(store.getState(), 'positive')?.chunks.map(({ pass }) => pass));
    expect(encode.want).toEqual({ hiddenStates: Array.from({ length: 13 }, (_, i) => i), attentions: true });
    await encode.answer(412.4);
    expect(status()).toEqual({
      phase: 'ready',
      text: 'Ready: made-up weights, full size',
    });
  });

  test('a model that is chosen meanwhile takes its place', async () => {
    const first = await fake.nextLoad();
    void store.getState().openModel(tiny);
    await first.fail(cancelled());
    expect((await fake.nextLoad()).request).toEqual(tiny);
    expect(fake.loads.waiting).toBe(0);
    expect(status().text).toBe('Loading made-up weights, tiny');
  });

  test('a worker that dies before it is told, and a load starts another', async () => {
    store.setState({ lost: { part: 'worker', reason: 'it could not be started' } });
    await (await fake.nextLoad()).fail(new WorkerError('WorkerStoppedError', 'It stopped.'));
    expect(status()).toEqual({
      phase: 'failed',
      text: 'The encoder’s worker stopped: it could not be started.',
    });
    expect(noticesOf(store)).toEqual([]);
    await fake.load('synthetic-tiny', 'tiny', () => store.getState().openModel(tiny));
    expect(store.getState()).toMatchObject({ lost: null, model: { engine: onGpu } });
    expect(status().phase).toBe('busy');
  });

  test.each(['WebGpuUnavailableError', 'CpuUnavailableError'])(
    'no engine (%s): one sentence, and everything before the encoder works; another engine is tried',
    async (name) => {
      await (await fake.nextLoad()).fail(new WorkerError(name, 'It is not there.'));
      expect(store.getState().noEngine).toBe('It is not there.');
      expect(status()).toEqual({ phase: 'idle', text: 'No encoder: tokens, weights and masks only' });
      expect(noticesOf(store)).toEqual([]);
      expect(shownChunk(store.getState())?.chunk.tokens).toHaveLength(77);
      void store.getState().setEngine({ engine: 'cpu' });
      const load = await fake.nextLoad();
      expect(load).toMatchObject({ request: full, engine: { engine: 'cpu' } });
      expect(store.getState().noEngine).toBeNull();
      await load.answer(modelInfo('synthetic', 'full', onCpu));
      expect(status().phase).toBe('busy');
    },
  );
});

describe('the first visit', () => {
  const small: ModelRequest = { kind: 'small' };
  const unreachable = () =>
    new WorkerError(
      'SmallModelError',
      'The small model that comes with the page could not be fetched (the server answers 404).',
    );

  test('starts with the small model that comes with the page, and a choice of another is remembered', async () => {
    const memory = fakeMemory();
    const { fake, store } = openPage(memory);
    await tokenized(store);
    expect(encoderStatus(store.getState()).text).toBe('Loading small CLIP of shapes, trained by clipscope');
    expect(modelChoice(store.getState())).toBe('small');
    const load = await fake.nextLoad();
    expect(load.request).toEqual(small);
    await load.answer(modelInfo('small CLIP of shapes, trained by clipscope', 'tiny'));
    await (await fake.nextEncode()).answer();
    expect(encoderStatus(store.getState()).text).toBe('Ready: small CLIP of shapes, trained by clipscope');
    const remembered = () => JSON.parse(memory.getItem('clipscope')!).syntheticSize;
    await fake.load('synthetic', 'full', () => store.getState().openModel(full));
    expect(remembered()).toBe('full');
    await fake.load('small', 'tiny', () => store.getState().openModel(small));
    expect(remembered()).toBeNull();
  });

  test('goes on with made-up weights, and says so, where the small model cannot be fetched', async () => {
    const { fake, store } = openPage(fakeMemory());
    await (await fake.nextLoad()).fail(unreachable());
    const load = await fake.nextLoad();
    expect(load.request).toEqual(tiny);
    await load.answer(modelInfo('synthetic-tiny', 'tiny'));
    expect(noticesOf(store)).toEqual([
      'The small model that comes with the page could not be fetched (the server answers 404), so the page goes on with made-up weights; choose it under Model to try again.',
    ]);
    // The next visit tries again.
    expect(store.getState().syntheticSize).toBeNull();
  });

  test('stays without a model where the load is cancelled', async () => {
    const { fake, store } = openPage(fakeMemory());
    await (await fake.nextLoad()).fail(cancelled());
    expect([fake.loads.waiting, store.getState().model]).toEqual([0, null]);
  });

  test('another model stays in use where the small one cannot be fetched', async () => {
    const { fake, store } = await readyPage();
    void store.getState().openModel(small);
    await (await fake.nextLoad()).fail(unreachable());
    expect([fake.loads.waiting, store.getState().modelRequest]).toEqual([0, full]);
    expect(noticesOf(store)).toEqual([unreachable().message]);
  });
});

describe('another model', () => {
  let fake: FakeEncoder;
  let store: ClipscopeStore;
  let lose: (lost: Lost) => void;
  const facts = () => store.getState();
  const status = () => encoderStatus(facts());
  beforeEach(async () => {
    ({ fake, store, lose } = await readyPage());
  });

  test('a file with bytes after its last tensor can be opened without them', async () => {
    const file = new File([], 'long.safetensors');
    void facts().openModel({ kind: 'file', file });
    await (await fake.nextLoad()).fail(new WorkerError('TrailingBytesError', '"long.safetensors" has 6 bytes more.'));
    const [{ message, offer }] = facts().notices;
    expect(message).toBe('"long.safetensors" has 6 bytes more.');
    if (!offer || !('request' in offer)) throw new Error('It offers to load the model.');
    expect(offer.request).toEqual({ kind: 'file', file, passTrailingBytes: true });
    void facts().openModel(offer.request);
    expect((await fake.nextLoad()).request).toEqual(offer.request);
  });

  test('a damaged text encoder can be examined, anything else that fails cannot', async () => {
    const request = fileRequest('nan.safetensors');
    void facts().openModel(request);
    await (await fake.nextLoad()).fail(new WorkerError('DamagedCheckpointError', '"nan.safetensors" has a NaN.'));
    expect(facts().notices[0].offer).toEqual({ label: 'Examine it', damaged: request });
    void facts().openModel(request);
    await (await fake.nextLoad()).fail(broken());
    expect(facts().notices[1].offer).toBeUndefined();
  });

  test('that fails to load leaves the old one, its outputs and a notice', async () => {
    const before = facts();
    void before.openModel(fileRequest('broken.safetensors'));
    expect(status().text).toBe('Loading broken.safetensors');
    await (await fake.nextLoad()).fail(broken());
    const after = facts();
    expect(after.model).toBe(before.model);
    expect(after.encoded).toBe(before.encoded);
    expect(after.prompts).toBe(before.prompts);
    expect(noticesOf(store)).toEqual(['"broken.safetensors" is empty.']);
    expect(status().phase).toBe('ready');
    after.dismiss(after.notices[0].id);
    expect(facts().notices).toEqual([]);
  });

  test('superseded by a load of the same one leaves the newer load’s progress', async () => {
    void facts().openModel(full);
    void facts().openModel(full);
    const [older, newer] = [await fake.nextLoad(), await fake.nextLoad()];
    newer.progress({ done: 1, total: 2 });
    await older.fail(cancelled());
    expect(status()).toEqual({ phase: 'busy', text: 'Loading made-up weights, full size 50 %' });
  });

  test('that fails twice is told once', async () => {
    for (let i = 0; i < 2; i++) {
      void facts().openModel(fileRequest('broken.safetensors'));
      await (await fake.nextLoad()).fail(broken());
    }
    expect(noticesOf(store)).toEqual(['"broken.safetensors" is empty.']);
  });

  test('whose load is cancelled is not a failure', async () => {
    void facts().openModel(fileRequest('big.safetensors'));
    facts().cancelLoad();
    expect(status()).toEqual({ phase: 'busy', text: 'Cancelling the load of big.safetensors' });
    expect(fake.client.cancelLoad).toHaveBeenCalledOnce();
    await (await fake.nextLoad()).fail(cancelled());
    expect(facts().notices).toEqual([]);
    expect(status().phase).toBe('ready');
  });

  test('of two, only the newer one’s progress shows', async () => {
    void facts().openModel(fileRequest('one.safetensors'));
    void facts().openModel(fileRequest('two.safetensors'));
    const [older, newer] = [await fake.nextLoad(), await fake.nextLoad()];
    older.progress({ done: 1, total: 2 });
    await older.fail(cancelled());
    expect(status().text).toBe('Loading two.safetensors');
    newer.progress({ done: 1, total: 2 });
    expect(status().text).toBe('Loading two.safetensors 50 %');
  });

  test('keeps layer and head within what it has; they come back with a larger one', async () => {
    facts().show({ layer: 11, head: 7 });
    await fake.load('synthetic-tiny', 'tiny', () => facts().openModel(tiny));
    expect([shownLayer(facts()), shownHead(facts())]).toEqual([1, 3]);
    await fake.load('synthetic', 'full', () => facts().openModel(full));
    expect([shownLayer(facts()), shownHead(facts())]).toEqual([11, 7]);
  });

  test('that is not loaded because the worker died leaves what was typed, and says so', async () => {
    const { prompts, options } = facts();
    void facts().openModel(fileRequest('mine.safetensors'));
    lose({ part: 'worker', reason: 'it ran out of memory' });
    await (await fake.nextLoad()).fail(new WorkerError('WorkerStoppedError', 'It stopped.'));
    expect(noticesOf(store)).toEqual(['mine.safetensors was not loaded, because the encoder’s worker stopped.']);
    expect(status()).toEqual({ phase: 'failed', text: 'The encoder’s worker stopped: it ran out of memory.' });
    expect(facts()).toMatchObject({ prompts, options, modelRequest: full });
  });

  test('ends the loss of a GPU that was chosen, which is said and asks for nothing', async () => {
    await facts().setEngine({ engine: 'webgpu' });
    lose({ part: 'GPU', reason: 'the driver was reset' });
    facts().setPrompt('positive', 'a dog');
    expect(status()).toEqual({ phase: 'failed', text: 'The GPU went away: the driver was reset.' });
    expect(fake.loads.waiting).toBe(0);
    expect(fake.encodes.waiting).toBe(0);
    await fake.load('synthetic', 'full', () => facts().openModel(full));
    expect(status().phase).toBe('busy');
    expect(fake.encodes.waiting).toBe(1);
  });
});

describe('the next visit', () => {
  const stored = { model: 'sd-1-5', name: 'SD 1.5 text encoder' };
  async function visit(models: readonly Partial<StoredModel>[], unlisted?: Error) {
    const memory = fakeMemory(JSON.stringify({ syntheticSize: 'tiny', storedModel: stored }));
    const fake = fakeEncoder();
    if (unlisted) fake.client.models = () => Promise.reject(unlisted);
    fake.stored.models = models.map((model) => ({ id: stored.model, complete: true, ...model }) as StoredModel);
    const { store } = openPage(memory, fake);
    expect(modelChoices(store.getState()).map(({ value }) => value)).toContain(modelChoice(store.getState()));
    const remembered = () => JSON.parse(memory.getItem('clipscope')!).storedModel;
    return { fake, store, remembered };
  }

  test('opens the stored model that was used last', async () => {
    const { fake } = await visit([{}]);
    expect((await fake.nextLoad()).request).toEqual({ kind: 'stored', ...stored });
    expect(fake.downloads.waiting).toBe(0);
  });

  test.each([
    ['gone', []],
    ['only a part', [{ complete: false }]],
  ] as const)('starts with made-up weights, and says so, where it is %s', async (_, models) => {
    const { fake, store } = await visit(models);
    const load = await fake.nextLoad();
    expect(load.request).toEqual(tiny);
    expect(noticesOf(store)).toEqual([
      '"SD 1.5 text encoder" is no longer stored in this browser, so the page starts with made-up weights, tiny; it can be downloaded or opened again.',
    ]);
    await load.answer(modelInfo('synthetic-tiny', 'tiny'));
    expect(store.getState().storedModel).toBeNull();
  });

  test.each([
    ['cannot be loaded', new WorkerError('GpuError', 'Out of memory.'), ['Out of memory.']],
    ['is cancelled', cancelled(), []],
  ])('starts with made-up weights where it %s, and remembers it', async (_, error, notices) => {
    const { fake, store, remembered } = await visit([{}]);
    await (await fake.nextLoad()).fail(error);
    const load = await fake.nextLoad();
    expect(load.request).toEqual(tiny);
    await load.answer(modelInfo('synthetic-tiny', 'tiny'));
    expect(noticesOf(store)).toEqual(notices);
    expect(store.getState().storedModel).toEqual(stored);
    // Chosen, they are what the next visit starts with.
    await fake.load('synthetic', 'full', () => store.getState().openModel(full));
    expect(remembered()).toBeNull();
  });

  test('remembers the stored model where the storage cannot be asked', async () => {
    const { fake, store } = await visit([{}], new Error('The storage does not answer.'));
    const load = await fake.nextLoad();
    expect(load.request).toEqual(tiny);
    await load.answer(modelInfo('synthetic-tiny', 'tiny'));
    expect(store.getState().storedModel).toEqual(stored);
  });

  test('tells of a stored model that another tab deleted, and no longer offers it', async () => {
    const { fake, store } = await visit([{}]);
    const load = await fake.nextLoad();
    fake.stored.models = [];
    await load.fail(new WorkerError('StorageError', 'It was deleted.', 'missing'));
    await when(store, (facts) => facts.stored?.models.length === 0);
    expect(noticesOf(store)).toEqual(['It was deleted.']);
  });
});
