import { beforeEach, describe, expect, test } from 'vitest';
import { WorkerError } from '../worker/ask.ts';
import type { Lost, ModelRequest } from '../worker/messages.ts';
import { encoderStatus } from './encoderStatus.ts';
import type { ClipscopeStore } from './store.ts';
import {
  type FakeEncoder,
  fakeMemory,
  modelInfo,
  noticesOf,
  onCpu,
  openPage,
  readyPage,
} from './testing/fakeEncoder.ts';

const file = new File([], 'mine.safetensors');
const why = 'The GPU went away, so the encoder runs on the CPU with 2 threads.';
const inPlaceOfGpu = { ...onCpu, why };
const gone: Lost = { part: 'GPU', reason: 'the driver was reset' };
const wentOn = 'The GPU went away (the driver was reset), so the encoder goes on with the CPU; nothing was lost.';

let fake: FakeEncoder;
let store: ClipscopeStore;
let lose: (lost: Lost) => void;
const facts = () => store.getState();

describe('a GPU that goes away from an automatic engine', () => {
  let request: ModelRequest;
  beforeEach(async () => {
    ({ fake, store, lose } = await readyPage());
    request = { kind: 'file', file };
    await fake.load(file.name, 'full', () => facts().openModel(request));
    await (await fake.nextEncode()).answer();
  });

  test('is followed by the CPU: the same file is loaded, and the encode that was under way is repeated', async () => {
    facts().setPrompt('positive', 'a dog');
    const underway = await fake.nextEncode();
    lose(gone);
    await underway.fail(new WorkerError('GpuError', 'The GPU refused to encode.'));
    expect(encoderStatus(facts())).toEqual({ phase: 'busy', text: 'Loading mine.safetensors' });
    const load = await fake.nextLoad();
    expect(load).toMatchObject({ request, engine: { engine: 'automatic', retriesGpu: false } });
    expect(fake.encodes.waiting).toBe(0);
    await load.answer(modelInfo(file.name, 'full', inPlaceOfGpu));
    const repeated = await fake.nextEncode();
    expect(repeated.passes).toEqual(underway.passes);
    await repeated.answer();
    expect(encoderStatus(facts())).toEqual({ phase: 'ready', text: 'Ready: mine.safetensors' });
    expect(noticesOf(store)).toEqual([wentOn]);
    expect(facts()).toMatchObject({ lost: null, encodeFailure: null, model: { engine: inPlaceOfGpu } });
  });

  test('leaves LoRAs that are open: they are read for the model on the CPU', async () => {
    const lora = new File([], 'style.safetensors');
    void facts().addLora(lora);
    await (await fake.loras.next()).answer();
    lose(gone);
    await (await fake.nextLoad()).answer(modelInfo(file.name, 'full', inPlaceOfGpu));
    const again = await fake.loras.next();
    expect(again.file).toBe(lora);
    await again.answer();
    expect(facts().loras.get('style')?.info).not.toBeNull();
  });

  test('during another load waits for it; where that fails, the model before is loaded again, once', async () => {
    void facts().openModel({ kind: 'file', file: new File([], 'broken.safetensors') });
    const broken = await fake.nextLoad();
    lose(gone);
    expect(fake.loads.waiting).toBe(0);
    await broken.fail(new WorkerError('CheckpointError', 'It is empty.'));
    const again = await fake.nextLoad();
    expect(again.request).toBe(request);
    await again.fail(new WorkerError('NotReadableError', 'It is gone.'));
    expect(fake.loads.waiting).toBe(0);
    expect(noticesOf(store)).toEqual(['It is empty.', 'It is gone.']);
    expect(encoderStatus(facts()).text).toBe('The GPU went away: the driver was reset.');
  });

  test('is asked for again by the notice, and missed again in a sentence', async () => {
    lose(gone);
    await (await fake.nextLoad()).answer(modelInfo(file.name, 'full', inPlaceOfGpu));
    const [{ id, offer }] = facts().notices;
    expect(offer).toEqual({ label: 'Use the GPU again', retriesGpu: true });
    facts().dismiss(id);
    void facts().retryGpu();
    const retry = await fake.nextLoad();
    expect(retry).toMatchObject({ request, engine: { engine: 'automatic', retriesGpu: true } });
    await retry.answer(modelInfo(file.name, 'full', inPlaceOfGpu));
    expect(facts().notices).toMatchObject([{ message: why, offer }]);
    void facts().retryGpu();
    await (await fake.nextLoad()).answer(modelInfo(file.name, 'full'));
    expect(facts().model?.engine.engine).toBe('webgpu');
  });

  test('on a page whose worker dies is left to the person', () => {
    lose({ part: 'worker', reason: 'it ran out of memory' });
    expect(fake.loads.waiting).toBe(0);
  });
});

describe('the choice of the engine', () => {
  beforeEach(async () => {
    ({ fake, store, lose } = await readyPage());
  });
  const choice = () => facts().engineChoice;

  test('loads the model in use on another engine, and not where it runs on that already', async () => {
    await facts().setEngine({ engine: 'webgpu' });
    await facts().setEngine({ threads: 3 });
    await facts().setEngine({ engine: 'automatic' });
    expect(fake.loads.waiting).toBe(0);
    void facts().setEngine({ engine: 'cpu' });
    const onThree = await fake.nextLoad();
    expect(onThree).toMatchObject({ request: { size: 'full' }, engine: { engine: 'cpu', threads: 3 } });
    await onThree.answer(modelInfo('synthetic', 'full', onCpu));
    void facts().setEngine({ threads: 1 });
    const onOne = await fake.nextLoad();
    expect(onOne.engine).toMatchObject({ engine: 'cpu', threads: 1 });
    await onOne.answer(modelInfo('synthetic', 'full', onCpu));
    expect(facts().notices).toEqual([]);
    void facts().setEngine({ engine: 'automatic' });
    expect((await fake.nextLoad()).engine.engine).toBe('automatic');
  });

  test('comes back where the engine is not there, with the model that is in use', async () => {
    const { model } = facts();
    const chosen = facts().setEngine({ engine: 'cpu' });
    await (await fake.nextLoad()).fail(new WorkerError('CpuUnavailableError', 'WebAssembly has no SIMD here.'));
    await chosen;
    expect(facts()).toMatchObject({ model, noEngine: null });
    expect(choice().engine).toBe('automatic');
    expect(noticesOf(store)).toEqual(['WebAssembly has no SIMD here.']);
  });

  test('made while a file is opened has that file loaded, which is then remembered', async () => {
    void facts().openModel({ kind: 'file', file });
    const first = await fake.nextLoad();
    void facts().setEngine({ engine: 'cpu' });
    await first.fail(new WorkerError('AbortError', 'Cancelled.'));
    const second = await fake.nextLoad();
    expect(second.request).toEqual({ kind: 'file', file });
    await second.answer(modelInfo(file.name, 'full', onCpu));
    expect(facts()).toMatchObject({ file, notices: [] });
  });

  test('ends the loss of a GPU', async () => {
    await facts().setEngine({ engine: 'webgpu' });
    lose(gone);
    void facts().setEngine({ engine: 'cpu' });
    await (await fake.nextLoad()).answer(modelInfo('synthetic', 'full', onCpu));
    expect(facts()).toMatchObject({ lost: null, notices: [] });
  });
});

test('the choice of the engine survives a reload; one that is foreign does not', async () => {
  const memory = fakeMemory();
  const { fake, store } = openPage(memory);
  void store.getState().setEngine({ engine: 'cpu', threads: 3 });
  expect((await fake.nextLoad()).engine.engine).toBe('automatic');
  expect(openPage(memory).store.getState().engineChoice).toEqual({ engine: 'cpu', threads: 3 });
  const foreign = fakeMemory(JSON.stringify({ engineChoice: { engine: 'tpu', threads: -1 } }));
  expect(openPage(foreign).store.getState().engineChoice).toEqual({ engine: 'automatic', threads: null });
});
