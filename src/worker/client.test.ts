import { expect, test, vi } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { encoderPass } from '../clip/masks.ts';
import { customFile } from '../models/library/modelSources.ts';
import { createEncoderClient } from './client.ts';
import type { EngineRequest, FromWorker, ModelInfo, StoredModels, ToWorker } from './messages.ts';

/** A worker that answers when it is told to. */
function fakeWorker() {
  const target = new EventTarget();
  const asked: ToWorker[] = [];
  const terminate = vi.fn();
  return {
    asked,
    terminate,
    worker: {
      postMessage: (message: ToWorker) => void asked.push(message),
      addEventListener: target.addEventListener.bind(target),
      terminate,
    } as Pick<Worker, 'postMessage' | 'addEventListener' | 'terminate'>,
    answer: (data: FromWorker) => target.dispatchEvent(new MessageEvent('message', { data })),
    crash: (message: string) => target.dispatchEvent(Object.assign(new Event('error'), { message })),
    ids: (type: ToWorker['type']) => asked.filter((message) => message.type === type).map(({ id }) => id),
  };
}

function connected() {
  const fake = fakeWorker();
  const onLost = vi.fn();
  return { ...fake, onLost, client: createEncoderClient({ startWorker: () => fake.worker, onLost }) };
}

/** A client whose workers can be told apart, and locks that a test gives away. */
function restarting() {
  const workers: ReturnType<typeof fakeWorker>[] = [];
  const onLost = vi.fn();
  const waiting = new Map<string, () => unknown>();
  const locks = {
    request: (name: string, granted: () => unknown) => {
      waiting.set(name, granted);
      return Promise.resolve();
    },
  } as Pick<LockManager, 'request'>;
  const startWorker = () => {
    const fake = fakeWorker();
    workers.push(fake);
    return fake.worker;
  };
  return { workers, onLost, waiting, client: createEncoderClient({ startWorker, onLost, locks }) };
}

const want = { hiddenStates: [], attentions: true };
const pass = (id: number) => encoderPass(Uint32Array.of(49406, id, 49407), 'causal');
const stats = { milliseconds: 1, rowsComputed: 3, rowsTotal: 77 };
const encoded = (id: number): FromWorker => ({
  type: 'answer',
  id,
  answer: { outputs: [{ lastHiddenState: Float32Array.of(id), hiddenStates: new Map() }], stats, heldBytes: 7 },
});
const engine: EngineRequest = { engine: 'automatic', threads: null, retriesGpu: false };
const listed: StoredModels = { place: 'memory', models: [], free: null, persisted: false };
const model: ModelInfo = {
  name: 'synthetic-tiny',
  engine: { engine: 'webgpu', description: 'a GPU', threads: null, software: false, why: null },
  random: true,
  config: clipTiny,
  dtype: 'F32',
  heldBytes: 1,
  finalLayerNorm: { weight: new Float32Array(64), bias: new Float32Array(64) },
};

test('answers go to the request with their id, in whatever order they come', async () => {
  const { client, answer, ids } = connected();
  const stored = client.models();
  const output = client.encode([pass(1)], want);
  answer(encoded(ids('encode')[0]));
  answer({ type: 'answer', id: ids('models')[0], answer: listed });
  expect(await output).toMatchObject({ stats, heldBytes: 7 });
  expect(await stored).toBe(listed);
});

test('the hash of the weights in use is asked for by itself, and may be none', async () => {
  const { client, answer, ids } = connected();
  const [first, second] = [client.weightsHash(), client.weightsHash()];
  const [a, b] = ids('weightsHash');
  answer({ type: 'answer', id: b, answer: undefined });
  answer({ type: 'answer', id: a, answer: 'ab' });
  expect(await Promise.all([first, second])).toEqual(['ab', undefined]);
});

test('rows that are told of first go to who asked, and an abort asks the worker to stop', async () => {
  const { client, answer, asked, ids } = connected();
  const abort = new AbortController();
  const onRows = vi.fn();
  const output = client.encode([pass(1)], want, { onRows, signal: abort.signal });
  const [id] = ids('encode');
  expect(asked.at(-1)).toMatchObject({ type: 'encode', request: { rowsFirst: true } });
  answer({ type: 'news', id, news: { outputs: [], ready: [4], stats } });
  expect(onRows).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ ready: [4], stats }));
  abort.abort();
  expect(asked.at(-1)).toEqual({ type: 'cancel', id });
  answer({ type: 'failed', id, name: 'AbortError', message: 'Stopped.' });
  await expect(output).rejects.toMatchObject({ name: 'AbortError' });
});

test('a failed encode keeps its name and sentence', async () => {
  const { client, answer, ids } = connected();
  const failing = client.encode([pass(1)], want);
  answer({ type: 'failed', id: ids('encode')[0], name: 'GpuError', message: 'Out of memory.' });
  await expect(failing).rejects.toMatchObject({ name: 'GpuError', message: 'Out of memory.' });
});

test('a load reports its own progress and no other load’s', async () => {
  const { client, answer, ids } = connected();
  const progress = vi.fn();
  const load = client.load({ kind: 'synthetic', size: 'tiny' }, engine, progress);
  const [id] = ids('load');
  answer({ type: 'news', id: id + 100, news: { done: 9, total: 9 } });
  answer({ type: 'news', id, news: { done: 1, total: 2 } });
  answer({ type: 'answer', id, answer: model });
  expect(await load).toBe(model);
  answer({ type: 'news', id, news: { done: 2, total: 2 } });
  expect(progress.mock.calls).toEqual([[{ done: 1, total: 2 }]]);
});

test('a new load cancels the one in progress; a finished one needs no cancelling', async () => {
  const { client, answer, asked, ids } = connected();
  const first = client.load({ kind: 'synthetic', size: 'full' }, engine, () => {});
  const second = client.load({ kind: 'synthetic', size: 'tiny' }, engine, () => {});
  const [one, two] = ids('load');
  expect(asked.map(({ type, id }) => [type, id])).toEqual([
    ['load', one],
    ['cancel', one],
    ['load', two],
  ]);
  answer({ type: 'failed', id: one, name: 'AbortError', message: 'Cancelled.' });
  await expect(first).rejects.toMatchObject({ name: 'AbortError' });
  client.cancelLoad();
  expect(ids('cancel')).toEqual([one, two]);
  answer({ type: 'answer', id: two, answer: model });
  await second;
  client.cancelLoad();
  expect(ids('cancel')).toEqual([one, two]);
});

const file = customFile('https://example.com/model.safetensors')!;
const storedModel = {
  id: 'model',
  name: 'model.safetensors',
  source: file.urls[0],
  bytes: 9,
  stored: 9,
  complete: true,
  addedAt: 0,
  sha256: 'ab',
};
const stored: StoredModels = { place: 'opfs', models: [storedModel], free: 5, persisted: true };

test('downloads run beside each other and beside loads, each with its own progress', async () => {
  const { client, answer, ids } = connected();
  const { signal } = new AbortController();
  const [one, two] = [vi.fn(), vi.fn()];
  const first = client.download(file, one, signal);
  const second = client.download(file, two, signal);
  const load = client.load({ kind: 'synthetic', size: 'tiny' }, engine, () => {});
  const [a, b] = ids('download');
  const progress = (done: number) => ({ done, total: 9, verifying: false });
  answer({ type: 'news', id: b, news: progress(2) });
  answer({ type: 'news', id: a, news: progress(1) });
  answer({ type: 'answer', id: a, answer: storedModel });
  answer({ type: 'answer', id: ids('load')[0], answer: model });
  expect(await first).toBe(storedModel);
  answer({ type: 'news', id: a, news: progress(3) });
  expect(await load).toBe(model);
  answer({ type: 'failed', id: b, name: 'DownloadError', message: 'Not there.', fault: 'not found' });
  await expect(second).rejects.toMatchObject({ name: 'DownloadError', message: 'Not there.', fault: 'not found' });
  expect([one.mock.calls, two.mock.calls]).toEqual([[[progress(1)]], [[progress(2)]]]);
});

test('aborting pauses a download, once, and only while it runs', async () => {
  const { client, answer, ids } = connected();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = client.download(file, () => {}, one.signal);
  const second = client.download(file, () => {}, two.signal);
  const [a, b] = ids('download');
  one.abort();
  expect(ids('cancel')).toEqual([a]);
  answer({ type: 'failed', id: a, name: 'AbortError', message: 'Paused.' });
  await expect(first).rejects.toMatchObject({ name: 'AbortError' });
  answer({ type: 'answer', id: b, answer: storedModel });
  await second;
  two.abort();
  expect(ids('cancel')).toEqual([a]);
  await expect(client.download(file, () => {}, one.signal)).rejects.toMatchObject({ name: 'AbortError' });
  expect(ids('download')).toHaveLength(2);
});

test('a file is kept with progress, beside downloads, until that is aborted', async () => {
  const { client, answer, asked, ids } = connected();
  const abort = new AbortController();
  const [hear, hearOther] = [vi.fn(), vi.fn()];
  const opened = new File([], 'model.ckpt');
  const kept = client.keep(opened, 'weights:ab', hear, abort.signal);
  const downloaded = client.download(file, hearOther, new AbortController().signal);
  const [id] = ids('keep');
  expect(asked[0]).toEqual({ type: 'keep', id, request: { file: opened, source: 'weights:ab' } });
  answer({ type: 'news', id, news: { done: 1, total: 9, verifying: false } });
  abort.abort();
  expect(ids('cancel')).toEqual([id]);
  answer({ type: 'failed', id, name: 'StorageError', message: 'No room.', fault: 'quota' });
  answer({ type: 'answer', id: ids('download')[0], answer: storedModel });
  await expect(kept).rejects.toMatchObject({ message: 'No room.', fault: 'quota' });
  expect(await downloaded).toBe(storedModel);
  expect([hear.mock.calls.length, hearOther.mock.calls.length]).toEqual([1, 0]);
});

test('examinations run beside loads, each with its own progress, and end when aborted', async () => {
  const { client, answer, ids } = connected();
  const progress = { done: 1, total: 2 };
  const model = { kind: 'stored', model: 'a', name: 'A' } as const;
  const [one, two] = [vi.fn(), vi.fn()];
  const [first, second] = [new AbortController(), new AbortController()];
  const examined = client.examine(model, one, first.signal);
  const drifted = client.drift(model, { ...model, model: 'b' }, two, second.signal);
  const [a, b] = [...ids('examine'), ...ids('drift')];
  answer({ type: 'news', id: b, news: progress });
  expect([one.mock.calls, two.mock.calls]).toEqual([[], [[progress]]]);
  first.abort();
  expect(ids('cancel')).toEqual([a]);
  answer({ type: 'failed', id: a, name: 'AbortError', message: 'Ended.' });
  await expect(examined).rejects.toMatchObject({ name: 'AbortError' });
  const none = { difference: 0, norm: 1, relative: 0 };
  const drift = { tensors: new Map(), embeddings: none, layers: [], finalLayerNorm: none, whole: none };
  answer({ type: 'answer', id: b, answer: drift });
  expect(await drifted).toBe(drift);
  second.abort();
  expect(ids('cancel')).toEqual([a]);
});

test('what is stored is asked for, and answers a deletion', async () => {
  const { client, answer, asked, ids } = connected();
  const models = client.models();
  answer({ type: 'answer', id: ids('models')[0], answer: stored });
  expect(await models).toBe(stored);
  const left = client.deleteModel('model');
  expect(asked.at(-1)).toMatchObject({ type: 'deleteModel', request: { model: 'model' } });
  answer({ type: 'answer', id: ids('deleteModel')[0], answer: { ...stored, models: [] } });
  expect((await left).models).toEqual([]);
});

test('a worker that stops fails everything that is open, and the next call starts another', async () => {
  const { client, workers, onLost } = restarting();
  const open = [client.models(), client.encode([pass(1)], want)];
  workers[0].crash('Uncaught Error: no memory.');
  for (const request of open)
    await expect(request).rejects.toMatchObject({
      name: 'WorkerStoppedError',
      message: "The encoder's worker stopped: Uncaught Error: no memory.",
    });
  expect(onLost.mock.calls).toEqual([[{ part: 'worker', reason: 'Uncaught Error: no memory' }]]);
  expect(workers[0].terminate).toHaveBeenCalledOnce();
  const stored = client.models();
  expect(workers).toHaveLength(2);
  // An error of the worker before is none of this one.
  workers[0].crash('late');
  workers[1].answer({
    type: 'answer',
    id: workers[1].ids('models')[0],
    answer: listed,
  });
  expect(await stored).toBe(listed);
  expect(onLost).toHaveBeenCalledOnce();
});

test('a worker that cannot be started is one sentence', async () => {
  const { client, workers } = restarting();
  const stored = client.models();
  workers[0].crash('');
  await expect(stored).rejects.toThrow(/^The encoder's worker stopped: it could not be started\.$/);
});

test('a worker that ends without a word is missed by its lock', async () => {
  const { client, workers, onLost, waiting } = restarting();
  const output = client.encode([pass(1)], want);
  workers[0].answer({ type: 'alive', lock: 'first' });
  expect(onLost).not.toHaveBeenCalled();
  waiting.get('first')!();
  await expect(output).rejects.toMatchObject({ name: 'WorkerStoppedError' });
  expect(onLost.mock.calls).toEqual([[{ part: 'worker', reason: 'the browser ended it, perhaps for want of memory' }]]);
});

test('a call that is cancelled after its worker died starts no other', async () => {
  const { client, workers } = restarting();
  const abort = new AbortController();
  const output = client.encode([pass(1)], want, { signal: abort.signal });
  workers[0].crash('gone');
  abort.abort();
  await expect(output).rejects.toThrow('gone');
  expect(workers).toHaveLength(1);
});

test('a lost GPU is told, once, and answers no request', async () => {
  const { client, answer, onLost, ids } = connected();
  const output = client.encode([pass(1)], want);
  answer({ type: 'lost', lost: { part: 'GPU', reason: 'The driver was reset' } });
  expect(onLost.mock.calls).toEqual([[{ part: 'GPU', reason: 'The driver was reset' }]]);
  answer({ type: 'failed', id: ids('encode')[0], name: 'GpuError', message: 'Lost.' });
  await expect(output).rejects.toThrow('Lost.');
});
