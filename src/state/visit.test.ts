import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { defaultOptions } from '../road/options.ts';
import { createClipscopeStore } from './store.ts';
import { fakeMemory, idleEncoder, tokenizer } from './testing/fakeEncoder.ts';
import { type Marks, openVisit, wasTabStopped, wasVisitStopped } from './visit.ts';

/** A storage and the locks of a browser, whose tabs can be closed and killed. */
function browser() {
  const texts = new Map<string, string>([['clipscope', '{}']]);
  const marks: Marks = {
    getItem: (name) => texts.get(name) ?? null,
    setItem: (name, value) => void texts.set(name, value),
    removeItem: (name) => void texts.delete(name),
    key: (index) => [...texts.keys()][index] ?? null,
    get length() {
      return texts.size;
    },
  };
  const held = new Map<string, object>();
  /** The locks as one tab has them; a tab that is killed holds none any more. */
  async function tab() {
    const own = {};
    const locks = {
      async request(name: string, work: () => Promise<void>) {
        held.set(name, own);
        await work();
        held.delete(name);
      },
      query: async () => ({ held: [...held.keys()].map((name) => ({ name })) }),
    } as unknown as LockManager;
    return {
      locks,
      visit: await openVisit(marks, locks),
      kill() {
        for (const [name, owner] of held) if (owner === own) held.delete(name);
      },
      async wasStopped(waited = 900) {
        const asked = wasVisitStopped(marks, locks);
        await vi.advanceTimersByTimeAsync(waited);
        return asked;
      },
    };
  }
  return { marks, tab, names: () => [...texts.keys()] };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a first visit, and one after a visit that came to rest, was not stopped', async () => {
  const { tab, names } = browser();
  expect(await (await tab()).wasStopped()).toBe(false);
  const { visit } = await tab();
  visit.begin();
  expect(names()).toHaveLength(2);
  vi.advanceTimersByTime(1_000);
  expect(names()).toEqual(['clipscope']);
  expect(await (await tab()).wasStopped()).toBe(false);
});

test('a visit that was killed while it drew is told of once', async () => {
  const { tab, names } = browser();
  const first = await tab();
  first.visit.begin();
  first.kill();
  expect(await (await tab()).wasStopped()).toBe(true);
  expect(names()).toEqual(['clipscope']);
  expect(await (await tab()).wasStopped()).toBe(false);
});

test('a visit that is left while it draws was not stopped, even if it goes on to its last moment', async () => {
  const { tab } = browser();
  const first = await tab();
  first.visit.begin();
  first.visit.leave();
  first.visit.begin();
  first.kill();
  expect(await (await tab()).wasStopped()).toBe(false);
});

test('the end of a visit may be seen late', async () => {
  const { tab, marks, names } = browser();
  const first = await tab();
  first.visit.begin();
  first.kill();
  setTimeout(() => marks.removeItem(names()[1]), 600);
  expect(await (await tab()).wasStopped()).toBe(false);
});

test('another tab that draws is let be, unless it is held by it', async () => {
  const { tab, names } = browser();
  const other = await tab();
  other.visit.begin();
  expect(await (await tab()).wasStopped(0)).toBe(false);
  expect(names()).toHaveLength(2);
  // The timer of a tab that is held does not run.
  vi.setSystemTime(Date.now() + 10_001);
  expect(await (await tab()).wasStopped()).toBe(true);
});

test('a tab that has been given something to draw every second for long is not held', async () => {
  const { tab } = browser();
  const other = await tab();
  for (let i = 0; i < 20; i++) {
    other.visit.begin();
    vi.advanceTimersByTime(900);
  }
  expect(await (await tab()).wasStopped()).toBe(false);
});

test('each change puts the rest off', async () => {
  const { tab, names } = browser();
  const { visit } = await tab();
  visit.begin();
  vi.advanceTimersByTime(900);
  visit.begin();
  vi.advanceTimersByTime(900);
  expect(names()).toHaveLength(2);
  vi.advanceTimersByTime(100);
  expect(names()).toHaveLength(1);
});

test('a storage that is forbidden tells of nothing and stops nothing', async () => {
  const forbidden = () => {
    throw new DOMException('no', 'SecurityError');
  };
  const marks = { getItem: forbidden, setItem: forbidden, removeItem: forbidden, key: forbidden, length: 1 };
  const visit = await openVisit(marks, undefined);
  visit.begin();
  visit.leave();
  expect(await wasVisitStopped(marks, undefined)).toBe(false);
  expect(await wasVisitStopped(null, undefined)).toBe(false);
});

test('after a visit that was stopped its prompts are put aside, in the history, until they are opened', () => {
  const prompts = { positive: 'BREAK '.repeat(99), negative: 'fog' };
  const options = { ...defaultOptions, steps: 150 };
  const memory = fakeMemory(JSON.stringify({ prompts, options, theme: 'dark' }));
  const open = (wasStopped: boolean) =>
    createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory, wasStopped });
  const store = open(true);
  expect(store.getState().prompts.positive).toContain('circle left of');
  expect(store.getState().options).toEqual(defaultOptions);
  expect(store.getState().theme).toBe('dark');
  expect(store.getState().putAside).toEqual({ prompts, options });
  expect(store.getState().past[0].prompts).toEqual(prompts);
  // Whoever reloads, or opens a second tab, does not meet them again.
  expect(open(false).getState().prompts).toEqual(store.getState().prompts);
  expect(open(false).getState().past[0].prompts).toEqual(prompts);
  store.getState().openPutAside();
  expect(store.getState()).toMatchObject({ prompts, options, putAside: null });
  expect(open(false).getState().prompts).toEqual(prompts);
});

test('what was put aside can be left there', () => {
  const memory = fakeMemory(JSON.stringify({ prompts: { positive: 'x', negative: 'y' } }));
  const store = createClipscopeStore({
    connect: () => idleEncoder,
    loadTokenizer: async () => tokenizer,
    memory,
    wasStopped: true,
  });
  store.getState().dismissPutAside();
  expect(store.getState().putAside).toBeNull();
  expect(store.getState().prompts.positive).toContain('circle left of');
});

test('a tab that is loaded again knows its own visit, whose mark it takes away', async () => {
  const { marks, names } = browser();
  const tab = fakeMemory();
  const visit = await openVisit(marks, undefined, tab);
  expect(wasTabStopped(marks, tab)).toBe(false);
  visit.begin();
  expect(wasTabStopped(marks, fakeMemory())).toBe(false);
  expect(names()).toHaveLength(2);
  expect(wasTabStopped(marks, tab)).toBe(true);
  expect(names()).toEqual(['clipscope']);
  expect(wasTabStopped(marks, tab)).toBe(false);
  const again = await openVisit(marks, undefined, tab);
  again.begin();
  again.leave();
  expect(wasTabStopped(marks, tab)).toBe(false);
});
