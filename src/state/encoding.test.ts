import { beforeEach, expect, test } from 'vitest';
import { WorkerError } from '../worker/ask.ts';
import { shownEncoded, shownWeighted } from './encoded.ts';
import { encoderStatus, encodingCost } from './encoderStatus.ts';
import { prepared, shownChunk } from './reading.ts';
import type { ClipscopeStore } from './store.ts';
import { answerAll, type FakeEncoder, onCpu, readyPage } from './testing/fakeEncoder.ts';

let fake: FakeEncoder;
let store: ClipscopeStore;
const facts = () => store.getState();
const status = () => encoderStatus(facts());
const cost = () => encodingCost(facts())?.text;
const aborted = () => new WorkerError('AbortError', 'Stopped.');

beforeEach(async () => {
  ({ fake, store } = await readyPage());
});

test('a change of weights alone needs no pass; a change of tokens does', async () => {
  const { setPrompt } = facts();
  setPrompt('positive', 'a (red:1.3) car');
  const encode = await fake.nextEncode();
  await encode.answer();
  setPrompt('positive', 'a (red:0.5) car');
  expect(fake.encodes.waiting).toBe(0);
  // The pass is the identical object, so the pictures of masks and attention are not drawn again.
  expect(shownChunk(facts())?.pass).toBe(encode.passes[0]);
  expect(shownEncoded(facts())?.chunk.perTokenWeights[2]).toBe(0.5);
  setPrompt('positive', 'a (blue:0.5) car');
  expect(fake.encodes.waiting).toBe(1);
});

test('outputs are found again by pass: going back to a prompt needs no pass', async () => {
  const { setPrompt, setOption, prompts } = facts();
  setPrompt('positive', 'a dog');
  await (await fake.nextEncode()).answer();
  setPrompt('positive', prompts.positive);
  setOption('weighting', 'none');
  expect(fake.encodes.waiting).toBe(0);
  expect(status().phase).toBe('ready');
  setOption('mask', 'lecture');
  expect(fake.encodes.waiting).toBe(1);
});

test('first the chunk on show with all its states, then what else the weighting reads', async () => {
  const { setPrompt, setOption, show } = facts();
  setOption('syntax', 'compel');
  expect(facts().options.weighting).toBe('compel-mask');
  await answerAll(fake);
  setPrompt('positive', '("a (cat)0.5", "a dog").and()');
  const first = await fake.nextEncode();
  expect(first).toMatchObject({ passes: [{}], want: { attentions: true } });
  await first.answer();
  expect(status()).toEqual({ phase: 'busy', text: 'Encoding: 3 runs to go' });
  expect(shownEncoded(facts())).toBeDefined();
  expect(shownWeighted(facts())).toBeUndefined();
  const second = await fake.nextEncode();
  expect(second.want).toEqual({ hiddenStates: [], attentions: false });
  expect(second.passes).toHaveLength(3);
  await second.answer();
  expect(status().phase).toBe('ready');
  expect(shownWeighted(facts())?.after).toHaveLength(77 * 64);
  show({ chunk: 1 });
  expect(shownChunk(facts())).toMatchObject({ text: 1, index: 0 });
  expect(await fake.nextEncode()).toMatchObject({ passes: [{}], want: { attentions: true } });
});

test('a processor does one pass at a time, so that what is typed waits for no more', async () => {
  ({ fake, store } = await readyPage(onCpu));
  const { setOption, setPrompt } = facts();
  setOption('weighting', 'compel-mask');
  const encode = await fake.nextEncode();
  expect(encode.passes).toHaveLength(1);
  setPrompt('positive', 'a dog');
  await encode.answer();
  expect((await fake.nextEncode()).passes[0]).toBe(shownChunk(facts())?.pass);
});

test('clip skip asks for its hidden state where that was not read', async () => {
  const { setOption } = facts();
  setOption('weighting', 'comfy');
  const empty = await fake.nextEncode();
  expect(empty.want).toEqual({ hiddenStates: [], attentions: false });
  await empty.answer();
  setOption('clipSkip', 2);
  const again = await fake.nextEncode();
  expect(again.want).toEqual({ hiddenStates: [11], attentions: false });
  expect(again.passes).toEqual(empty.passes);
});

test('a prompt of more passes than memory has room for is encoded once, and then is there', async () => {
  facts().setOption('weighting', 'scale');
  facts().setPrompt('positive', Array.from({ length: 40 }, (_, i) => `${i} cat`).join(' BREAK '));
  expect(await answerAll(fake)).toEqual([1, 8, 8, 8, 8, 7]);
  expect(status().phase).toBe('ready');
});

const firstRows = (width: number) => ({
  outputs: [
    { lastHiddenState: new Float32Array(77 * width), hiddenStates: new Map(), attentions: new Float32Array(77) },
  ],
  ready: [4],
  stats: { milliseconds: 2, rowsComputed: 3, rowsTotal: 77 },
});

test('the rows up to EOS are shown before the padding, and an edit spares the rest', async () => {
  const { setPrompt } = facts();
  setPrompt('positive', 'a dog');
  const rows = firstRows(64);
  const stopped = await fake.nextEncode();
  stopped.options.onRows?.(rows);
  expect(shownEncoded(facts())).toMatchObject({ ready: 4, output: rows.outputs[0] });
  expect(shownWeighted(facts())).toBeUndefined();
  expect(status().phase).toBe('busy');
  expect(stopped.options.signal?.aborted).toBe(false);
  setPrompt('positive', 'a doge');
  expect(stopped.options.signal?.aborted).toBe(true);
  await stopped.fail(aborted());
  expect(facts().encodeFailure).toBeNull();
  const next = await fake.nextEncode();
  next.options.onRows?.(rows);
  await next.answer(30);
  expect(shownEncoded(facts())?.ready).toBeNull();
  expect(facts().started).toBeNull();
  expect(cost()).toContain('took 30 ms: 77 of this chunk’s 77 rows');
});

test('what nobody waits for any more is stopped before its first rows are there, and asked for again where it is undone', async () => {
  const { setPrompt } = facts();
  setPrompt('positive', 'a (dog:1.2)');
  const pass = shownChunk(facts())?.pass;
  const encode = await fake.nextEncode();
  // Weights make no other pass.
  setPrompt('positive', 'a (dog:1.3)');
  expect(encode.options.signal?.aborted).toBe(false);
  setPrompt('positive', 'a doge');
  expect(encode.options.signal?.aborted).toBe(true);
  setPrompt('positive', 'a dog');
  await encode.fail(aborted());
  const again = await fake.nextEncode();
  expect(again.passes[0]).toEqual(pass);
  await again.answer();
  expect(fake.encodes.waiting).toBe(0);
  expect(status().phase).toBe('ready');
});

test('the negative prompt is encoded when it is shown; the rows of both stay on the GPU', async () => {
  const shownPass = () => shownChunk(facts())!.pass;
  facts().setPrompt('negative', 'blurry');
  expect(fake.encodes.waiting).toBe(0);
  const positive = shownPass();
  facts().show({ side: 'negative' });
  const encode = await fake.nextEncode();
  expect(encode.passes).toEqual(prepared(facts(), 'negative')?.chunks.map(({ pass }) => pass));
  expect(encode.options.alsoNeeded).toEqual([shownPass(), positive]);
});

test('the status line says what the last change of the prompts cost, and nothing where it cost nothing', async () => {
  const { setPrompt, setOption, prompts } = facts();
  setPrompt('positive', 'a (dog:1.2)');
  await (await fake.nextEncode()).answer(30);
  expect(cost()).toContain('took 30 ms: 77 of this chunk’s 77 rows');
  for (const free of ['a (dog:1.3)', prompts.positive]) {
    setPrompt('positive', free);
    expect(cost()).toContain('took no encoding');
  }
  // Back and forth, too, whether anybody looks in between or not.
  setOption('mask', 'none');
  await (await fake.nextEncode()).answer(40);
  expect(cost()).toContain('took 40 ms: 77 of this chunk’s 77 rows');
  setOption('mask', 'causal');
  setOption('mask', 'none');
  expect(cost()).toContain('took no encoding');
});

test('an encode is asked for once, however often the facts change meanwhile', () => {
  facts().setPrompt('positive', 'a dog');
  facts().setTheme('dark');
  facts().show({ layer: 3 });
  expect(fake.encodes.waiting).toBe(1);
});

test('what is typed meanwhile is encoded next, and nothing twice', async () => {
  const { setPrompt } = facts();
  for (const prompt of ['a dog', 'a cat', 'a bird']) setPrompt('positive', prompt);
  await (await fake.nextEncode()).answer();
  const next = await fake.nextEncode();
  expect(next.passes[0]).toBe(shownChunk(facts())?.pass);
  setPrompt('positive', 'a dog');
  await next.answer();
  expect(fake.encodes.waiting).toBe(0);
  expect(status().phase).toBe('ready');
});

test('a failed encode is told until the prompt changes', async () => {
  const { setPrompt } = facts();
  setPrompt('positive', 'a cat');
  await (await fake.nextEncode()).fail(new WorkerError('GpuError', 'Out of memory.'));
  expect(status()).toEqual({ phase: 'failed', text: 'Encoding failed: Out of memory.' });
  expect(fake.encodes.waiting).toBe(0);
  setPrompt('positive', 'a bird');
  expect(status().phase).toBe('busy');
  await (await fake.nextEncode()).answer();
  expect(status().phase).toBe('ready');
});

test('only so many outputs are held in memory', async () => {
  for (let i = 0; i < 20; i++) {
    facts().setPrompt('positive', `${i} dogs`);
    await (await fake.nextEncode()).answer();
  }
  // The limit is 96 MB: 14 outputs of 6.4 MB and 14 states of 20 kB each.
  expect([...facts().encoded].map(([, outputs]) => outputs.size)).toEqual([14]);
  expect(status().phase).toBe('ready');
  facts().setPrompt('positive', '5 dogs');
  expect(fake.encodes.waiting).toBe(1);
});

test('chunks shown before keep what the weighting reads, and are encoded with their states again when they come on show', async () => {
  facts().setOption('weighting', 'scale');
  facts().setPrompt('positive', Array.from({ length: 24 }, (_, i) => `${i} cat`).join(' BREAK '));
  await answerAll(fake);
  for (let chunk = 1; chunk < 24; chunk++) {
    facts().show({ chunk });
    await (await fake.nextEncode()).answer();
  }
  const outputs = [...facts().encoded.get('')!.values()];
  expect(outputs.length).toBeGreaterThanOrEqual(24);
  expect(outputs.filter(({ output }) => output.attentions)).toHaveLength(14);
  expect(shownWeighted(facts())?.after).toHaveLength(77 * 64);
  expect(fake.encodes.waiting).toBe(0);
  facts().show({ chunk: 0 });
  expect((await fake.nextEncode()).want.attentions).toBe(true);
});

test('an output of a model that was replaced meanwhile is dropped', async () => {
  facts().setPrompt('positive', 'a dog');
  const old = await fake.nextEncode();
  await fake.load('synthetic-tiny', 'tiny', () => facts().openModel({ kind: 'synthetic', size: 'tiny' }));
  expect(facts().encoded.size).toBe(0);
  await old.answer();
  expect(facts().encoded.size).toBe(0);
  await (await fake.nextEncode()).answer(3.21);
  expect(fake.encodes.waiting).toBe(0);
  expect(status().text).toBe('Ready: made-up weights, tiny');
  expect(cost()).toBe('The last change took 3.2 ms: 77 of this chunk’s 77 rows were computed.');
  facts().setPrompt('positive', 'a cat');
  await (await fake.nextEncode()).answer(240.4, 25.4);
  expect(encodingCost(facts())).toEqual({
    brief: '25 ms, with padding 240 ms',
    text: 'The last change took 25 ms up to EOS, and 240 ms with the padding: 77 of this chunk’s 77 rows were computed.',
  });
});

test('rows that the old model had computed are not shown as the new one’s', async () => {
  facts().setPrompt('positive', 'a dog');
  const opened = facts().openModel({ kind: 'synthetic', size: 'tiny' });
  (await fake.nextEncode()).options.onRows?.(firstRows(768));
  expect(shownEncoded(facts())).toBeDefined();
  await fake.load('synthetic-tiny', 'tiny', () => opened);
  expect(shownEncoded(facts())).toBeUndefined();
});
