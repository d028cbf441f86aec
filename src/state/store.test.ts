import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { png, tEXt } from '../files/testing/png.ts';
import type { Profile, RowSpan } from '../gpu/profile.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import { type ModelFile, sd15TextEncoder } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import { defaultOptions } from '../road/options.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import type { Encoded, EncodeOptions, EncoderClient } from '../worker/client.ts';
import { WorkerError } from '../worker/client.ts';
import type { LoadProgress, LoraInfo, ModelInfo, ModelRequest, StoredModels } from '../worker/messages.ts';
import { noModels } from '../worker/testing/noModels.ts';
import { shownEncoded, shownWeighted } from './encoded.ts';
import { encoderStatus } from './encoderStatus.ts';
import type { Memory } from './memory.ts';
import { encoderBytes, fileToKeep, keptModel, listedModels, modelChoice, modelChoices } from './modelChoices.ts';
import { editedRows, prepared, shownChunk, usedEmbeddings } from './reading.ts';
import { shared, writeLink, writeShared } from './shared.ts';
import { shownHead, shownLayer } from './shownSizes.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

const modelInfo = (name: string, size: 'full' | 'tiny'): ModelInfo => ({
  name,
  random: name.startsWith('synthetic'),
  config: size === 'full' ? clipVitL14 : clipTiny,
  dtype: 'F32',
  gpuBytes: 1e6,
  finalLayerNorm: { weight: new Float32Array(1), bias: new Float32Array(1) },
});

interface AskedEncode {
  passes: readonly EncoderPass[];
  want: EncoderWant;
  options: EncodeOptions;
  answer(milliseconds?: number): void;
  fail(error: Error): void;
}
interface AskedLoad {
  request: ModelRequest;
  progress(progress: LoadProgress): void;
  answer(model: ModelInfo): void;
  fail(error: Error): void;
}

interface AskedLora {
  file: File;
  lora: number;
  answer(): void;
  fail(error: Error): void;
}

interface AskedKeep {
  file: File;
  source: string;
  progress(progress: DownloadProgress): void;
  answer(model: StoredModel): void;
  fail(error: Error): void;
}

interface AskedDownload {
  file: ModelFile;
  progress(progress: DownloadProgress): void;
  answer(model: StoredModel): void;
  fail(error: Error): void;
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** An encoder client that answers when the test says so. */
function fakeClient() {
  const encodes: AskedEncode[] = [];
  const loads: AskedLoad[] = [];
  const asked: AskedDownload[] = [];
  const keeps: AskedKeep[] = [];
  const loras: AskedLora[] = [];
  const hashes: ReturnType<typeof deferred<string | undefined>>[] = [];
  const profiles: (ReturnType<typeof deferred<Profile>> & { pass: EncoderPass; rows: RowSpan })[] = [];
  const stored: { models: StoredModel[] } = { models: [] };
  const all = (): StoredModels => ({ place: 'opfs', models: stored.models, free: 1e9, persisted: false });
  const adapter = deferred<{ description: string; software: boolean }>();
  const client: EncoderClient = {
    start: () => adapter.promise,
    load(request, progress) {
      const { promise, resolve, reject } = deferred<ModelInfo>();
      loads.push({ request, progress, answer: resolve, fail: reject });
      return promise;
    },
    cancelLoad: vi.fn(),
    weightsHash() {
      const asked = deferred<string | undefined>();
      hashes.push(asked);
      return asked.promise;
    },
    encode(passes, want, options = {}) {
      const { promise, resolve, reject } = deferred<Encoded>();
      const outputs = passes.map(
        (): EncoderOutput => ({
          lastHiddenState: new Float32Array(77 * 64).fill(1),
          hiddenStates: new Map(want.hiddenStates.map((index) => [index, new Float32Array(77 * 64)])),
          ...(want.attentions && { attentions: new Float32Array(1.6e6) }),
        }),
      );
      encodes.push({
        passes,
        want,
        options,
        answer: (milliseconds = 12) =>
          resolve({ outputs, stats: { milliseconds, rowsComputed: 77, rowsTotal: 77 }, gpuBytes: 2e6 }),
        fail: reject,
      });
      return promise;
    },
    models: vi.fn(async () => all()),
    download(file, progress, signal) {
      const { promise, resolve, reject } = deferred<StoredModel>();
      asked.push({ file, progress, answer: resolve, fail: reject });
      signal.addEventListener('abort', () => reject(new WorkerError('AbortError', 'Paused.')));
      return promise;
    },
    keep(file, source, progress, signal) {
      const { promise, resolve, reject } = deferred<StoredModel>();
      keeps.push({ file, source, progress, answer: resolve, fail: reject });
      signal.addEventListener('abort', () => reject(new WorkerError('AbortError', 'Ended.')));
      return promise;
    },
    examine: noModels.examine,
    inspect: noModels.inspect,
    weightRow: noModels.weightRow,
    drift: noModels.drift,
    profile(pass, rows) {
      const asked = { ...deferred<Profile>(), pass, rows };
      profiles.push(asked);
      return asked.promise;
    },
    addLora(file) {
      const { promise, resolve, reject } = deferred<LoraInfo>();
      const lora = 100 + loras.length;
      const effects = [{ layer: 0, projection: 'fc1', delta: 1, weight: 10, relative: 0.1 }] as const;
      const leftOut = { unet: 0, otherEncoders: 0, unsupported: [], unknown: [] };
      loras.push({ file, lora, answer: () => resolve({ lora, ranks: [4], effects, leftOut }), fail: reject });
      return promise;
    },
    removeLora: vi.fn(),
    async deleteModel(model) {
      stored.models = stored.models.filter(({ id }) => id !== model);
      return all();
    },
  };
  return { client, encodes, loads, adapter, downloads: asked, keeps, loras, hashes, profiles, stored };
}

/** When what was under way is done, the loading of the road with it. */
const settled = async () => {
  await import('../road/pipeline.ts');
  await new Promise((resolve) => setImmediate(resolve));
};

function memory(stored: string | null = null): Memory {
  const texts = new Map(stored === null ? [] : [['clipscope', stored]]);
  return {
    getItem: (key) => texts.get(key) ?? null,
    setItem: (key, value) => void texts.set(key, value),
    removeItem: (key) => void texts.delete(key),
  };
}

describe('with an encoder', () => {
  let fake: ReturnType<typeof fakeClient>;
  let store: ClipscopeStore;
  let lose: (message: string) => void;
  const status = () => encoderStatus(store.getState());
  const { encodes, loads } = { encodes: () => fake.encodes, loads: () => fake.loads };

  beforeEach(async () => {
    fake = fakeClient();
    store = createClipscopeStore({
      connect: (onLost) => {
        lose = onLost;
        return fake.client;
      },
      loadTokenizer: async () => tokenizer,
      memory: null,
    });
    await settled();
  });

  async function ready() {
    fake.adapter.resolve({ description: 'a GPU', software: false });
    await settled();
    loads()[0].answer(modelInfo('synthetic', 'full'));
    await settled();
    encodes()[0].answer(412.4);
    await settled();
  }

  test('finds a GPU, loads the synthetic encoder, encodes the prompt, and says so', async () => {
    expect(status()).toEqual({ phase: 'busy', text: 'Looking for a GPU' });
    fake.adapter.resolve({ description: 'a GPU', software: false });
    await settled();
    expect(loads()[0].request).toEqual({ kind: 'synthetic', size: 'full' });
    loads()[0].progress({ done: 47, total: 100 });
    expect(status()).toEqual({ phase: 'busy', text: 'Loading synthetic (random weights) 45 %' });
    loads()[0].answer(modelInfo('synthetic', 'full'));
    await settled();
    expect(status()).toEqual({ phase: 'busy', text: 'Encoding with synthetic (random weights)' });
    expect(encodes()[0].passes).toEqual(prepared(store.getState(), 'positive')?.chunks.map(({ pass }) => pass));
    expect(encodes()[0].want).toEqual({ hiddenStates: Array.from({ length: 13 }, (_, i) => i), attentions: true });
    encodes()[0].answer(412.4);
    await settled();
    expect(status()).toEqual({
      phase: 'ready',
      text: 'Ready: synthetic (random weights), recomputed 77 of 77 rows, 412 ms',
    });
  });

  test('a model chosen before the GPU was found is not replaced by the default', async () => {
    void store.getState().openModel({ kind: 'synthetic', size: 'tiny' });
    fake.adapter.resolve({ description: 'a GPU', software: false });
    await settled();
    expect(loads().map(({ request }) => request)).toEqual([{ kind: 'synthetic', size: 'tiny' }]);
  });

  test('a change of weights alone needs no pass; a change of tokens does', async () => {
    await ready();
    const { setPrompt } = store.getState();
    setPrompt('positive', 'a (red:1.3) car');
    encodes()[1].answer();
    await settled();
    setPrompt('positive', 'a (red:0.5) car');
    expect(encodes()).toHaveLength(2);
    // The same passes, not only equal ones: the pictures of masks and attention are not drawn again.
    expect(shownChunk(store.getState())?.pass).toBe(encodes()[1].passes[0]);
    const shown = shownEncoded(store.getState());
    expect(shown?.chunk.perTokenWeights[2]).toBe(0.5);
    setPrompt('positive', 'a (blue:0.5) car');
    expect(encodes()).toHaveLength(3);
  });

  test('outputs are found again by pass: going back to a prompt needs no pass', async () => {
    await ready();
    const { setPrompt, setOption } = store.getState();
    const first = store.getState().prompts.positive;
    setPrompt('positive', 'a dog');
    encodes()[1].answer();
    await settled();
    setPrompt('positive', first);
    setOption('weighting', 'none');
    expect(encodes()).toHaveLength(2);
    expect(status().phase).toBe('ready');
    setOption('mask', 'lecture');
    expect(encodes()).toHaveLength(3);
  });

  test('an edit is timed over the rows that it changes; a time that comes after another model is not shown', async () => {
    await ready();
    const { setPrompt, setOption, profile, openModel } = store.getState();
    setPrompt('positive', '');
    expect(editedRows(store.getState())).toBeUndefined();
    setPrompt('positive', 'a red car');
    const rows = editedRows(store.getState())!;
    expect(rows).toEqual({ first: 3, end: 5 });
    setOption('mask', 'none');
    expect(editedRows(store.getState())).toBeUndefined();
    setOption('mask', 'causal');
    void profile(rows);
    expect(fake.profiles[0]).toMatchObject({ pass: shownChunk(store.getState())!.pass, rows });
    const result: Profile = { steps: [], noTimes: null };
    fake.profiles[0].resolve(result);
    await settled();
    expect(store.getState().profiled).toEqual({ rows, task: { phase: 'done', result } });
    void profile(rows);
    fake.profiles[1].reject(new Error('The GPU went away.'));
    await settled();
    expect(store.getState().profiled?.task).toEqual({ phase: 'failed', message: 'The GPU went away.' });
    void profile(rows);
    void openModel({ kind: 'synthetic', size: 'full' });
    loads()[1].answer(modelInfo('synthetic', 'full'));
    await settled();
    expect(store.getState().profiled).toBeNull();
    fake.profiles[2].resolve(result);
    await settled();
    expect(store.getState().profiled).toBeNull();
  });

  describe('LoRAs', () => {
    const file = (name: string) => new File([], name);
    const plain = 'a cat';
    const tagged = '<lora:style:0.5>a cat';
    beforeEach(async () => {
      await ready();
      store.getState().setPrompt('positive', plain);
      encodes()[1].answer();
      await settled();
    });
    async function open(name = 'style.safetensors') {
      void store.getState().addLora(file(name));
      fake.loras.at(-1)?.answer();
      await settled();
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
      const { openFile, removeLora } = store.getState();
      const opening = openFile(bundle(768));
      await vi.waitFor(() => expect(fake.loras).toHaveLength(1));
      fake.loras[0].answer();
      await opening;
      removeLora('style');
      expect(store.getState().embeddings).toMatchObject([{ name: 'cat', vectors: { length: 2 } }]);
      expect(prepared(store.getState(), 'positive')?.networks).toMatchObject([{ kind: 'embedding', name: 'cat' }]);
      void openFile(bundle(1024));
      await vi.waitFor(() => expect(fake.loras).toHaveLength(2));
      expect(store.getState().embeddings).toHaveLength(1);
      expect(store.getState().notices).toMatchObject([{ message: expect.stringContaining('width 1024') }]);
    });

    test('are merged while the prompt names them, and what was encoded without them is found again', async () => {
      await open();
      expect(encodes()).toHaveLength(2);
      const { setPrompt } = store.getState();
      const before = shownEncoded(store.getState())?.output;
      setPrompt('positive', tagged);
      expect(shownEncoded(store.getState())).toBeUndefined();
      expect(encodes()[2].options.loras).toEqual([{ lora: 100, multiplier: 0.5 }]);
      expect(encodes()[2].passes).toEqual(encodes()[1].passes);
      encodes()[2].answer();
      await settled();
      const merged = shownEncoded(store.getState())?.output;
      expect(status().phase).toBe('ready');
      setPrompt('positive', plain);
      expect(shownEncoded(store.getState())?.output).toBe(before);
      setPrompt('positive', tagged);
      expect(shownEncoded(store.getState())?.output).toBe(merged);
      setPrompt('positive', '<lora:style:0>a cat');
      expect(shownEncoded(store.getState())?.output).toBe(before);
      expect(encodes()).toHaveLength(3);
      setPrompt('positive', '<lora:style:0.6>a cat');
      expect(encodes()[3].options.loras).toEqual([{ lora: 100, multiplier: 0.6 }]);
    });

    test('named before they are open are merged when they are, and no more when they are removed', async () => {
      store.getState().setPrompt('positive', tagged);
      expect(encodes()).toHaveLength(2);
      await open();
      expect(encodes()[2].options.loras).toHaveLength(1);
      encodes()[2].answer();
      await settled();
      store.getState().removeLora('style');
      expect(fake.client.removeLora).toHaveBeenCalledWith(100);
      expect([encodes().length, status().phase, store.getState().loras.size]).toEqual([3, 'ready', 0]);
    });

    test('of the positive prompt act on the negative one; of the negative one they do not', async () => {
      await open();
      store.getState().setPrompt('positive', tagged);
      encodes()[2].answer();
      await settled();
      store.getState().show({ side: 'negative' });
      expect(encodes()[3].options.loras).toEqual([{ lora: 100, multiplier: 0.5 }]);
      encodes()[3].answer();
      await settled();
      store.getState().setPrompt('positive', plain);
      store.getState().setPrompt('negative', '<lora:style:2>fog');
      expect(encodes().at(-1)?.options.loras).toEqual([]);
    });

    test('with the same name take the place of the one before, if they can be read', async () => {
      await open();
      store.getState().setPrompt('positive', tagged);
      encodes()[2].answer();
      await settled();
      void store.getState().addLora(file('style.pt'));
      fake.loras[1].fail(new Error('"style.pt" is not a LoRA.'));
      await settled();
      expect(store.getState().notices.map(({ message }) => message)).toEqual(['"style.pt" is not a LoRA.']);
      expect(status().phase).toBe('ready');
      await open('style.pt');
      expect(encodes().at(-1)?.options.loras).toEqual([{ lora: 102, multiplier: 0.5 }]);
      expect(fake.client.removeLora).toHaveBeenCalledWith(100);
    });

    test('are read anew for another model, and told of where they do not fit it', async () => {
      await open();
      await open('other.safetensors');
      store.getState().setPrompt('positive', '<lora:style:1><lora:other:1>a cat');
      encodes()[2].answer();
      await settled();
      void store.getState().openModel({ kind: 'synthetic', size: 'tiny' });
      loads()[1].answer(modelInfo('synthetic-tiny', 'tiny'));
      await settled();
      expect(fake.loras.slice(2).map(({ file }) => file.name)).toEqual(['style.safetensors', 'other.safetensors']);
      expect(encodes()[3].options.loras).toEqual([]);
      fake.loras[2].answer();
      fake.loras[3].fail(new Error('"other.safetensors" changes layer 11.'));
      await settled();
      encodes()[3].answer();
      await settled();
      expect(encodes()[4].options.loras).toEqual([{ lora: 102, multiplier: 1 }]);
      expect(store.getState().loras.get('other')).toMatchObject({ info: null, problem: expect.stringContaining('11') });
      expect(store.getState().notices).toEqual([]);
    });
  });

  async function answerAll() {
    for (let i = encodes().length - 1; i < encodes().length; i++) {
      encodes()[i].answer();
      await settled();
    }
  }

  test('first the chunk on show with all its states, then what else the weighting reads', async () => {
    await ready();
    const { setPrompt, setOption, show } = store.getState();
    setOption('syntax', 'compel');
    expect(store.getState().options.weighting).toBe('compel-mask');
    await answerAll();
    const [first, then] = [encodes().length, encodes().length + 1];
    setPrompt('positive', '("a (cat)0.5", "a dog").and()');
    expect(encodes()[first]).toMatchObject({ passes: [{}], want: { attentions: true } });
    encodes()[first].answer();
    await settled();
    expect(status()).toEqual({ phase: 'busy', text: 'Encoding with synthetic (random weights), 3 passes to go' });
    expect(shownEncoded(store.getState())).toBeDefined();
    expect(shownWeighted(store.getState())).toBeUndefined();
    expect(encodes()[then].want).toEqual({ hiddenStates: [], attentions: false });
    expect(encodes()[then].passes).toHaveLength(3);
    encodes()[then].answer();
    await settled();
    expect(status().phase).toBe('ready');
    expect(shownWeighted(store.getState())?.after).toHaveLength(77 * 64);
    show({ chunk: 1 });
    expect(shownChunk(store.getState())).toMatchObject({ text: 1, index: 0 });
    expect(encodes().at(-1)).toMatchObject({ passes: [{}], want: { attentions: true } });
  });

  test('a software adapter does one pass at a time, so that what is typed waits for no more', async () => {
    fake.adapter.resolve({ description: 'SwiftShader', software: true });
    await settled();
    loads()[0].answer(modelInfo('synthetic', 'full'));
    await settled();
    encodes()[0].answer();
    await settled();
    const { setOption, setPrompt } = store.getState();
    setOption('weighting', 'compel-mask');
    await settled();
    expect(encodes()[1].passes).toHaveLength(1);
    setPrompt('positive', 'a dog');
    encodes()[1].answer();
    await settled();
    expect(encodes()[2].passes[0]).toBe(shownChunk(store.getState())?.pass);
  });

  test('clip skip asks for its hidden state where that was not read', async () => {
    await ready();
    const { setOption } = store.getState();
    setOption('weighting', 'comfy');
    const empty = encodes()[1];
    expect(empty.want).toEqual({ hiddenStates: [], attentions: false });
    await answerAll();
    setOption('clipSkip', 2);
    expect(encodes()[2].want).toEqual({ hiddenStates: [11], attentions: false });
    expect(encodes()[2].passes).toEqual(empty.passes);
  });

  test('a prompt of more passes than are kept is encoded once, and then is there', async () => {
    await ready();
    store.getState().setOption('weighting', 'scale');
    store.getState().setPrompt('positive', Array.from({ length: 40 }, (_, i) => `${i} cat`).join(' BREAK '));
    for (let i = 1; i < encodes().length; i++) {
      encodes()[i].answer();
      await settled();
    }
    expect(
      encodes()
        .slice(1)
        .map(({ passes }) => passes.length),
    ).toEqual([1, 8, 8, 8, 8, 7]);
    expect(status().phase).toBe('ready');
  });

  test('the rows up to EOS are shown before the padding, and an edit spares the rest', async () => {
    await ready();
    const { setPrompt } = store.getState();
    setPrompt('positive', 'a dog');
    const rows = {
      outputs: [
        { lastHiddenState: new Float32Array(77 * 64), hiddenStates: new Map(), attentions: new Float32Array(77) },
      ],
      ready: [4],
      stats: { milliseconds: 2, rowsComputed: 3, rowsTotal: 77 },
    };
    encodes()[1].options.onRows?.(rows);
    expect(shownEncoded(store.getState())).toMatchObject({ ready: 4, output: rows.outputs[0] });
    expect(shownWeighted(store.getState())).toBeUndefined();
    expect(status().phase).toBe('busy');
    expect(encodes()[1].options.signal?.aborted).toBe(false);
    setPrompt('positive', 'a doge');
    expect(encodes()[1].options.signal?.aborted).toBe(true);
    encodes()[1].fail(new WorkerError('AbortError', 'Stopped.'));
    await settled();
    expect(store.getState().encodeFailure).toBeNull();
    encodes()[2].options.onRows?.(rows);
    encodes()[2].answer(30);
    await settled();
    expect(shownEncoded(store.getState())?.ready).toBeNull();
    expect(store.getState().started).toBeNull();
    expect(status().text).toContain('recomputed 77 of 77 rows, 30 ms');
  });

  test('what nobody waits for any more is stopped before its first rows are there, and asked for again where it is undone', async () => {
    await ready();
    const { setPrompt } = store.getState();
    setPrompt('positive', 'a (dog:1.2)');
    const pass = shownChunk(store.getState())?.pass;
    // Weights make no other pass.
    setPrompt('positive', 'a (dog:1.3)');
    expect(encodes()[1].options.signal?.aborted).toBe(false);
    setPrompt('positive', 'a doge');
    expect(encodes()[1].options.signal?.aborted).toBe(true);
    setPrompt('positive', 'a dog');
    encodes()[1].fail(new WorkerError('AbortError', 'Stopped.'));
    await settled();
    expect(encodes()).toHaveLength(3);
    expect(encodes()[2].passes[0]).toEqual(pass);
    encodes()[2].answer();
    await settled();
    expect(status().phase).toBe('ready');
  });

  test('the negative prompt is encoded when it is shown; the rows of both are kept', async () => {
    await ready();
    const shownPass = () => shownChunk(store.getState())!.pass;
    store.getState().setPrompt('negative', 'blurry');
    expect(encodes()).toHaveLength(1);
    const positive = shownPass();
    store.getState().show({ side: 'negative' });
    expect(encodes()[1].passes).toEqual(prepared(store.getState(), 'negative')?.chunks.map(({ pass }) => pass));
    expect(encodes()[1].options.alsoNeeded).toEqual([shownPass(), positive]);
  });

  test('the status line says what the last change of the prompts cost, and nothing where it cost nothing', async () => {
    await ready();
    const { setPrompt, setOption } = store.getState();
    const first = store.getState().prompts.positive;
    setPrompt('positive', 'a (dog:1.2)');
    encodes()[1].answer(30);
    await settled();
    expect(status().text).toContain('recomputed 77 of 77 rows, 30 ms');
    for (const nothing of ['a (dog:1.3)', first]) {
      setPrompt('positive', nothing);
      expect(status().text).toMatch(/recomputed 0 of 77 rows$/);
    }
    // Back and forth, too, whether anybody looks in between or not.
    setOption('mask', 'none');
    encodes()[2].answer(40);
    await settled();
    expect(status().text).toContain('recomputed 77 of 77 rows, 40 ms');
    setOption('mask', 'causal');
    setOption('mask', 'none');
    expect(status().text).toMatch(/recomputed 0 of 77 rows$/);
  });

  test('an encode is asked for once, however often the facts change meanwhile', async () => {
    await ready();
    store.getState().setPrompt('positive', 'a dog');
    store.getState().setTheme('dark');
    store.getState().show({ layer: 3 });
    expect(encodes()).toHaveLength(2);
  });

  test('what is typed meanwhile is encoded next, and nothing twice', async () => {
    await ready();
    const { setPrompt } = store.getState();
    for (const prompt of ['a dog', 'a cat', 'a bird']) setPrompt('positive', prompt);
    expect(encodes()).toHaveLength(2);
    encodes()[1].answer();
    await settled();
    expect(encodes()).toHaveLength(3);
    expect(encodes()[2].passes[0]).toBe(shownChunk(store.getState())?.pass);
    setPrompt('positive', 'a dog');
    encodes()[2].answer();
    await settled();
    expect(encodes()).toHaveLength(3);
    expect(status().phase).toBe('ready');
  });

  test('a failed encode is told until the prompt changes', async () => {
    await ready();
    const { setPrompt } = store.getState();
    setPrompt('positive', 'a cat');
    encodes()[1].fail(new WorkerError('GpuError', 'Out of memory.'));
    await settled();
    expect(status()).toEqual({ phase: 'failed', text: 'Encoding failed: Out of memory.' });
    expect(encodes()).toHaveLength(2);
    setPrompt('positive', 'a bird');
    expect(status().phase).toBe('busy');
    encodes()[2].answer();
    await settled();
    expect(status().phase).toBe('ready');
  });

  test('a model that fails to load leaves the old one, its outputs and a notice', async () => {
    await ready();
    const before = store.getState();
    void before.openModel({ kind: 'file', file: new File([], 'broken.safetensors') });
    expect(status().text).toBe('Loading broken.safetensors');
    loads()[1].fail(new WorkerError('CheckpointError', '"broken.safetensors" is empty.'));
    await settled();
    const after = store.getState();
    expect(after.model).toBe(before.model);
    expect(after.encoded).toBe(before.encoded);
    expect(after.prompts).toBe(before.prompts);
    expect(after.notices.map(({ message }) => message)).toEqual(['"broken.safetensors" is empty.']);
    expect(status().phase).toBe('ready');
    after.dismiss(after.notices[0].id);
    expect(store.getState().notices).toEqual([]);
  });

  test('a load that was superseded by one of the same model leaves the newer one’s progress', async () => {
    await ready();
    const request = { kind: 'synthetic', size: 'full' } as const;
    void store.getState().openModel(request);
    void store.getState().openModel(request);
    loads()[2].progress({ done: 1, total: 2 });
    loads()[1].fail(new WorkerError('AbortError', 'Cancelled.'));
    await settled();
    expect(status()).toEqual({ phase: 'busy', text: 'Loading synthetic (random weights) 50 %' });
  });

  test('what is told twice is told once', async () => {
    await ready();
    for (const i of [1, 2]) {
      void store.getState().openModel({ kind: 'file', file: new File([], 'broken.safetensors') });
      loads()[i].fail(new WorkerError('CheckpointError', '"broken.safetensors" is empty.'));
      await settled();
    }
    expect(store.getState().notices.map(({ message }) => message)).toEqual(['"broken.safetensors" is empty.']);
  });

  test('a cancelled load is not a failure', async () => {
    await ready();
    void store.getState().openModel({ kind: 'file', file: new File([], 'big.safetensors') });
    store.getState().cancelLoad();
    expect(status()).toEqual({ phase: 'busy', text: 'Cancelling the load of big.safetensors' });
    expect(fake.client.cancelLoad).toHaveBeenCalledOnce();
    loads()[1].fail(new WorkerError('AbortError', 'Cancelled.'));
    await settled();
    expect(store.getState().notices).toEqual([]);
    expect(status().phase).toBe('ready');
  });

  test('a new model encodes anew, and an output of the old one that comes late is dropped', async () => {
    await ready();
    store.getState().setPrompt('positive', 'a dog');
    void store.getState().openModel({ kind: 'synthetic', size: 'tiny' });
    loads()[1].answer(modelInfo('synthetic-tiny', 'tiny'));
    await settled();
    expect(store.getState().encoded.size).toBe(0);
    encodes()[1].answer();
    await settled();
    expect(store.getState().encoded.size).toBe(0);
    expect(encodes()).toHaveLength(3);
    encodes()[2].answer(3.21);
    await settled();
    expect(status().text).toBe('Ready: synthetic-tiny (random weights), recomputed 77 of 77 rows, 3.2 ms');
  });

  test('rows that the old model had computed are not shown as the new one’s', async () => {
    await ready();
    store.getState().setPrompt('positive', 'a dog');
    void store.getState().openModel({ kind: 'synthetic', size: 'tiny' });
    encodes()[1].options.onRows?.({
      outputs: [
        { lastHiddenState: new Float32Array(77 * 768), hiddenStates: new Map(), attentions: new Float32Array(77) },
      ],
      ready: [4],
      stats: { milliseconds: 2, rowsComputed: 3, rowsTotal: 77 },
    });
    expect(shownEncoded(store.getState())).toBeDefined();
    loads()[1].answer(modelInfo('synthetic-tiny', 'tiny'));
    await settled();
    expect(shownEncoded(store.getState())).toBeUndefined();
  });

  test('of two loads, only the newer one’s progress shows', async () => {
    await ready();
    void store.getState().openModel({ kind: 'file', file: new File([], 'one.safetensors') });
    void store.getState().openModel({ kind: 'file', file: new File([], 'two.safetensors') });
    loads()[1].progress({ done: 1, total: 2 });
    loads()[1].fail(new WorkerError('AbortError', 'Cancelled.'));
    await settled();
    expect(status().text).toBe('Loading two.safetensors');
    loads()[2].progress({ done: 1, total: 2 });
    expect(status().text).toBe('Loading two.safetensors 50 %');
  });

  test('layer and head stay within what the model has, and come back with a larger one', async () => {
    await ready();
    store.getState().show({ layer: 11, head: 7 });
    void store.getState().openModel({ kind: 'synthetic', size: 'tiny' });
    loads()[1].answer(modelInfo('synthetic-tiny', 'tiny'));
    await settled();
    expect([shownLayer(store.getState()), shownHead(store.getState())]).toEqual([1, 3]);
    void store.getState().openModel({ kind: 'synthetic', size: 'full' });
    loads()[2].answer(modelInfo('synthetic', 'full'));
    await settled();
    expect([shownLayer(store.getState()), shownHead(store.getState())]).toEqual([11, 7]);
  });

  test('a lost GPU is said, asks for nothing, and is over when a model is loaded again', async () => {
    await ready();
    lose('The driver was reset.');
    store.getState().setPrompt('positive', 'a dog');
    expect(status()).toEqual({ phase: 'failed', text: 'The GPU went away: The driver was reset.' });
    expect(encodes()).toHaveLength(1);
    void store.getState().openModel({ kind: 'synthetic', size: 'full' });
    loads()[1].answer(modelInfo('synthetic', 'full'));
    await settled();
    expect(status().phase).toBe('busy');
    expect(encodes()).toHaveLength(2);
  });

  test('only so many outputs are kept', async () => {
    await ready();
    for (let i = 0; i < 20; i++) {
      store.getState().setPrompt('positive', `${i} dogs`);
      encodes().at(-1)?.answer();
      await settled();
    }
    // 96 MB, of 6.4 MB and 14 times 20 kB each.
    expect(store.getState().encoded.get('')?.size).toBe(14);
    expect(status().phase).toBe('ready');
  });

  describe('downloads', () => {
    const [file] = sd15TextEncoder.files;
    const model: StoredModel = {
      id: 'sd-1-5',
      name: file.label,
      source: file.urls[0],
      bytes: 100,
      stored: 100,
      complete: true,
      addedAt: 1,
      sha256: file.sha256,
    };
    const part: StoredModel = { ...model, stored: 45, complete: false, sha256: null };
    const progress = { done: 40, total: 100, verifying: false };
    const row = () => store.getState().downloads.get(file.id);

    test('one that is whole is used, listed and remembered; the model in use stays until then', async () => {
      await ready();
      const before = store.getState().model;
      void store.getState().download(file);
      expect(row()).toEqual({ file, phase: 'running', progress: null });
      fake.downloads[0].progress(progress);
      expect(row()).toEqual({ file, phase: 'running', progress });
      fake.stored.models = [model];
      fake.downloads[0].answer(model);
      await settled();
      expect(row()).toBeUndefined();
      expect(loads()[1].request).toEqual({ kind: 'stored', model: 'sd-1-5', name: file.label });
      expect(status().text).toBe(`Loading ${file.label}`);
      expect(store.getState().model).toBe(before);
      loads()[1].answer(modelInfo(file.label, 'full'));
      await settled();
      expect(store.getState().storedModel).toEqual({ model: 'sd-1-5', name: file.label });
      expect(modelChoice(store.getState())).toBe('stored sd-1-5');
      expect(modelChoices(store.getState()).map(({ label }) => label)).toEqual([
        'Synthetic, full size',
        'Synthetic, tiny',
        file.label,
      ]);
    });

    test('the same file is not downloaded twice at once', async () => {
      await ready();
      void store.getState().download(file);
      void store.getState().download(file);
      expect(fake.downloads).toHaveLength(1);
    });

    test('a paused one keeps what has arrived, and goes on with it', async () => {
      await ready();
      void store.getState().download(file);
      fake.downloads[0].progress(progress);
      fake.stored.models = [part];
      store.getState().pauseDownload(file.id);
      await settled();
      // More than was told last.
      const arrived = { ...progress, done: 45 };
      expect(row()).toEqual({ file, phase: 'paused', progress: arrived });
      expect(store.getState().notices).toEqual([]);
      // Its row is the download's, not the stored part's.
      expect(store.getState().stored?.models).toEqual([part]);
      expect(listedModels(store.getState())).toEqual([]);
      void store.getState().download(file);
      expect(row()).toEqual({ file, phase: 'running', progress: arrived });
      expect(fake.downloads).toHaveLength(2);
    });

    test.each(['running', 'paused'])('cancelling a %s one deletes what has arrived', async (phase) => {
      await ready();
      void store.getState().download(file);
      fake.downloads[0].progress(progress);
      fake.stored.models = [part, { ...model, id: 'other', source: 'https://example.com/other' }];
      if (phase === 'paused') store.getState().pauseDownload(file.id);
      await settled();
      await store.getState().cancelDownload(file.id);
      expect(row()).toBeUndefined();
      expect(store.getState().stored?.models.map(({ id }) => id)).toEqual(['other']);
      expect(loads()).toHaveLength(1);
    });

    test('one that fails says why in its row, and the model in use goes on working', async () => {
      await ready();
      const { model } = store.getState();
      void store.getState().download(file);
      fake.downloads[0].fail(new WorkerError('StorageError', 'No room.', 'quota'));
      await settled();
      expect(row()).toEqual({ file, phase: 'failed', progress: null, message: 'No room.', fault: 'quota' });
      expect(store.getState().model).toBe(model);
      expect(status().phase).toBe('ready');
      await store.getState().cancelDownload(file.id);
      expect(store.getState().downloads.size).toBe(0);
    });

    test('a deleted model stays in use, can be gone back to no more, and is forgotten', async () => {
      await ready();
      fake.stored.models = [model];
      await store.getState().listModels();
      void store.getState().openModel({ kind: 'stored', model: model.id, name: model.name });
      loads()[1].answer(modelInfo(model.name, 'full'));
      await settled();
      await store.getState().deleteModel(model.id);
      expect(store.getState().model?.name).toBe(model.name);
      expect(store.getState().storedModel).toBeNull();
      expect(modelChoice(store.getState())).toBe('stored sd-1-5');
      expect(modelChoices(store.getState())).toHaveLength(3);
    });
  });

  describe('keeping a file', () => {
    const file = new File([new Uint8Array(9)], 'mine.ckpt', { lastModified: 5 });
    const kept: StoredModel = {
      id: 'mine-ckpt',
      name: 'mine.ckpt',
      source: 'weights:ab',
      bytes: 100,
      stored: 100,
      complete: true,
      addedAt: 1,
      sha256: 'cd',
    };
    const progress = { done: 40, total: 100, verifying: false };
    const facts = () => store.getState();
    async function load(opened: File) {
      void facts().openModel({ kind: 'file', file: opened });
      loads().at(-1)!.answer(modelInfo('mine.ckpt', 'tiny'));
      await settled();
    }

    async function opened(sha256: string | undefined = 'ab') {
      await ready();
      await load(file);
      fake.hashes.at(-1)!.resolve(sha256);
      await settled();
    }

    test('is offered for a file in use, and ends with it stored, in use as that, and remembered', async () => {
      await ready();
      expect(fileToKeep(facts())).toBeNull();
      void facts().keepFile();
      expect(fake.keeps).toEqual([]);
      await opened();
      expect(fileToKeep(facts())).toBe(file);
      const { model } = facts();
      void facts().keepFile();
      void facts().keepFile();
      expect(fake.keeps.map(({ file, source }) => ({ file, source }))).toEqual([{ file, source: 'weights:ab' }]);
      fake.keeps[0].progress(progress);
      expect(facts().keeping).toEqual({ file, source: 'weights:ab', progress, failure: null });
      expect(fileToKeep(facts())).toBeNull();
      fake.stored.models = [{ ...kept, complete: false }];
      await facts().listModels();
      expect(listedModels(facts())).toEqual([]);
      fake.stored.models = [kept];
      fake.keeps[0].answer(kept);
      await settled();
      expect(facts()).toMatchObject({
        keeping: null,
        storedModel: { model: 'mine-ckpt', name: 'mine.ckpt' },
        modelRequest: { kind: 'stored', model: 'mine-ckpt', name: 'mine.ckpt' },
        notices: [],
      });
      // Nothing was loaded again.
      expect(facts().model).toBe(model);
      expect(loads()).toHaveLength(2);
      expect(keptModel(facts())).toBe(kept);
      expect(fileToKeep(facts())).toBeNull();
      expect(modelChoice(facts())).toBe('stored mine-ckpt');
      expect(modelChoices(facts()).map(({ label }) => label)).toEqual([
        'Synthetic, full size',
        'Synthetic, tiny',
        'mine.ckpt',
      ]);
    });

    test('a file that is kept already is not offered again, and the next visit opens what was kept', async () => {
      fake.stored.models = [kept];
      await opened();
      expect(keptModel(facts())).toBe(kept);
      expect(fileToKeep(facts())).toBeNull();
      expect(facts().storedModel).toEqual({ model: 'mine-ckpt', name: 'mine.ckpt' });
      expect(modelChoices(facts()).map(({ label }) => label)).toContain('mine.ckpt (from disk)');
      // Other weights in a file of the same name are another model.
      await load(file);
      expect(keptModel(facts())).toBeUndefined();
      expect(fileToKeep(facts())).toBeNull();
      fake.hashes.at(-1)!.resolve('ef');
      await settled();
      expect(keptModel(facts())).toBeUndefined();
      expect(fileToKeep(facts())).toBe(file);
      await facts().deleteModel('mine-ckpt');
      expect(facts().storedModel).toBeNull();
    });

    test('without a hash the file’s name, size and date are what it is known by', async () => {
      await ready();
      await load(file);
      expect(facts().weightsHash).toBeNull();
      void facts().keepFile();
      expect(fake.keeps).toEqual([]);
      // As where the file is gone.
      fake.hashes.at(-1)!.reject(new WorkerError('SourceError', 'Gone.'));
      await settled();
      void facts().keepFile();
      expect(fake.keeps[0].source).toBe('file:mine.ckpt?bytes=9&modified=5');
      fake.stored.models = [{ ...kept, source: fake.keeps[0].source }];
      fake.keeps[0].answer(fake.stored.models[0]);
      await settled();
      const again = new File([new Uint8Array(9)], 'mine.ckpt', { lastModified: 5 });
      await load(again);
      fake.hashes.at(-1)!.resolve(undefined);
      await settled();
      expect(fileToKeep(facts())).toBeNull();
    });

    test('a hash that comes after another model was loaded is not taken for its own', async () => {
      await ready();
      await load(file);
      await load(new File([new Uint8Array(8)], 'other.ckpt'));
      const [first, second] = fake.hashes;
      first.resolve('ab');
      await settled();
      expect(facts().weightsHash).toBeNull();
      second.resolve('ef');
      await settled();
      expect(facts().weightsHash).toBe('ef');
      void facts().openModel({ kind: 'synthetic', size: 'tiny' });
      loads().at(-1)!.answer(modelInfo('synthetic', 'tiny'));
      await settled();
      expect(facts().weightsHash).toBeUndefined();
      expect(fake.hashes).toHaveLength(2);
    });

    test('cancelled, it is offered again', async () => {
      await opened();
      void facts().keepFile();
      facts().cancelKeep();
      await settled();
      expect(facts().keeping).toBeNull();
      expect(facts().storedModel).toBeNull();
      expect(fileToKeep(facts())).toBe(file);
    });

    test('where it fails, one sentence says so, the model in use stays, and it can be tried again', async () => {
      await opened();
      const { model, modelRequest } = facts();
      void facts().keepFile();
      fake.keeps[0].progress(progress);
      fake.keeps[0].fail(new WorkerError('StorageError', 'No room.', 'quota'));
      await settled();
      const failed = {
        file,
        source: 'weights:ab',
        progress: null,
        failure: { message: 'No room.', fault: 'quota' },
      };
      expect(facts()).toMatchObject({ keeping: failed, model, modelRequest, storedModel: null, notices: [] });
      expect(status().phase).toBe('busy');
      expect(fileToKeep(facts())).toBeNull();
      void facts().keepFile();
      expect(facts().keeping?.failure).toBeNull();
      fake.keeps[1].fail(new WorkerError('StorageError', 'No room.', 'quota'));
      await settled();
      facts().cancelKeep();
      expect(facts().keeping).toBeNull();
      expect(fileToKeep(facts())).toBe(file);
    });

    test('a model that is chosen meanwhile stays chosen', async () => {
      await opened();
      void facts().keepFile();
      void facts().openModel({ kind: 'synthetic', size: 'tiny' });
      loads().at(-1)!.answer(modelInfo('synthetic-tiny', 'tiny'));
      await settled();
      fake.stored.models = [kept];
      fake.keeps[0].answer(kept);
      await settled();
      expect(facts().modelRequest).toEqual({ kind: 'synthetic', size: 'tiny' });
      expect(facts().storedModel).toBeNull();
      expect(facts().stored?.models).toEqual([kept]);
    });

    test('is not offered where it would last no longer than the page', async () => {
      fake.client.models = async () => ({ place: 'memory', models: [], free: null, persisted: false });
      await opened();
      expect(fileToKeep(facts())).toBeNull();
    });

    test('takes as many bytes as its weights', async () => {
      await ready();
      expect(encoderBytes(facts())).toBe(4 * 123_060_480);
      store.setState({ model: { ...modelInfo('mixed', 'full'), dtype: 'F16, F32' } });
      expect(encoderBytes(facts())).toBeNull();
    });
  });

  test('no adapter: one sentence, and everything before the encoder works', async () => {
    fake.adapter.reject(new WorkerError('WebGpuUnavailableError', 'No adapter was found.'));
    await settled();
    expect(store.getState().adapter).toEqual({ phase: 'missing', message: 'No adapter was found.' });
    expect(status().phase).toBe('idle');
    expect(loads()).toHaveLength(0);
    expect(shownChunk(store.getState())?.chunk.tokens).toHaveLength(77);
  });
});

describe('the next visit', () => {
  const stored = { model: 'sd-1-5', name: 'SD 1.5 text encoder' };
  async function visit(models: readonly Partial<StoredModel>[], unlisted?: Error) {
    const fake = fakeClient();
    if (unlisted) fake.client.models = () => Promise.reject(unlisted);
    fake.stored.models = models.map((model) => ({ id: stored.model, complete: true, ...model }) as StoredModel);
    const kept = memory(JSON.stringify({ syntheticSize: 'tiny', storedModel: stored }));
    const store = createClipscopeStore({
      connect: () => fake.client,
      loadTokenizer: async () => tokenizer,
      memory: kept,
    });
    expect(modelChoices(store.getState()).map(({ value }) => value)).toContain(modelChoice(store.getState()));
    fake.adapter.resolve({ description: 'a GPU', software: false });
    await settled();
    const remembered = () => JSON.parse(kept.getItem('clipscope')!).storedModel;
    return { ...fake, store, remembered };
  }
  const asked = ({ loads }: ReturnType<typeof fakeClient>) => loads.map(({ request }) => request);
  const tiny: ModelRequest = { kind: 'synthetic', size: 'tiny' };

  test('opens the stored model that was used last', async () => {
    const fake = await visit([{}]);
    expect(asked(fake)).toEqual([{ kind: 'stored', ...stored }]);
    expect(fake.downloads).toEqual([]);
  });

  test.each([
    ['gone', []],
    ['only a part', [{ complete: false }]],
  ] as const)('starts with made-up weights, and says so, where it is %s', async (_, models) => {
    const fake = await visit(models);
    expect(asked(fake)).toEqual([tiny]);
    expect(fake.store.getState().notices.map(({ message }) => message)).toEqual([
      '"SD 1.5 text encoder" is no longer stored in this browser, so the page starts with made-up weights; it can be downloaded or opened again.',
    ]);
    fake.loads[0].answer(modelInfo('synthetic-tiny', 'tiny'));
    await settled();
    expect(fake.store.getState().storedModel).toBeNull();
  });

  test.each([
    ['cannot be loaded', new WorkerError('GpuError', 'Out of memory.'), ['Out of memory.']],
    ['is cancelled', new WorkerError('AbortError', 'Cancelled.'), []],
  ])('starts with made-up weights where it %s, and remembers it', async (_, error, notices) => {
    const fake = await visit([{}]);
    fake.loads[0].fail(error);
    await settled();
    expect(asked(fake)[1]).toEqual(tiny);
    fake.loads[1].answer(modelInfo('synthetic-tiny', 'tiny'));
    await settled();
    expect(fake.store.getState().notices.map(({ message }) => message)).toEqual(notices);
    expect(fake.remembered()).toEqual(stored);
    // Chosen, they are what the next visit starts with.
    void fake.store.getState().openModel({ kind: 'synthetic', size: 'full' });
    fake.loads[2].answer(modelInfo('synthetic', 'full'));
    await settled();
    expect(fake.remembered()).toBeNull();
  });

  test('remembers the stored model where the storage cannot be asked', async () => {
    const fake = await visit([{}], new Error('The storage does not answer.'));
    expect(asked(fake)).toEqual([tiny]);
    fake.loads[0].answer(modelInfo('synthetic-tiny', 'tiny'));
    await settled();
    expect(fake.store.getState().storedModel).toEqual(stored);
  });

  test('a stored model that another tab deleted is one sentence, and no longer offered', async () => {
    const fake = await visit([{}]);
    fake.stored.models = [];
    fake.loads[0].fail(new WorkerError('StorageError', 'It was deleted.', 'missing'));
    await settled();
    expect(fake.store.getState().notices.map(({ message }) => message)).toEqual(['It was deleted.']);
    expect(fake.store.getState().stored?.models).toEqual([]);
  });
});

describe('without WebGPU', () => {
  const surroundings = { connect: () => null, loadTokenizer: async () => tokenizer, memory: null };

  test('tokens, weights and masks are there', async () => {
    const store = createClipscopeStore(surroundings);
    await settled();
    store.getState().setPrompt('positive', 'a (red:1.3) car');
    const shown = shownChunk(store.getState());
    expect([...(shown?.chunk.perTokenWeights.slice(0, 5) ?? [])]).toEqual([1, 1, 1.3, 1, 1]);
    expect(shown?.pass.keyMask).toHaveLength(77);
  });

  test('a vocabulary that does not come is said, and can be asked for again', async () => {
    const loadTokenizer = vi.fn(async () => tokenizer).mockRejectedValueOnce(new Error('Offline.'));
    const store = createClipscopeStore({ ...surroundings, loadTokenizer });
    await settled();
    expect(store.getState().tokenizer).toEqual({ phase: 'failed', message: 'Offline.' });
    await store.getState().loadTokenizer();
    expect(store.getState().tokenizer.phase).toBe('ready');
  });

  test('prompts, options and theme survive a reload', () => {
    const kept = memory();
    const before = createClipscopeStore({ ...surroundings, memory: kept }).getState();
    before.setPrompt('negative', 'blurry');
    before.setOption('mask', 'hf');
    before.setTheme('dark');
    const after = createClipscopeStore({ ...surroundings, memory: kept }).getState();
    expect(after.prompts).toEqual({ ...before.prompts, negative: 'blurry' });
    expect(after.options.mask).toBe('hf');
    expect(after.theme).toBe('dark');
  });
});

describe('memory', () => {
  const start = (kept: Memory) =>
    createClipscopeStore({ connect: () => null, loadTokenizer: async () => tokenizer, memory: kept }).getState();
  const first = start(memory());

  test.each([
    '{"prompts',
    '[]',
    '7',
    'null',
    '{"prompts":{"positive":5},"options":{"mask":"sideways"},"theme":"pink","storedModel":{"model":1}}',
  ])('%s is as good as nothing', (stored) => {
    const { prompts, options, theme, syntheticSize, storedModel } = start(memory(stored));
    expect({ prompts, options, theme, syntheticSize, storedModel }).toEqual({
      prompts: first.prompts,
      options: first.options,
      theme: first.theme,
      syntheticSize: first.syntheticSize,
      storedModel: null,
    });
  });

  test('storage that is forbidden or full is lived without', () => {
    const throws = (message: string) => () => {
      throw new Error(message);
    };
    const forbidden = { getItem: throws('forbidden'), setItem: throws('full'), removeItem: throws('forbidden') };
    const store = createClipscopeStore({
      connect: () => null,
      loadTokenizer: async () => tokenizer,
      memory: forbidden,
    });
    for (const prompt of ['a dog', 'a cat']) {
      store.getState().setPrompt('positive', prompt);
      store.getState().notePrompts();
    }
    expect(store.getState().past.map(({ prompts }) => prompts.positive)).toEqual(['a cat', 'a dog']);
    store.getState().clearHistory();
    expect(store.getState().past).toEqual([]);
  });
});

describe('what replaces the prompts', () => {
  let store: ClipscopeStore;
  const state = () => store.getState();
  const infotext = {
    prompt: 'a cat',
    negativePrompt: 'fog',
    parameters: new Map([
      ['Steps', '30'],
      ['Clip skip', '2'],
    ]),
  };
  const mine = { positive: 'mine', negative: 'not mine' };
  beforeEach(() => {
    store = createClipscopeStore({ connect: () => null, loadTokenizer: async () => tokenizer, memory: memory() });
    state().setPrompt('positive', mine.positive);
    state().setPrompt('negative', mine.negative);
  });

  test('infotext fills both prompts, says so, and can be taken back', () => {
    state().takeInfotext(infotext, 'Pasted');
    expect(state().prompts).toEqual({ positive: 'a cat', negative: 'fog' });
    expect(state().options).toMatchObject({ steps: 30, step: 1, clipSkip: 2 });
    expect(state().replaced?.message).toBe('Pasted: prompt, negative prompt, 30 steps and clip skip 2.');
    const { before, after } = state().replaced ?? { before: {}, after: {} };
    state().setOption('mask', 'hf');
    state().restore(before);
    expect(state().prompts).toEqual(mine);
    expect([state().options, state().replaced]).toEqual([defaultOptions, null]);
    state().restore(after);
    expect(state().options.clipSkip).toBe(2);
  });

  test('infotext without a clip skip has none, and is A1111’s', () => {
    state().takeInfotext(infotext, 'Pasted');
    state().setOption('syntax', 'comfy');
    state().takeInfotext({ ...infotext, parameters: new Map() }, 'Pasted');
    expect(state().options).toMatchObject({ syntax: 'a1111', weighting: 'original', clipSkip: 1, steps: 30 });
    expect(state().replaced?.message).toBe('Pasted: prompt and negative prompt.');
  });

  test('what was replaced is in the history', () => {
    state().takeInfotext(infotext, 'Pasted');
    expect(state().past.map(({ prompts }) => prompts)).toEqual([mine]);
    state().restore({ prompts: mine });
    expect(state().past[0].prompts).toEqual({ positive: 'a cat', negative: 'fog' });
  });

  test('prompts that nobody changed are not history', () => {
    const fresh = createClipscopeStore({ connect: () => null, loadTokenizer: async () => tokenizer, memory: null });
    fresh.getState().notePrompts();
    expect(fresh.getState().past).toEqual([]);
  });

  test('a link brings prompts, options and selection', async () => {
    state().setOption('weighting', 'none');
    state().show({ side: 'negative', layer: 3, head: 5, stage: 2 });
    const link = await writeLink(shared(state()));
    const other = createClipscopeStore({ connect: () => null, loadTokenizer: async () => tokenizer, memory: null });
    await other.getState().openLink(link);
    const { prompts, options, side, layer, head, stage, replaced } = other.getState();
    expect({ prompts, options, side, layer, head, stage }).toEqual({
      prompts: mine,
      options: state().options,
      side: 'negative',
      layer: 3,
      head: 5,
      stage: 2,
    });
    expect(replaced?.message).toBe('Opened from a link.');
  });

  test('a bad link is one notice, and changes nothing', async () => {
    const before = state();
    await before.openLink('#share=abc');
    expect(state().notices.map(({ message }) => message)).toEqual([
      'The link is damaged or cut off, so it was not opened.',
    ]);
    expect(state().prompts).toBe(before.prompts);
    expect(state().replaced).toBeNull();
  });

  test('a file is opened as what it is', async () => {
    const picture = png(tEXt('parameters', 'a cat\nNegative prompt: fog\nSteps: 20, A b: c, Clip skip: 2'));
    await state().openFile(new File([picture], 'cat.png'));
    expect(state().replaced?.message).toBe('From cat.png: prompt, negative prompt, 20 steps and clip skip 2.');
    await state().openFile(new File([png(tEXt('parameters', 'only a prompt'))], 'cat.png'));
    expect(state().prompts).toEqual({ positive: 'only a prompt', negative: '' });
    await state().openFile(
      new File([writeShared({ ...shared(state()), work: { ...state(), prompts: mine } })], 'x.json'),
    );
    expect(state().prompts).toEqual(mine);
    expect(state().replaced?.message).toBe('Opened from x.json.');
    expect(state().notices).toEqual([]);

    await state().openFile(new File([png()], 'photo.png'));
    await state().openFile(new File(['{"a": 1}'], 'y.json'));
    await state().openFile(new File(['weights'], 'z.safetensors'));
    expect(state().notices.map(({ message }) => message)).toEqual([
      '"photo.png" is a picture without the generation data that A1111 writes into its own.',
      '"y.json" holds no prompt of this page.',
      'z.safetensors was not opened: the encoder needs WebGPU.',
    ]);
    expect(state().prompts).toEqual(mine);
  });

  test('an embedding is used at the model’s width, replaced when opened again, and removed', async () => {
    const embedding = (name: string, vectors: number, width: number) =>
      new File(
        [
          writeSafetensors([
            { name: 'emb_params', dtype: 'F32', shape: [vectors, width], data: new Uint8Array(4 * vectors * width) },
          ]),
        ],
        name,
      );
    const vectors = () => prepared(state(), 'positive')?.chunks[0].pass.vectors?.size;
    await settled();
    state().setPrompt('positive', 'a moody cat');
    await state().openFile(embedding('other.safetensors', 1, 768));
    await state().openFile(embedding('moody.safetensors', 2, 768));
    expect(vectors()).toBe(2);
    await state().openFile(embedding('moody.safetensors', 3, 768));
    expect(vectors()).toBe(3);
    expect(state().embeddings.map(({ name }) => name)).toEqual(['other', 'moody']);
    expect(usedEmbeddings(state())).toBe(usedEmbeddings(state()));
    await state().openFile(embedding('moody.safetensors', 2, 64));
    expect(vectors()).toBeUndefined();
    expect(usedEmbeddings(state()).map(({ name }) => name)).toEqual(['other']);
    state().removeEmbedding('moody');
    expect(state().embeddings.map(({ name }) => name)).toEqual(['other']);
    expect(state().notices).toEqual([]);
  });

  test('line ends become those of an editor', () => {
    state().setPrompt('positive', 'a\r\nb\rc');
    expect(state().prompts.positive).toBe('a\nb\nc');
  });
});
