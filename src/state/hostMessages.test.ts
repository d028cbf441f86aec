import { expect, test, vi } from 'vitest';
import { connectHost } from './hostMessages.ts';
import { readShownParts } from './shownParts.ts';
import { createClipscopeStore } from './store.ts';
import { idleEncoder, tokenizer } from './testing/fakeEncoder.ts';

const origin = 'https://example.org';

/** An embedded panel, and a window around it. */
function embedded() {
  const store = createClipscopeStore({
    ...{ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory: null },
    parts: readShownParts('?embed=attention'),
  });
  const window = { postMessage: vi.fn() };
  const { hear, tellHeight } = connectHost(store, { window, origin });
  const send = (data: unknown, from: object = window, at = origin) =>
    hear({ source: from as MessageEventSource, origin: at, data });
  const heard = () => window.postMessage.mock.calls.splice(0).map(([message]) => message);
  return { store, window, send, tellHeight, heard };
}

test('it says what it shows, to its host’s origin alone', () => {
  const { window, tellHeight } = embedded();
  expect(window.postMessage.mock.calls).toEqual([
    [{ clipscope: 1, ready: expect.objectContaining({ view: 'attention', language: 'a1111' }) }, origin],
  ]);
  tellHeight(300);
  expect(window.postMessage).toHaveBeenLastCalledWith({ clipscope: 1, height: 300 }, origin);
});

test('what is named is set, at once, and told in one message', async () => {
  const { store, send, heard } = embedded();
  heard();
  send({ clipscope: 1, set: { prompt: 'a cat++', language: 'compel', layer: 3, head: '2', side: 'negative' } });
  expect(store.getState()).toMatchObject({
    prompts: { positive: 'a cat++', negative: '' },
    options: { syntax: 'compel', weighting: 'compel-mask' },
    ...{ layer: 2, head: 1, side: 'negative', view: 'attention' },
  });
  await Promise.resolve();
  expect(heard()).toEqual([
    {
      clipscope: 1,
      changed: expect.objectContaining({ prompt: 'a cat++', language: 'compel', layer: '3', head: '2' }),
    },
  ]);
});

test('an infotext in the place of the prompt is read as one', async () => {
  const { store, send, heard } = embedded();
  heard();
  const prompt = 'a (cat:1.2)\nNegative prompt: fog\nSteps: 30, Sampler: Euler a, CFG scale: 7, Seed: 1, Clip skip: 2';
  send({ clipscope: 1, set: { prompt, layer: 2, language: 'a1111' } });
  expect(store.getState()).toMatchObject({
    prompts: { positive: 'a (cat:1.2)', negative: 'fog' },
    options: { syntax: 'a1111', steps: 30, clipSkip: 2 },
    ...{ layer: 1, replaced: null },
  });
  await Promise.resolve();
  expect(heard()).toEqual([
    { clipscope: 1, changed: expect.objectContaining({ prompt: 'a (cat:1.2)', negative: 'fog', steps: '30' }) },
  ]);
  send({ clipscope: 1, set: { prompt, method: 'scale' } });
  expect(heard()).toEqual([{ clipscope: 1, problem: expect.stringContaining('and “method” beside it') }]);
  // Beside a negative prompt it is a text as any other.
  send({ clipscope: 1, set: { prompt, negative: '' } });
  expect(store.getState().prompts).toEqual({ positive: prompt, negative: '' });
});

test('what was so already is no change', async () => {
  const { send, heard } = embedded();
  send({ clipscope: 1, set: { prompt: 'a cat', layer: 3 } });
  await Promise.resolve();
  expect(heard()).toHaveLength(2);
  send({ clipscope: 1, set: { prompt: 'a cat', layer: 3, mask: 'causal' } });
  await Promise.resolve();
  expect(heard()).toEqual([]);
});

test.each([
  [{ layer: 5, prompt: 'a'.repeat(64_001) }, 'has more than 64000 characters for “prompt”'],
  [{ layer: 0 }, 'has “0” for “layer”, which takes a whole number from 1 to 1000'],
  [{ prompt: 'a', layr: 1 }, 'has “layr”, which is not known here'],
  [{ prompt: ['a'] }, 'has a value for “prompt” that is neither a text nor a number'],
  [null, 'has nothing to “set”'],
])('%j changes nothing, and is told', async (set, problem) => {
  const { store, send, heard } = embedded();
  heard();
  const { prompts } = store.getState();
  send({ clipscope: 1, set });
  await Promise.resolve();
  expect(heard()).toEqual([{ clipscope: 1, problem: expect.stringContaining(problem) }]);
  expect(store.getState().prompts).toBe(prompts);
});

test('others are not heard: another origin, another window, another protocol', () => {
  const { store, send, window, heard } = embedded();
  heard();
  const set = { clipscope: 1, set: { prompt: 'theirs' } };
  send(set, window, 'https://example.com');
  send(set, {});
  send({ ...set, clipscope: 2 });
  send('set');
  send(null);
  expect(store.getState().prompts.positive).not.toBe('theirs');
  expect(heard()).toEqual([]);
});
