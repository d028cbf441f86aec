import { describe, expect, test, vi } from 'vitest';
import { shownChunk } from './reading.ts';
import { createClipscopeStore } from './store.ts';
import { fakeMemory, idleEncoder, tokenized, tokenizer, when } from './testing/fakeEncoder.ts';

describe('before a model is loaded', () => {
  const surroundings = { connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory: null };

  test('tokens, weights and masks are there', async () => {
    const store = createClipscopeStore(surroundings);
    await tokenized(store);
    store.getState().setPrompt('positive', 'a (red:1.3) car');
    const shown = shownChunk(store.getState());
    expect([...(shown?.chunk.perTokenWeights.slice(0, 5) ?? [])]).toEqual([1, 1, 1.3, 1, 1]);
    expect(shown?.pass.keyMask).toHaveLength(77);
  });

  test('a vocabulary that does not come is said, and can be asked for again', async () => {
    const loadTokenizer = vi.fn(async () => tokenizer).mockRejectedValueOnce(new Error('Offline.'));
    const store = createClipscopeStore({ ...surroundings, loadTokenizer });
    await when(store, (facts) => facts.tokenizer.phase === 'failed');
    expect(store.getState().tokenizer).toEqual({ phase: 'failed', message: 'Offline.' });
    await store.getState().loadTokenizer();
    expect(store.getState().tokenizer.phase).toBe('ready');
  });

  test('prompts, options and theme survive a reload', () => {
    const memory = fakeMemory();
    const before = createClipscopeStore({ ...surroundings, memory }).getState();
    before.setPrompt('negative', 'blurry');
    before.setOption('mask', 'hf');
    before.setTheme('dark');
    const after = createClipscopeStore({ ...surroundings, memory }).getState();
    expect(after.prompts).toEqual({ ...before.prompts, negative: 'blurry' });
    expect(after.options.mask).toBe('hf');
    expect(after.theme).toBe('dark');
  });
});
