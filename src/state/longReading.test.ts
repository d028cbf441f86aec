import { afterEach, expect, test, vi } from 'vitest';
import { passKey } from '../clip/encoderPass.ts';
import { preparePrompt } from '../road/pipeline.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import { encoderStatus } from './encoderStatus.ts';
import type { Facts } from './facts.ts';
import { isBeingRead, prepared } from './reading.ts';
import { createClipscopeStore } from './store.ts';
import { fakeMemory, idleEncoder, readyPage, tokenized, tokenizer, when } from './testing/fakeEncoder.ts';

afterEach(() => void vi.restoreAllMocks());

const long = '(a:0.9) '.repeat(2_000);
const isRead = (facts: Facts) => !isBeingRead(facts, 'positive');

/** Lists what a prompt was read as, without the objects that its parts share. */
const summary = (read: PreparedPrompt | undefined) =>
  read && {
    ...{ source: read.source, refusal: read.refusal, diagnostics: read.diagnostics, networks: read.networks },
    chunks: read.chunks.map(({ chunk, pass, text, index }) => [passKey(pass), text, index, chunk.tokens.length]),
    applied: read.texts.map(({ applied }) => applied.map((weights) => weights.join())),
  };

/** Every reading that arrives from now on, by its text. */
function arrivals(store: Awaited<ReturnType<typeof readyPage>>['store']): string[] {
  const seen: string[] = [];
  store.subscribe(({ longReadings: { positive } }, before) => {
    if (positive && positive !== before.longReadings.positive) seen.push(positive.prepared.source);
  });
  return seen;
}

test('a long prompt is there at once and its reading later, the same as one that is read at once', async () => {
  const { store } = await readyPage();
  store.getState().setPrompt('positive', long);
  expect(store.getState().prompts.positive).toBe(long);
  expect(prepared(store.getState(), 'positive')).toBeUndefined();
  expect(encoderStatus(store.getState())).toEqual({ phase: 'busy', text: 'Reading the prompt' });
  // The other prompt is not held up.
  expect(prepared(store.getState(), 'negative')).toBeDefined();
  await when(store, isRead);
  const { options } = store.getState();
  expect(summary(prepared(store.getState(), 'positive'))).toEqual(summary(preparePrompt(long, options, tokenizer)));
  expect(prepared(store.getState(), 'positive')).toBe(prepared(store.getState(), 'positive'));
});

test('what is typed meanwhile is read in its place: the latest arrives and no other', async () => {
  const { store } = await readyPage();
  const seen = arrivals(store);
  for (const key of ['x', 'xy', 'xyz']) {
    store.getState().setPrompt('positive', `${long}${key}`);
    await new Promise((resolve) => setTimeout(resolve));
  }
  await when(store, isRead);
  expect(seen).toEqual([`${long}xyz`]);
  expect(prepared(store.getState(), 'positive')?.source).toBe(`${long}xyz`);
});

test('a short prompt in its place is read at once, and nothing arrives after it', async () => {
  const { store } = await readyPage();
  const seen = arrivals(store);
  store.getState().setPrompt('positive', long);
  store.getState().setPrompt('positive', 'a cat');
  expect(prepared(store.getState(), 'positive')?.source).toBe('a cat');
  store.getState().setPrompt('negative', long);
  await when(store, (facts) => !isBeingRead(facts, 'negative'));
  expect(seen).toEqual([]);
  store.getState().setPrompt('negative', '');
  expect(store.getState().longReadings).toEqual({ positive: null, negative: null });
});

test('another option has a long prompt read anew, and the reading before is not shown for it', async () => {
  const { store } = await readyPage();
  store.getState().setPrompt('positive', long);
  await when(store, isRead);
  store.getState().setOption('syntax', 'comfy');
  expect(prepared(store.getState(), 'positive')).toBeUndefined();
  await when(store, isRead);
  const { options } = store.getState();
  expect(summary(prepared(store.getState(), 'positive'))).toEqual(summary(preparePrompt(long, options, tokenizer)));
});

test('a remembered long prompt is read once the vocabulary is there', async () => {
  const memory = fakeMemory(JSON.stringify({ prompts: { positive: long, negative: '' } }));
  const store = createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory });
  expect(isBeingRead(store.getState(), 'positive')).toBe(false);
  await tokenized(store);
  await when(store, (facts) => prepared(facts, 'positive') !== undefined);
  expect(prepared(store.getState(), 'positive')?.source).toBe(long);
});

test('an error of the page’s own code refuses the prompt, and the next one is read', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  let isBroken = true;
  const tokenize: typeof tokenizer.tokenize = (source, flavour) => {
    if (isBroken && source.text !== '') throw new Error('no such byte');
    return tokenizer.tokenize(source, flavour);
  };
  const loadTokenizer = async () => ({ ...tokenizer, tokenize });
  const store = createClipscopeStore({ connect: () => idleEncoder, loadTokenizer, memory: null });
  await tokenized(store);
  store.getState().setPrompt('positive', long);
  await when(store, isRead);
  expect(prepared(store.getState(), 'positive')?.refusal).toBe(
    'The page failed to read this prompt (no such byte): change it to go on.',
  );
  isBroken = false;
  store.getState().setPrompt('positive', `${long}x`);
  await when(store, isRead);
  expect(prepared(store.getState(), 'positive')?.refusal).toBeNull();
});
