import { readFileSync } from 'node:fs';
import { vi } from 'vitest';
import { clipTiny, clipVitL14 } from '../../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../../clip/encoderPass.ts';
import type { EngineInfo } from '../../engine/engineChoice.ts';
import type { Profile, RowSpan } from '../../engine/profile.ts';
import type { DownloadProgress } from '../../models/library/download.ts';
import type { ModelFile } from '../../models/library/modelSources.ts';
import type { StoredModel } from '../../models/library/storage.ts';
import { createTokenizer } from '../../tokens/tokenizer.ts';
import { WorkerError } from '../../worker/ask.ts';
import type { Encoded, EncodeOptions, EncoderClient } from '../../worker/client.ts';
import type { EngineRequest, LoadProgress, LoraInfo, Lost, ModelInfo, ModelRequest } from '../../worker/messages.ts';
import { noModels } from '../../worker/testing/noModels.ts';
import { encoderStatus } from '../encoderStatus.ts';
import type { Facts } from '../facts.ts';
import type { Memory } from '../memory.ts';
import { type ClipscopeStore, createClipscopeStore } from '../store.ts';

export const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

/** A question that waits for the test. Both ways to settle it end when whoever asked has heard. */
export interface Asked<T> {
  answer(result: T): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** Calls of one method, in the order they came in. */
export interface Calls<A> {
  /** Takes the next call, and waits for it if it has not come yet. */
  next(): Promise<A>;
  /** How many calls have come that the test has not taken. */
  readonly waiting: number;
}

function calls<A>(): Calls<A> & { push(call: A): void } {
  const untaken: A[] = [];
  const takers: ((call: A) => void)[] = [];
  return {
    push(call) {
      const taker = takers.shift();
      if (taker) taker(call);
      else untaken.push(call);
    },
    next: () => (untaken.length > 0 ? Promise.resolve(untaken.shift()!) : new Promise((take) => takers.push(take))),
    get waiting() {
      return untaken.length;
    },
  };
}

function question<T>(signal?: AbortSignal): { readonly promise: Promise<T>; readonly asked: Asked<T> } {
  let resolve!: (result: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  signal?.addEventListener('abort', () => reject(new WorkerError('AbortError', 'Ended.')));
  // The asker waits for the promise since before, and so hears first.
  const heard = () =>
    promise.then(
      () => {},
      () => {},
    );
  return {
    promise,
    asked: {
      answer(result) {
        resolve(result);
        return heard();
      },
      fail(error) {
        reject(error);
        return heard();
      },
    },
  };
}

export const onGpu: EngineInfo = { engine: 'webgpu', description: 'a GPU', threads: null, software: false, why: null };
export const onCpu: EngineInfo = {
  ...{ engine: 'cpu', description: 'CPU, 2 threads, SIMD', threads: 2 },
  ...{ software: true, why: null },
};

export const modelInfo = (name: string, size: 'full' | 'tiny', engine = onGpu): ModelInfo => ({
  name,
  engine,
  random: name.startsWith('synthetic'),
  config: size === 'full' ? clipVitL14 : clipTiny,
  dtype: 'F32',
  heldBytes: 1e6,
  finalLayerNorm: { weight: new Float32Array(1), bias: new Float32Array(1) },
});

const blankOutput = ({ hiddenStates, attentions }: EncoderWant): EncoderOutput => ({
  lastHiddenState: new Float32Array(77 * 64).fill(1),
  hiddenStates: new Map(hiddenStates.map((index) => [index, new Float32Array(77 * 64)])),
  ...(attentions && { attentions: new Float32Array(1.6e6) }),
});

interface AskedEncode {
  readonly passes: readonly EncoderPass[];
  readonly want: EncoderWant;
  readonly options: EncodeOptions;
  answer(milliseconds?: number, untilEos?: number): Promise<void>;
  fail(error: Error): Promise<void>;
}

type Progressing<T, P> = Asked<T> & { progress(progress: P): void };

/** The memory of a person who chose made-up weights of full size. */
const laterVisit = () =>
  fakeMemory(
    JSON.stringify({
      syntheticSize: 'full',
      prompts: {
        positive: 'a photo of a (red:1.3) car, [blurry] background',
        negative: 'low quality, (watermark:1.2)',
      },
    }),
  );

/** A page with a client that answers when the test says so. */
export function openPage(memory: Memory | null = laterVisit(), fake = fakeEncoder()) {
  let lose!: (lost: Lost) => void;
  const store = createClipscopeStore({
    connect(onLost) {
      lose = onLost;
      return fake.client;
    },
    loadTokenizer: async () => tokenizer,
    memory,
  });
  return { fake, store, lose };
}

/** A page that has encoded its prompt with the synthetic encoder of full size. */
export async function readyPage(engine = onGpu) {
  const page = openPage();
  const { fake, store } = page;
  await tokenized(store);
  await (await fake.nextLoad()).answer(modelInfo('synthetic', 'full', engine));
  await (await fake.nextEncode()).answer(412.4);
  return page;
}

/** An encoder client that answers when the test says so. */
export function fakeEncoder() {
  const encodes = calls<AskedEncode>();
  const loads = calls<
    Progressing<ModelInfo, LoadProgress> & { readonly request: ModelRequest; readonly engine: EngineRequest }
  >();
  const downloads = calls<Progressing<StoredModel, DownloadProgress> & { readonly file: ModelFile }>();
  const keeps = calls<Progressing<StoredModel, DownloadProgress> & { readonly file: File; readonly source: string }>();
  const loras = calls<{
    readonly file: File;
    readonly adapterConfig?: string;
    answer(): Promise<void>;
    fail(error: Error): Promise<void>;
  }>();
  const hashes = calls<Asked<string | undefined>>();
  const profiles = calls<Asked<Profile> & { readonly pass: EncoderPass; readonly rows: RowSpan }>();
  const stored: { models: StoredModel[] } = { models: [] };
  const allStored = () => ({ place: 'opfs', models: stored.models, free: 1e9, persisted: false }) as const;
  let nextLora = 100;
  const client: EncoderClient = {
    ...noModels,
    load(request, engine, progress) {
      const { promise, asked } = question<ModelInfo>();
      loads.push({ request, engine, progress, ...asked });
      return promise;
    },
    cancelLoad: vi.fn(),
    weightsHash() {
      const { promise, asked } = question<string | undefined>();
      hashes.push(asked);
      return promise;
    },
    encode(passes, want, options = {}) {
      const { promise, asked } = question<Encoded>();
      const outputs = passes.map(() => blankOutput(want));
      const answer = (milliseconds = 12, untilEos?: number) =>
        asked.answer({ outputs, stats: { milliseconds, rowsComputed: 77, rowsTotal: 77, untilEos }, heldBytes: 2e6 });
      encodes.push({ passes, want, options, answer, fail: asked.fail });
      return promise;
    },
    models: vi.fn(async () => allStored()),
    download(file, progress, signal) {
      const { promise, asked } = question<StoredModel>(signal);
      downloads.push({ file, progress, ...asked });
      return promise;
    },
    keep(file, source, progress, signal) {
      const { promise, asked } = question<StoredModel>(signal);
      keeps.push({ file, source, progress, ...asked });
      return promise;
    },
    profile(pass, rows) {
      const { promise, asked } = question<Profile>();
      profiles.push({ pass, rows, ...asked });
      return promise;
    },
    addLora(file, adapterConfig) {
      const { promise, asked } = question<LoraInfo>();
      const effects = [
        { target: 'text_model.encoder.layers.0.mlp.fc1.weight', delta: 1, weight: 10, relative: 0.1 },
      ] as const;
      const leftOut = { unet: 0, otherEncoders: 0, unused: 0, unsupported: [], unknown: [] };
      const info: LoraInfo = { lora: nextLora++, ranks: [4], kinds: ['LoRA'], effects, finalNorm: [], leftOut };
      loras.push({ file, adapterConfig, answer: () => asked.answer(info), fail: asked.fail });
      return promise;
    },
    removeLora: vi.fn(),
    async deleteModel(model) {
      stored.models = stored.models.filter(({ id }) => id !== model);
      return allStored();
    },
  };
  return {
    client,
    encodes,
    loads,
    downloads,
    keeps,
    loras,
    hashes,
    profiles,
    /** The models that the browser has. */
    stored,
    nextEncode: encodes.next,
    nextLoad: loads.next,
    /** Answers the load that `open` asks for, or has asked for, with a model; ends when `open` does. */
    async load(name: string, size: 'full' | 'tiny', open: () => Promise<void>): Promise<void> {
      const opened = open();
      await (await loads.next()).answer(modelInfo(name, size));
      await opened;
    },
  };
}
export type FakeEncoder = ReturnType<typeof fakeEncoder>;

/** A client whose loads never end. */
export const idleEncoder: EncoderClient = {
  ...noModels,
  load: () => new Promise(() => {}),
  cancelLoad() {},
  encode: () => Promise.reject(new Error('Nothing is loaded.')),
};

/** A client that has one model and answers at once; `asked` gets the passes of each call. */
export function answeringEncoder(
  model: ModelInfo,
  outputOf: (pass: EncoderPass, want: EncoderWant) => EncoderOutput,
  asked: (readonly EncoderPass[])[] = [],
): EncoderClient {
  return {
    ...noModels,
    load: async () => model,
    cancelLoad() {},
    async encode(passes, want) {
      asked.push(passes);
      const outputs = passes.map((pass) => outputOf(pass, want));
      return { outputs, stats: { milliseconds: 1, rowsComputed: 77, rowsTotal: 77 }, heldBytes: 1 };
    },
  };
}

/** Waits for facts that satisfy a condition. */
export function when(store: ClipscopeStore, holds: (facts: Facts) => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (holds(store.getState())) return resolve();
    const unsubscribe = store.subscribe((facts) => {
      if (!holds(facts)) return;
      unsubscribe();
      resolve();
    });
  });
}

/** Waits until the tokenizer is loaded, and the road with it. */
export const tokenized = (store: ClipscopeStore): Promise<void> =>
  when(store, ({ tokenizer }) => tokenizer.phase === 'ready');

/** Waits until everything is encoded that the page asks for. */
export const allEncoded = (store: ClipscopeStore): Promise<void> =>
  when(store, (facts) => encoderStatus(facts).phase === 'ready');

/** Answers encodes until none is asked for; gives how many passes each had. */
export async function answerAll({ encodes }: FakeEncoder): Promise<number[]> {
  const counts: number[] = [];
  while (encodes.waiting > 0) {
    const encode = await encodes.next();
    counts.push(encode.passes.length);
    await encode.answer();
  }
  return counts;
}

/** A page's memory, as localStorage is one; `stored` is the text that the last visit left. */
export function fakeMemory(stored: string | null = null): Memory {
  const texts = new Map(stored === null ? [] : [['clipscope', stored]]);
  return {
    getItem: (key) => texts.get(key) ?? null,
    setItem: (key, value) => void texts.set(key, value),
    removeItem: (key) => void texts.delete(key),
  };
}

/** Messages on the page. */
export const noticesOf = (store: ClipscopeStore): string[] => store.getState().notices.map(({ message }) => message);
