import { beforeEach, describe, expect, test } from 'vitest';
import { parseInfotext } from '../prompt/a1111/infotext.ts';
import { defaultOptions } from '../road/options.ts';
import { shared, writeLink, writeShared } from './shared.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { fakeMemory, idleEncoder, noticesOf, tokenizer } from './testing/fakeEncoder.ts';

describe('what replaces the prompts', () => {
  let store: ClipscopeStore;
  const state = () => store.getState();
  const infotext = {
    prompt: 'a cat',
    negativePrompt: 'fog',
    parameters: new Map([
      ['Steps', '30'],
      ['Clip skip', '2'],
    ]),
  };
  const mine = { positive: 'mine', negative: 'not mine' };
  beforeEach(() => {
    store = createClipscopeStore({
      connect: () => idleEncoder,
      loadTokenizer: async () => tokenizer,
      memory: fakeMemory(),
    });
    state().setPrompt('positive', mine.positive);
    state().setPrompt('negative', mine.negative);
  });

  test('infotext fills both prompts, says so, and can be taken back', async () => {
    await state().takeWritten({ program: 'a1111', infotext, remarks: [] }, 'Pasted');
    expect(state().prompts).toEqual({ positive: 'a cat', negative: 'fog' });
    expect(state().options).toMatchObject({ steps: 30, step: 1, clipSkip: 2 });
    expect(state().replaced?.message).toBe('Pasted: prompt, negative prompt, 30 steps and clip skip 2.');
    const { before, after } = state().replaced ?? { before: {}, after: {} };
    state().setOption('mask', 'hf');
    state().restore(before);
    expect(state().prompts).toEqual(mine);
    expect([state().options, state().replaced]).toEqual([defaultOptions, null]);
    state().restore(after);
    expect(state().options.clipSkip).toBe(2);
  });

  test('prompts longer than the bound are not taken from anywhere, with a sentence', async () => {
    const long = 'BREAK '.repeat(20_000);
    const told = 'A prompt of 120,000 characters was not taken: at most 64,000 are read.';
    const page = createClipscopeStore({
      connect: () => idleEncoder,
      loadTokenizer: async () => tokenizer,
      memory: null,
    });
    const contents = shared({ ...page.getState(), prompts: { positive: 'a', negative: long } });
    const link = await writeLink(contents);
    expect(link.length).toBeLessThan(2_000);
    const takers: readonly (() => void | Promise<void>)[] = [
      () => state().openLink(link),
      () => state().openFile(new File([writeShared(contents)], 'session.json')),
      () => state().takeWritten({ program: 'a1111', infotext: { ...infotext, prompt: long }, remarks: [] }, 'Pasted'),
      () => state().replace({ prompts: { positive: long, negative: '' } }, 'Brought back.'),
      () => state().setPrompt('positive', long),
    ];
    for (const take of takers) {
      await take();
      expect(state().prompts).toEqual(mine);
      expect(noticesOf(store)).toEqual([told]);
      state().dismiss(state().notices[0].id);
    }
    expect(state().replaced).toBeNull();
    state().setPrompt('positive', 'a'.repeat(64_000));
    expect([state().prompts.positive.length, noticesOf(store)]).toEqual([64_000, []]);
  });

  test('a remembered prompt that is longer may be shortened bit by bit', () => {
    const prompts = { positive: 'a'.repeat(70_000), negative: '' };
    const memory = fakeMemory(JSON.stringify({ prompts }));
    store = createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory });
    state().setPrompt('positive', 'a'.repeat(69_999));
    expect([state().prompts.positive.length, noticesOf(store)]).toEqual([69_999, []]);
    state().setPrompt('positive', 'a'.repeat(70_000));
    expect([state().prompts.positive.length, noticesOf(store)]).toEqual([
      69_999,
      ['A prompt of 70,000 characters was not taken: at most 64,000 are read.'],
    ]);
  });

  test('infotext without a clip skip has none, and is A1111’s', async () => {
    await state().takeWritten({ program: 'a1111', infotext, remarks: [] }, 'Pasted');
    state().setOption('syntax', 'comfy');
    await state().takeWritten(
      { program: 'a1111', infotext: { ...infotext, parameters: new Map() }, remarks: [] },
      'Pasted',
    );
    expect(state().options).toMatchObject({ syntax: 'a1111', weighting: 'original', clipSkip: 1, steps: 30 });
    expect(state().replaced?.message).toBe('Pasted: prompt and negative prompt.');
  });

  test('B59: an infotext on one line empties nothing; its other reading can be taken, and each back', async () => {
    const text = 'a red fox,.Negative prompt: blurry.Steps: 24, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 8x8';
    await state().takeWritten({ program: 'a1111', infotext: parseInfotext(text)!, remarks: [] }, 'Pasted');
    const civitai = { positive: 'a red fox', negative: 'blurry' };
    expect(state().prompts).toEqual(civitai);
    expect(state().replaced?.readings?.[1].label).toBe('Read it as A1111');
    state().takeOther();
    expect(state().prompts).toEqual({ positive: '', negative: '' });
    expect(state().replaced).toMatchObject({
      message: expect.stringContaining('A1111 reads'),
      before: { prompts: mine },
    });
    state().takeOther();
    expect(state().prompts).toEqual(civitai);
    state().restore(state().replaced!.before);
    expect([state().prompts, state().replaced]).toEqual([mine, null]);
    state().takeOther();
    expect(state().prompts).toEqual(mine);
  });

  test('what was replaced is in the history', async () => {
    await state().takeWritten({ program: 'a1111', infotext, remarks: [] }, 'Pasted');
    expect(state().past.map(({ prompts }) => prompts)).toEqual([mine]);
    state().restore({ prompts: mine });
    expect(state().past[0].prompts).toEqual({ positive: 'a cat', negative: 'fog' });
  });

  test('prompts that nobody changed are not history', () => {
    const fresh = createClipscopeStore({
      connect: () => idleEncoder,
      loadTokenizer: async () => tokenizer,
      memory: null,
    });
    fresh.getState().notePrompts();
    expect(fresh.getState().past).toEqual([]);
  });

  test('a link brings prompts, options and selection', async () => {
    state().setOption('weighting', 'none');
    state().show({ side: 'negative', layer: 3, head: 5, stage: 2 });
    const link = await writeLink(shared(state()));
    const other = createClipscopeStore({
      connect: () => idleEncoder,
      loadTokenizer: async () => tokenizer,
      memory: null,
    });
    await other.getState().openLink(link);
    const { prompts, options, side, layer, head, stage, replaced } = other.getState();
    expect({ prompts, options, side, layer, head, stage }).toEqual({
      prompts: mine,
      options: state().options,
      side: 'negative',
      layer: 3,
      head: 5,
      stage: 2,
    });
    expect(replaced?.message).toBe('Opened from a link.');
  });

  test('a bad link is one notice, and changes nothing', async () => {
    const before = state();
    await before.openLink('#share=abc');
    expect(state().notices.map(({ message }) => message)).toEqual([
      'The link is damaged, cut off or far too long, so it was not opened.',
    ]);
    expect(state().prompts).toBe(before.prompts);
    expect(state().replaced).toBeNull();
  });

  test('line ends become those of an editor', () => {
    state().setPrompt('positive', 'a\r\nb\rc');
    expect(state().prompts.positive).toBe('a\nb\nc');
  });
});
