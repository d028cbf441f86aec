import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import type { EncoderOutput } from '../clip/encoderPass.ts';
import { encoderPass } from '../clip/masks.ts';
import type { EncodeOptions, EncodeRun } from '../engine/encodeRun.ts';
import type { Encoder } from '../engine/encoder.ts';
import { fromFloat32 } from '../files/dtypes.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { GpuError } from '../gpu/gpuError.ts';
import { createHandlers, type Surroundings } from './handlers.ts';
import type { CallName, Calls, FromWorker, ModelInfo, ToWorker } from './messages.ts';
import { serve } from './serve.ts';

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function deferred<T>(): Deferred<T> {
  let settle = {} as Omit<Deferred<T>, 'promise'>;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle };
}

/** A list that a test takes from in order, waiting for what is not there yet. */
function inbox<T>() {
  const arrived: T[] = [];
  const waiting: ((item: T) => void)[] = [];
  return {
    put(item: T) {
      const next = waiting.shift();
      if (next) next(item);
      else arrived.push(item);
    },
    take: () => (arrived.length > 0 ? Promise.resolve(arrived.shift()!) : new Promise<T>((take) => waiting.push(take))),
  };
}

const pass = encoderPass(Uint32Array.of(49406, 320, 49407), 'causal');
const encodeRequest = { passes: [pass], want: { hiddenStates: [], attentions: false }, loras: [], alsoNeeded: [] };
const output = (): EncoderOutput => ({ lastHiddenState: new Float32Array(4), hiddenStates: new Map() });
const finished = (): EncodeRun => ({ outputs: [output()], rows: 3, milliseconds: 1 });

interface FakeEncode extends Deferred<EncodeRun> {
  readonly options: EncodeOptions;
}

/** An encoder whose encodes end when the test says so, or when they are cancelled. */
function fakeEncoder() {
  const encodes = inbox<FakeEncode>();
  const destroy = vi.fn();
  const encoder = {
    config: clipTiny,
    dtype: 'F32',
    weightBytes: 100,
    mergedBytes: 10,
    activationBytes: 1,
    finalLayerNorm: { weight: new Float32Array(64), bias: new Float32Array(64) },
    encode(_passes: unknown, _want: unknown, options: EncodeOptions) {
      const encode = deferred<EncodeRun>();
      options.signal?.addEventListener('abort', () => encode.reject(options.signal!.reason));
      encodes.put({ options, ...encode });
      return encode.promise;
    },
    compile: async () => {},
    destroy,
  };
  return { encoder: encoder as unknown as Encoder, encodes, destroy };
}

interface FakeLoad extends Deferred<Encoder> {
  readonly on: 'GPU' | 'CPU';
  readonly threads?: number;
  readonly onProgress: (done: number, total: number) => void;
  /** Ends a thread of the encoder; on the CPU only. */
  readonly onLost: (reason: string) => void;
}

/**
 * Handlers behind `serve` with a fake GPU and a fake CPU engine: `ask` makes a call and gives its id and its answer. There are
 * as many devices as `adapters`, which are lost in turn.
 */
function worker({
  gpu = true,
  adapters = Number.POSITIVE_INFINITY,
  description = 'a fake',
  fetchSmallModel = async () => new Response(null, { status: 404 }),
} = {}) {
  const loads = inbox<FakeLoad>();
  const devices: Deferred<{ message: string; reason: string }>[] = [];
  const onLost = vi.fn();
  const requestDevice = async () => {
    const lost = deferred<{ message: string; reason: string }>();
    devices.push(lost);
    return { lost: lost.promise, features: new Set() };
  };
  const requestAdapter = async () =>
    adapters-- > 0 ? { info: { description }, features: new Set(), requestDevice } : null;
  const load = (on: FakeLoad['on'], { signal, onProgress, threads, onLost }: Record<string, unknown>) => {
    const load = deferred<Encoder>();
    (signal as AbortSignal).addEventListener('abort', () => load.reject((signal as AbortSignal).reason));
    const calls = { onProgress, onLost } as Pick<FakeLoad, 'onProgress' | 'onLost'>;
    loads.put({ on, threads: threads as number, ...calls, ...load });
    return load.promise;
  };
  const surroundings = {
    gpu: gpu ? { requestAdapter } : undefined,
    quota: undefined,
    fetchSmallModel,
    storage: () => Promise.reject(new Error('There is no storage.')),
    createGpuEncoder: (_device: unknown, _source: unknown, options: Record<string, unknown>) => load('GPU', options),
    createCpuEncoder: async (_source: unknown, options: { threads?: number }) => {
      const encoder = await load('CPU', options);
      return { encoder, threads: options.threads ?? 2, relaxed: true };
    },
    tuningOf: async () => ({ kernel: 'matmul' }),
    onLost,
  } as unknown as Surroundings;
  const posted: { message: FromWorker; transfer: Transferable[] }[] = [];
  const answer = serve(createHandlers(surroundings), (message, transfer = []) => posted.push({ message, transfer }));
  let nextId = 0;
  function ask<Name extends CallName>(type: Name, request: Calls[Name]['request']) {
    const id = nextId++;
    const answered = answer({ type, id, request } as ToWorker).then(
      () => posted.findLast(({ message }) => 'id' in message && message.id === id)!.message,
    );
    return { id, answered };
  }
  const cancel = (id: number) => answer({ type: 'cancel', id });
  async function loadModel(fake = fakeEncoder()) {
    const { answered } = ask('load', tiny);
    (await loads.take()).resolve(fake.encoder);
    await answered;
    return fake;
  }
  /** Loses the newest device. */
  async function lose(message: string) {
    const { promise, resolve } = devices.at(-1)!;
    resolve({ message, reason: 'unknown' });
    await promise;
  }
  return { ask, cancel, loads, loadModel, posted, lose, onLost };
}

const tiny = {
  model: { kind: 'synthetic', size: 'tiny' },
  engine: { engine: 'webgpu', threads: null, retriesGpu: false },
} as const;
const automatic = { ...tiny, engine: { ...tiny.engine, engine: 'automatic' } } as const;
const onCpu = { ...tiny, engine: { ...tiny.engine, engine: 'cpu' } } as const;

const small = { ...tiny, model: { kind: 'small' } } as const;

test('the small model is fetched when it is asked for, and says which words it knows', async () => {
  const fetchSmallModel = vi.fn(async () => new Response(readFileSync('public/small-clip/model.safetensors')));
  const { ask, loads } = worker({ fetchSmallModel });
  const { answered } = ask('load', small);
  (await loads.take()).resolve(fakeEncoder().encoder);
  const { answer } = (await answered) as { answer: ModelInfo };
  expect(answer).toMatchObject({ name: 'small CLIP of shapes, trained by clipscope', random: false });
  const [circle, dragon] = [7117, 5471];
  expect([circle, dragon, 49406, 49407].map((id) => answer.knownIds!.has(id))).toEqual([true, false, true, true]);
  expect(fetchSmallModel).toHaveBeenCalledTimes(1);
});

test.each([
  ['is not there', async () => new Response(null, { status: 404 }), 'the server answers 404'],
  ['is out of reach', () => Promise.reject(new TypeError('Failed to fetch')), 'Failed to fetch'],
])('a small model that %s is one sentence', async (_, fetchSmallModel, why) => {
  expect(await worker({ fetchSmallModel }).ask('load', small).answered).toMatchObject({
    type: 'failed',
    name: 'SmallModelError',
    message: `The small model that comes with the page could not be fetched (${why}).`,
  });
});

test.each([
  ['WebGPU', { gpu: false }, /^This browser has no WebGPU; use one that has it, or choose the CPU\.$/],
  ['an adapter', { adapters: 0 }, /^WebGPU finds no graphics adapter; update.*, or choose the CPU\.$/],
])('without %s a load on WebGPU fails with the name and the sentence of the error', async (_, machine, message) => {
  const { ask } = worker(machine);
  expect(await ask('load', tiny).answered).toMatchObject({
    type: 'failed',
    name: 'WebGpuUnavailableError',
    message: expect.stringMatching(message),
  });
});

test.each([
  ['the browser has no WebGPU', { gpu: false }, 'This browser has no WebGPU'],
  ['there is no adapter', { adapters: 0 }, 'WebGPU finds no graphics adapter'],
  [
    'the only adapter is no GPU',
    { description: 'SwiftShader' },
    'The only WebGPU adapter here is SwiftShader, a processor in the place of a GPU',
  ],
])('automatic takes the CPU where %s, and says why', async (_, machine, reason) => {
  const { ask, loads } = worker(machine);
  const { answered } = ask('load', automatic);
  const load = await loads.take();
  expect(load).toMatchObject({ on: 'CPU', threads: undefined });
  load.resolve(fakeEncoder().encoder);
  expect(await answered).toMatchObject({
    answer: {
      engine: {
        engine: 'cpu',
        description: 'CPU, 2 threads, relaxed SIMD',
        why: `${reason}, so the encoder runs on the CPU with 2 threads.`,
      },
    },
  });
});

test('automatic takes a GPU that is there; the CPU takes as many threads as are asked for', async () => {
  const { ask, loads } = worker();
  const first = ask('load', automatic);
  const onGpu = await loads.take();
  expect(onGpu.on).toBe('GPU');
  onGpu.resolve(fakeEncoder().encoder);
  const engine = { engine: 'webgpu', description: 'a fake', threads: null, software: false, why: null };
  expect(await first.answered).toMatchObject({ answer: { engine } });
  const second = ask('load', { ...onCpu, engine: { ...onCpu.engine, threads: 1 } });
  const load = await loads.take();
  expect(load).toMatchObject({ on: 'CPU', threads: 1 });
  load.resolve(fakeEncoder().encoder);
  expect(await second.answered).toMatchObject({
    answer: { engine: { engine: 'cpu', description: 'CPU, 1 thread, relaxed SIMD', why: null } },
  });
});

test('a GPU that is not up to a model: automatic takes the CPU, a choice of WebGPU is told', async () => {
  const { ask, loads } = worker();
  const small = () => new GpuError('The GPU has not enough memory for "synthetic-tiny".');
  const { answered } = ask('load', automatic);
  (await loads.take()).reject(small());
  (await loads.take()).resolve(fakeEncoder().encoder);
  expect(await answered).toMatchObject({
    answer: {
      engine: {
        why: 'The GPU has not enough memory for "synthetic-tiny", so the encoder runs on the CPU with 2 threads.',
      },
    },
  });
  const chosen = ask('load', tiny);
  (await loads.take()).reject(small());
  expect(await chosen.answered).toMatchObject({ type: 'failed', name: 'GpuError' });
  const damaged = ask('load', automatic);
  (await loads.take()).reject(new RangeError('The file is damaged.'));
  expect(await damaged.answered).toMatchObject({ type: 'failed', name: 'RangeError' });
});

test('a load tells its progress, at most 60 times, and answers with the model', async () => {
  const { ask, loads, posted } = worker();
  const { id, answered } = ask('load', tiny);
  const load = await loads.take();
  for (let done = 1; done <= 1000; done++) load.onProgress(done, 1000);
  load.resolve(fakeEncoder().encoder);
  expect(await answered).toMatchObject({ type: 'answer', id, answer: { name: 'synthetic-tiny', heldBytes: 111 } });
  const news = posted.filter(({ message }) => message.type === 'news');
  expect(news.length).toBeLessThanOrEqual(60);
  expect(news.at(-1)!.message).toEqual({ type: 'news', id, news: { done: 1000, total: 1000 } });
});

test('a newer load ends the one before, and the model in use stays until the new one is whole', async () => {
  const { ask, loads, loadModel } = worker();
  const first = await loadModel();
  const second = ask('load', tiny);
  await loads.take();
  const third = ask('load', tiny);
  expect(await second.answered).toMatchObject({ type: 'failed', name: 'AbortError' });
  expect(first.destroy).not.toHaveBeenCalled();
  (await loads.take()).resolve(fakeEncoder().encoder);
  expect(await third.answered).toMatchObject({ type: 'answer' });
  expect(first.destroy).toHaveBeenCalledTimes(1);
});

test('a cancelled load ends in an AbortError, and the model before it is still used', async () => {
  const { ask, cancel, loads, loadModel } = worker();
  const { encodes } = await loadModel();
  const { id, answered } = ask('load', tiny);
  await loads.take();
  await cancel(id);
  expect(await answered).toMatchObject({ type: 'failed', name: 'AbortError' });
  const encode = ask('encode', { ...encodeRequest, rowsFirst: false });
  (await encodes.take()).resolve(finished());
  expect(await encode.answered).toMatchObject({ type: 'answer', answer: { heldBytes: 111 } });
});

test('an encode tells rows first where that is asked for, and moves its arrays', async () => {
  const { ask, loadModel, posted } = worker();
  const { encodes } = await loadModel();
  const { id, answered } = ask('encode', { ...encodeRequest, rowsFirst: true });
  const encode = await encodes.take();
  const start = { ...finished(), milliseconds: 0.5, ready: [2] };
  encode.options.onRows!(start);
  const run = finished();
  encode.resolve(run);
  const stats = { milliseconds: 1, rowsComputed: 3, rowsTotal: 77 };
  expect(await answered).toMatchObject({ answer: { outputs: run.outputs, stats: { ...stats, untilEos: 0.5 } } });
  const [rows, answer] = posted.filter(({ message }) => 'id' in message && message.id === id);
  expect(rows.message).toMatchObject({ type: 'news', news: { ready: [2], stats: { ...stats, milliseconds: 0.5 } } });
  expect(rows.transfer).toEqual([start.outputs[0].lastHiddenState.buffer]);
  expect(answer.transfer[0]).toBe(run.outputs[0].lastHiddenState.buffer);
});

test('a cancelled encode ends in an AbortError; to cancel what is answered does nothing', async () => {
  const { ask, cancel, loadModel } = worker();
  const { encodes } = await loadModel();
  const { id, answered } = ask('encode', { ...encodeRequest, rowsFirst: false });
  expect((await encodes.take()).options.onRows).toBeUndefined();
  await cancel(id);
  expect(await answered).toMatchObject({ type: 'failed', name: 'AbortError' });
  await cancel(id);
});

test('without a model an encode says so', async () => {
  const { ask } = worker();
  for (const call of [ask('encode', { ...encodeRequest, rowsFirst: false }), ask('weightsHash', {})])
    expect(await call.answered).toMatchObject({ type: 'failed', message: 'No encoder is loaded.' });
});

/** A LoRA of rank 1 on a projection of the tiny model. */
function loraFile(): File {
  const name = 'lora_te_text_model_encoder_layers_0_self_attn_q_proj';
  const row = fromFloat32(new Float32Array(64).fill(0.5), 'F32');
  const bytes = writeSafetensors([
    { name: `${name}.lora_down.weight`, dtype: 'F32', shape: [1, 64], data: row },
    { name: `${name}.lora_up.weight`, dtype: 'F32', shape: [64, 1], data: row },
  ]);
  return new File([bytes as Uint8Array<ArrayBuffer>], 'style.safetensors');
}

test('a LoRA is held for the model in use: encodes name it until it is removed or another model is loaded', async () => {
  const { ask, loadModel } = worker();
  const early = await ask('addLora', { file: loraFile() }).answered;
  expect(early).toMatchObject({ type: 'failed', message: expect.stringContaining('before a model is loaded') });
  const addLora = async () => {
    const added = await ask('addLora', { file: loraFile() }).answered;
    expect(added).toMatchObject({ type: 'answer', answer: { ranks: [1] } });
    return ((added as Extract<FromWorker, { type: 'answer' }>).answer as { lora: number }).lora;
  };
  const encodeWith = (lora: number) =>
    ask('encode', { ...encodeRequest, rowsFirst: false, loras: [{ lora, multiplier: 0.5 }] });
  const { encodes } = await loadModel();
  const lora = await addLora();
  const encode = encodeWith(lora);
  const { options, resolve } = await encodes.take();
  expect(options.loras).toMatchObject([
    {
      multiplier: 0.5,
      updates: [{ target: 'text_model.encoder.layers.0.self_attn.q_proj.weight', change: { rank: 1 } }],
    },
  ]);
  resolve(finished());
  await encode.answered;
  await ask('removeLora', { lora }).answered;
  expect(await encodeWith(lora).answered).toMatchObject({
    type: 'failed',
    message: expect.stringContaining('removed'),
  });
  const second = await addLora();
  await loadModel();
  expect(await encodeWith(second).answered).toMatchObject({ type: 'failed' });
});

test('a browser that gives no GPU again after one went away is told as that', async () => {
  const { ask, loadModel, lose } = worker({ adapters: 1 });
  await loadModel();
  await lose('It crashed.');
  expect(await ask('load', tiny).answered).toMatchObject({
    type: 'failed',
    name: 'WebGpuUnavailableError',
    message: expect.stringMatching(/^The browser gives this page no GPU since it went away; wait two minutes/),
  });
});

test('a lost GPU is told once; a load on it fails, and so does every encode until the next load', async () => {
  const { ask, loads, loadModel, lose, onLost } = worker();
  await loadModel();
  const { answered } = ask('load', tiny);
  const load = await loads.take();
  await lose('The driver was reset.');
  const { encoder, destroy } = fakeEncoder();
  load.resolve(encoder);
  expect(await answered).toMatchObject({ type: 'failed', message: expect.stringContaining('went away') });
  expect(destroy).toHaveBeenCalledTimes(1);
  expect(onLost.mock.calls).toEqual([[{ part: 'GPU', reason: 'The driver was reset' }]]);
  const encode = await ask('encode', { ...encodeRequest, rowsFirst: false }).answered;
  expect(encode).toMatchObject({ type: 'failed', message: 'No encoder is loaded.' });
});

test('a GPU that is lost during an automatic load: the CPU goes on with it, and keeps at it until the GPU is asked for', async () => {
  const { ask, loads, lose } = worker();
  const first = ask('load', automatic);
  const load = await loads.take();
  await lose('The driver was reset.');
  load.reject(new DOMException('The buffer cannot be mapped.', 'OperationError'));
  const goesOn = await loads.take();
  expect(goesOn.on).toBe('CPU');
  goesOn.resolve(fakeEncoder().encoder);
  expect(await first.answered).toMatchObject({
    answer: { engine: { why: expect.stringMatching(/^The GPU went away while "synthetic-tiny" was loaded, so/) } },
  });
  const second = ask('load', automatic);
  const again = await loads.take();
  expect(again.on).toBe('CPU');
  again.resolve(fakeEncoder().encoder);
  expect(await second.answered).toMatchObject({
    answer: { engine: { why: 'The GPU went away, so the encoder runs on the CPU with 2 threads.' } },
  });
  ask('load', { ...automatic, engine: { ...automatic.engine, retriesGpu: true } });
  expect((await loads.take()).on).toBe('GPU');
});

test('a thread that ends takes the model in use with it, which is told once; one that ends in a load fails that alone', async () => {
  const { ask, loads, onLost } = worker();
  const first = ask('load', onCpu);
  const load = await loads.take();
  const used = fakeEncoder();
  load.resolve(used.encoder);
  await first.answered;
  const second = ask('load', onCpu);
  const failing = await loads.take();
  failing.onLost('no memory');
  failing.reject(new Error('no memory'));
  expect(await second.answered).toMatchObject({ type: 'failed', message: 'no memory' });
  expect(onLost).not.toHaveBeenCalled();
  for (const reason of ['it ended', 'another, too']) load.onLost(reason);
  expect(onLost.mock.calls).toEqual([[{ part: 'thread', reason: 'it ended' }]]);
  expect(used.destroy).toHaveBeenCalledTimes(1);
  const encode = await ask('encode', { ...encodeRequest, rowsFirst: false }).answered;
  expect(encode).toMatchObject({ type: 'failed', message: 'No encoder is loaded.' });
});

test('a GPU that is lost while the CPU runs the model is no loss', async () => {
  const { ask, loads, loadModel, lose, onLost } = worker();
  await loadModel();
  const { answered } = ask('load', onCpu);
  const { encoder, encodes } = fakeEncoder();
  (await loads.take()).resolve(encoder);
  await answered;
  await lose('The driver was reset.');
  expect(onLost).not.toHaveBeenCalled();
  const encode = ask('encode', { ...encodeRequest, rowsFirst: false });
  (await encodes.take()).resolve(finished());
  expect(await encode.answered).toMatchObject({ type: 'answer' });
});
