import { describe, expect, test } from 'vitest';
import type { Memory } from './memory.ts';
import { createClipscopeStore } from './store.ts';
import { fakeMemory, idleEncoder, noticesOf, tokenizer } from './testing/fakeEncoder.ts';

describe('memory', () => {
  const start = (memory: Memory) =>
    createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory }).getState();
  const first = start(fakeMemory());

  test.each([
    '{"prompts',
    '[]',
    '7',
    'null',
    '{"prompts":{"positive":5},"options":{"mask":"sideways"},"theme":"pink","storedModel":{"model":1}}',
  ])('%s is as good as nothing', (stored) => {
    const { prompts, options, theme, syntheticSize, storedModel } = start(fakeMemory(stored));
    expect({ prompts, options, theme, syntheticSize, storedModel }).toEqual({
      prompts: first.prompts,
      options: first.options,
      theme: first.theme,
      syntheticSize: first.syntheticSize,
      storedModel: null,
    });
  });

  const open = (memory: Memory, tab = fakeMemory()) =>
    createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory, tab }).getState;

  test('a tab that is reloaded has what it had, and a new one what was written last, whichever tab wrote it', () => {
    const memory = fakeMemory();
    const tabs = [fakeMemory(), fakeMemory()];
    const [a, b] = tabs.map((tab) => open(memory, tab));
    a().setPrompt('positive', 'a dog');
    a().setTheme('dark');
    b().setOption('syntax', 'compel');
    a().setPrompt('positive', 'a dog (red:1.2)');
    expect(open(memory)()).toMatchObject({ prompts: a().prompts, options: { syntax: 'a1111' } });
    b().setPrompt('positive', 'a cat');
    expect(open(memory, tabs[0])().prompts.positive).toBe('a dog (red:1.2)');
    expect(open(memory, tabs[1])()).toMatchObject({ prompts: { positive: 'a cat' }, theme: first.theme });
    const work = { prompts: { positive: 'a cat' }, options: { syntax: 'compel' } };
    expect(open(memory)()).toMatchObject({ ...work, theme: 'dark' });
  });

  test('storage that is forbidden or full is lived without', () => {
    const throws = (message: string) => () => {
      throw new Error(message);
    };
    const forbidden = { getItem: throws('forbidden'), setItem: throws('full'), removeItem: throws('forbidden') };
    const store = createClipscopeStore({
      connect: () => idleEncoder,
      loadTokenizer: async () => tokenizer,
      memory: forbidden,
    });
    expect(noticesOf(store)).toEqual([]);
    for (const prompt of ['a dog', 'a cat']) {
      store.getState().setPrompt('positive', prompt);
      store.getState().notePrompts();
    }
    expect(noticesOf(store), 'told once').toEqual([
      expect.stringMatching(/^This browser keeps nothing for the next visit, because its storage is full or blocked/),
    ]);
    expect(store.getState().past.map(({ prompts }) => prompts.positive)).toEqual(['a cat', 'a dog']);
    store.getState().clearHistory();
    expect(store.getState().past).toEqual([]);
  });
});
