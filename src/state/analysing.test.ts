import { describe, expect, test } from 'vitest';
import type { Ablations } from '../analyses/ablation.ts';
import { clipTiny } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import { withKeyMasked } from '../clip/maskEffects.ts';
import { createReferenceEncoder } from '../engine/testing/referenceBackend.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { noModels } from '../worker/testing/noModels.ts';
import type { Analysis } from './analysing.ts';
import type { Facts } from './facts.ts';
import {
  ablationAnalysis,
  analysisSubject,
  layersAnalysis,
  leakageAnalysis,
  sharesAnalysis,
  sinksAnalysis,
  variantsAnalysis,
  wordsAnalysis,
} from './promptAnalyses.ts';
import { shownChunk } from './reading.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import {
  allEncoded,
  type FakeEncoder,
  modelInfo,
  onCpu,
  onGpu,
  readyPage,
  tokenized,
  tokenizer,
  when,
} from './testing/fakeEncoder.ts';

/** The passes with one key of the chunk on show masked, so many. */
const masked = (store: ClipscopeStore, count: number): EncoderPass[] => {
  const { pass } = shownChunk(store.getState())!;
  return Array.from({ length: count }, (_, i) => withKeyMasked(pass, i + 1));
};

/** An analysis that asks for rows, and tells how many it got. */
const rowsAnalysis = (key: string, passes: readonly EncoderPass[]): Analysis<number> => ({
  key,
  passes: passes.length,
  run: async (encoder) => (await encoder.rows(passes)).length,
});

const taskOf = (store: ClipscopeStore, key: string) => store.getState().analysed.get(key);
const isDone =
  (key: string) =>
  ({ analysed }: Facts) =>
    analysed.get(key)?.phase === 'done';

/** Everything has heard by then of answers that were given. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** Answers encodes until none is asked for any more; gives how many passes each had. */
async function answerAll({ encodes }: FakeEncoder): Promise<number[]> {
  const counts: number[] = [];
  for (await settled(); encodes.waiting > 0; await settled()) {
    const encode = await encodes.next();
    counts.push(encode.passes.length);
    await encode.answer();
  }
  return counts;
}

/** A page whose prompt, and all that it is made of, is encoded. */
async function restingPage(engine = onGpu) {
  const page = await readyPage(engine);
  await answerAll(page.fake);
  return page;
}

describe('an analysis at work', () => {
  test.each([
    ['a GPU', onGpu, [8, 8, 4]],
    ['a processor, which gains nothing by several at once', onCpu, Array.from({ length: 20 }, () => 1)],
  ])('asks for each pass once, in calls as large as those for the prompt: on %s', async (_, engine, expected) => {
    const { fake, store } = await restingPage(engine);
    const passes = masked(store, 20);
    store.getState().analyse(rowsAnalysis('all', [...passes, ...passes.slice(0, 3)]));
    const counts: number[] = [];
    while (!isDone('all')(store.getState())) {
      const encode = await fake.nextEncode();
      expect(taskOf(store, 'all')).toEqual({ phase: 'running', done: counts.reduce((sum, count) => sum + count, 0) });
      // The rows of the prompt on show stay, so that typing goes on from them.
      expect(encode.options.alsoNeeded?.map(passKey)).toContain(passKey(shownChunk(store.getState())!.pass));
      expect([encode.want.attentions, encode.want.hiddenStates]).toEqual([false, []]);
      counts.push(encode.passes.length);
      await encode.answer();
      await settled();
    }
    expect(counts).toEqual(expected);
    expect(taskOf(store, 'all')).toEqual({ phase: 'done', result: 23 });
  });

  test('lets what is typed pass: the prompt is asked for while a call of the analysis is under way', async () => {
    const { fake, store } = await restingPage(onCpu);
    store.getState().analyse(rowsAnalysis('all', masked(store, 3)));
    const own = await fake.nextEncode();
    store.getState().setPrompt('positive', 'a star');
    const typed = await fake.nextEncode();
    expect(typed.passes.map(passKey)).toEqual([passKey(shownChunk(store.getState())!.pass)]);
    await typed.answer();
    await own.answer();
    await answerAll(fake);
    expect(isDone('all')(store.getState())).toBe(true);
  });

  test('ends when it is stopped: its call is cancelled, no other is made, and it is no longer under way', async () => {
    const { fake, store } = await restingPage(onCpu);
    const stop = store.getState().analyse(rowsAnalysis('all', masked(store, 3)));
    const call = await fake.nextEncode();
    stop();
    expect(call.options.signal?.aborted).toBe(true);
    expect(taskOf(store, 'all')).toBeUndefined();
    await call.answer();
    expect(await answerAll(fake)).toEqual([]);
    expect(taskOf(store, 'all')).toBeUndefined();
  });

  test('ends when another starts', async () => {
    const { fake, store } = await restingPage(onCpu);
    const { analyse } = store.getState();
    const stopFirst = analyse(rowsAnalysis('first', masked(store, 3)));
    const call = await fake.nextEncode();
    analyse(rowsAnalysis('second', masked(store, 3).slice(2)));
    expect(call.options.signal?.aborted).toBe(true);
    expect(taskOf(store, 'first')).toBeUndefined();
    // Whoever looked at the first stops nothing but that.
    stopFirst();
    await answerAll(fake);
    expect(taskOf(store, 'second')).toEqual({ phase: 'done', result: 1 });
  });
});

describe('what is known', () => {
  test('a result is kept, and passes that one analysis had are there for the next', async () => {
    const { fake, store } = await restingPage();
    const { analyse } = store.getState();
    let runs = 0;
    const passes = masked(store, 4);
    const once: Analysis<number> = {
      ...rowsAnalysis('once', passes),
      run: async (encoder) => {
        runs++;
        return (await encoder.rows(passes)).length;
      },
    };
    analyse(once);
    expect(await answerAll(fake)).toEqual([4]);
    analyse(once);
    expect([runs, fake.encodes.waiting]).toEqual([1, 0]);
    analyse(rowsAnalysis('other', [...passes, ...masked(store, 5).slice(4)]));
    expect(await answerAll(fake)).toEqual([1]);
    // Its own pass was encoded for the pictures.
    analyse(rowsAnalysis('own', [shownChunk(store.getState())!.pass]));
    expect(fake.encodes.waiting).toBe(0);
  });

  test('another model has results of its own', async () => {
    const { fake, store } = await restingPage();
    store.getState().analyse(rowsAnalysis('all', masked(store, 2)));
    await answerAll(fake);
    expect(isDone('all')(store.getState())).toBe(true);
    await fake.load('synthetic', 'full', () => store.getState().openModel({ kind: 'synthetic', size: 'full' }));
    await answerAll(fake);
    expect(taskOf(store, 'all')).toBeUndefined();
    store.getState().analyse(rowsAnalysis('all', masked(store, 2)));
    expect(await answerAll(fake)).toEqual([2]);
  });

  test('a failure is told in a sentence, and tried again', async () => {
    const { fake, store } = await restingPage();
    store.getState().analyse(rowsAnalysis('all', masked(store, 2)));
    await (await fake.nextEncode()).fail(new Error('The GPU went away.'));
    await settled();
    expect(taskOf(store, 'all')).toEqual({ phase: 'failed', message: 'The GPU went away.' });
    store.getState().analyse(rowsAnalysis('all', masked(store, 2)));
    await answerAll(fake);
    expect(isDone('all')(store.getState())).toBe(true);
  });
});

describe('analyses of the prompt, on an encoder in float64', () => {
  /** A page on the tiny model; `computed` has the rows that each call had computed, and of how many passes. */
  async function page(prompt: string) {
    const encoder = await createReferenceEncoder(syntheticWeights(clipTiny));
    const computed: (readonly [rows: number, passes: number])[] = [];
    const store = createClipscopeStore({
      connect: () => ({
        ...noModels,
        load: async () => ({ ...modelInfo('tiny', 'tiny', onCpu), finalLayerNorm: encoder.finalLayerNorm }),
        cancelLoad() {},
        inspect: async (pass, layer) => encoder.inspect(pass, layer),
        resume: async (pass, layer, given, hiddenStates) => encoder.resume(pass, layer, given, hiddenStates),
        project: async (layer, attended) => encoder.project(layer, attended),
        async encode(passes, want, { signal, alsoNeeded } = {}) {
          const { outputs, rows, milliseconds } = await encoder.encode(passes, want, { signal, alsoNeeded });
          computed.push([rows, passes.length]);
          const stats = { milliseconds, rowsComputed: rows, rowsTotal: 77 * passes.length };
          return { outputs, stats, heldBytes: 1 };
        },
      }),
      loadTokenizer: async () => tokenizer,
      memory: null,
    });
    store.getState().setPrompt('positive', prompt);
    await tokenized(store);
    await allEncoded(store);
    await when(store, (facts) => analysisSubject(facts) !== undefined);
    computed.length = 0;
    return { store, computed, subject: () => analysisSubject(store.getState())! };
  }

  test('compute no rows that are there: those before a word are kept, and those of other analyses', async () => {
    const { store, computed, subject } = await page('a red circle');
    const { analyse } = store.getState();
    const words = wordsAnalysis(subject());
    expect(words.passes).toBe(6);
    analyse(words);
    await when(store, isDone(words.key));
    // The prompt's own rows stay for what is typed. Then what stands before a word that is left out is not computed again. “a” is first
    // already, so that five passes are new.
    expect(computed.slice(0, 3)).toEqual([
      [77, 1],
      [76, 1],
      [75, 1],
    ]);
    expect(computed).toHaveLength(5);
    computed.length = 0;

    const leaks = leakageAnalysis(subject());
    analyse(leaks);
    await when(store, isDone(leaks.key));
    // The words without each other word are known; each word alone is new.
    expect(computed).toHaveLength(3);
    computed.length = 0;

    const shares = sharesAnalysis(subject());
    analyse(shares);
    await when(store, isDone(shares.key));
    const typedBefore = subject();
    store.getState().setPrompt('positive', 'a red star');
    await when(store, (facts) => (analysisSubject(facts)?.key ?? typedBefore.key) !== typedBefore.key);
    expect(sharesAnalysis(subject()).key).not.toBe(shares.key);
    // A prompt that is typed again is known again.
    store.getState().setPrompt('positive', 'a red circle');
    await when(store, (facts) => analysisSubject(facts)?.key === typedBefore.key);
    expect(isDone(sharesAnalysis(subject()).key)(store.getState())).toBe(true);
  });

  test('of heads that are switched off in another way take the MLPs from the first', async () => {
    const { store, subject } = await page('a red circle');
    const first = ablationAnalysis(subject(), 'zero');
    store.getState().analyse(first);
    await when(store, isDone(first.key));
    const second = ablationAnalysis(subject(), 'uniform');
    expect(second.steps).toBe(first.steps! - clipTiny.numHiddenLayers);
    store.getState().analyse(second);
    await when(store, isDone(second.key));
    const mlpsOf = ({ key }: Analysis<unknown>) => (taskOf(store, key) as { result: Ablations }).result.mlps;
    expect(mlpsOf(second)).toEqual(mlpsOf(first));
  });

  test('with clip skip are of the layers that are read', async () => {
    const { store, subject } = await page('a red circle');
    const before = subject();
    store.getState().setOption('clipSkip', 2);
    await allEncoded(store);
    await when(store, (facts) => (analysisSubject(facts)?.clipSkip ?? 1) === 2);
    expect(subject().key).not.toBe(before.key);
    const ofSinks = sinksAnalysis(subject());
    const variants = variantsAnalysis(subject(), store.getState().options, tokenizer);
    for (const analysis of [ofSinks, variants]) {
      store.getState().analyse(analysis);
      await when(store, isDone(analysis.key));
    }
    const resultOf = <R>({ key }: Analysis<R>) => (taskOf(store, key) as { result: R }).result;
    const read = clipTiny.numHiddenLayers - 1;
    expect(resultOf(ofSinks).heads).toHaveLength(read);
    expect(resultOf(variants).map(({ turns }) => turns.length)).toEqual(resultOf(variants).map(() => read + 1));
  });

  test('tell how far they are: the answers that they announce are those that they get', async () => {
    const { store, subject } = await page('a red circle');
    const ofSubject = [
      layersAnalysis(subject()),
      sinksAnalysis(subject()),
      ablationAnalysis(subject(), 'zero'),
      variantsAnalysis(subject(), store.getState().options, tokenizer),
    ];
    for (const analysis of ofSubject) {
      let heard = 0;
      const stop = store.subscribe(({ analysed }) => {
        const task = analysed.get(analysis.key);
        if (task?.phase === 'running') heard = task.done;
      });
      store.getState().analyse(analysis);
      await when(store, isDone(analysis.key));
      stop();
      const steps = analysis.steps ?? analysis.passes;
      // The states of the prompt itself may be there already.
      expect([steps, steps - 1], analysis.key.slice(0, 12)).toContain(heard);
    }
  });

  test('variants are those of the text as its own language’s tokenizer reads it, whatever another would take for a sign', async () => {
    const { store, subject } = await page('a clock at 10:30 AND a red cat');
    const { setOption } = store.getState();
    setOption('syntax', 'comfy');
    await tokenized(store);
    await allEncoded(store);
    await when(store, (facts) => analysisSubject(facts)?.plainText.includes('AND') ?? false);
    const { key } = variantsAnalysis(subject(), store.getState().options, tokenizer);
    expect(key).toContain(passKey(shownChunk(store.getState())!.pass));
  });
});
