import { beforeEach, describe, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import { whole } from '../prompt/slices.ts';
import { fakeOutput, tokenizer } from '../road/testing/prompts.ts';
import { methodNames } from '../weighting/methods.ts';
import { benchPasses } from '../weighting/study/compareMethods.ts';
import { encodedCount, shownEncoded, shownWeighted } from './encoded.ts';
import {
  chosenFragment,
  methodsWork,
  readingsWork,
  shownBench,
  shownBenchPasses,
  shownSweep,
  shownSweepPlan,
  shownText,
  sweepWork,
  sweptWeights,
} from './methodBench.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { allEncoded, answeringEncoder, modelInfo } from './testing/fakeEncoder.ts';

let store: ClipscopeStore;
/** The passes that were encoded, a list a call. */
let asked: (readonly EncoderPass[])[];
const encoded = () => asked.flat();
const facts = () => store.getState();
/** The passes that the plan on show takes. */
const planned = () => {
  const work = plan()?.listPasses;
  return work && whole(work());
};
const plan = (text: string | null = null, nth = 0) =>
  shownSweepPlan(facts(), text === null ? null : { side: facts().side, text, nth });

beforeEach(() => {
  asked = [];
  const model = {
    ...modelInfo('synthetic-tiny', 'tiny'),
    finalLayerNorm: { weight: new Float32Array(3), bias: new Float32Array(3) },
  };
  const client = answeringEncoder(model, fakeOutput, asked);
  store = createClipscopeStore({ connect: () => client, loadTokenizer: async () => tokenizer, memory: null });
});

async function type(prompt: string) {
  facts().setPrompt('positive', prompt);
  await allEncoded(store);
}
async function need() {
  facts().need('methods', shownBenchPasses(facts()));
  facts().need('sweep', planned() ?? []);
  await allEncoded(store);
}

test('an embedding that another language takes for text is told, and named as it does', async () => {
  const vectors = [new Float32Array(clipTiny.hiddenSize).fill(1), new Float32Array(clipTiny.hiddenSize).fill(2)];
  store.setState({ embeddings: [{ name: 'myemb', vectors }] });
  await type('a photo of (myemb:1.2), cat');
  const [, , comfy] = whole(readingsWork(facts())!()).readings;
  expect(comfy.differences).toEqual([{ text: 'myemb', start: 12, end: 17, here: null, there: 1.2 }]);
  expect(comfy.converted).toMatchObject({ text: 'a photo of (embedding:myemb:1.2), cat', isSame: true });
  facts().setOption('syntax', 'comfy');
  await type('(embedding:myemb:1.2)');
  const [a1111] = whole(readingsWork(facts())!()).readings;
  expect(a1111.differences).toEqual([{ text: 'embedding:', start: 1, end: 11, here: null, there: 1.2 }]);
  expect(a1111.converted).toMatchObject({ text: '(myemb:1.2)', isSame: true });
});

test('how the languages read a prompt, and what to type there instead', async () => {
  await type('((cat:1.3))');
  const [a1111, , comfy] = whole(readingsWork(facts())!()).readings;
  expect(a1111).toEqual({ syntax: 'a1111', differences: [], converted: null });
  expect(comfy.syntax).toBe('comfy');
  expect(comfy.differences).toMatchObject([{ text: 'cat', there: 1.3 }]);
  expect(comfy.differences[0].here).toBeCloseTo(1.43, 12);
  expect(comfy.converted).toMatchObject({ text: '(cat:1.43)', isSame: true });
  expect(readingsWork(facts())).toBe(readingsWork(facts()));
});

test('words taken out of their context are no weight', async () => {
  facts().setOption('context', 'alone');
  await type('a red car');
  const { before, after } = shownWeighted(facts())!;
  expect(after).toEqual(before);
  expect(after).not.toEqual(shownEncoded(facts())!.z);
});

describe('the bench', () => {
  test('is there when all that it takes is encoded, and is the same object for the same facts', async () => {
    await type('a (red:1.3) car');
    expect(shownBench(facts())).toBeUndefined();
    await need();
    const bench = shownBench(facts())!;
    const { comparison, order } = whole(methodsWork(bench)());
    expect(comparison.methods.map(({ name }) => name)).toEqual(methodNames);
    expect(order).toHaveLength(methodNames.length);
    facts().show({ layer: 1 });
    expect(shownBench(facts())).toBe(bench);
  });

  test('a change of weights runs no pass, down and below 0 neither once the sweep has been', async () => {
    await type('a (red:1.3) car');
    await need();
    const before = encoded().length;
    expect(new Set(encoded().map(passKey)).size).toBe(before);
    for (const weight of [1.9, 0.5, 0, -1, 3]) {
      await type(`a (red:${weight}) car`);
      await need();
      expect(shownBench(facts())?.text).toBe(shownText(facts()));
      expect(shownSweep(facts(), plan(), planned())).toBeDefined();
    }
    expect(encoded()).toHaveLength(before);
  });

  test('what is no longer needed is not encoded', async () => {
    await type('a (red:1.3) car');
    facts().need('methods', []);
    const before = encoded().length;
    await type('a (blue:0.3) car');
    // The prompt's own: "Original" reads no other.
    expect(encoded()).toHaveLength(before + 1);
    expect(encodedCount(facts(), shownBenchPasses(facts()))).toBe(1);
  });
});

describe('the sweep', () => {
  test('takes what weighs something first, and another fragment when it is chosen', async () => {
    await type('a (red:1.3) car');
    expect(plan()).toMatchObject({ fragment: 1, rows: [2] });
    const car = chosenFragment(shownText(facts())!, 2, 'positive');
    expect(car).toEqual({ side: 'positive', text: ' car', nth: 0 });
    expect(shownSweepPlan(facts(), car)).toMatchObject({ fragment: 2, rows: [3] });
    // The first that weighs is swept where the chosen one is not there.
    expect(plan(' bus')).toMatchObject({ fragment: 1, rows: [2] });
    expect(shownSweepPlan(facts(), { ...car, side: 'negative' })).toMatchObject({ fragment: 1 });
    // The chosen words are found where they have come to, also among such as read alike.
    await type('(small:1.1) (red:1.2) cat and (red:1.4) dog');
    expect(plan('red', 1)).toMatchObject({ fragment: 4 });
    expect(plan('red', 0)).toMatchObject({ fragment: 2 });
    expect(plan('red', 7)).toMatchObject({ fragment: 4 });
    await type('a red car');
    expect(plan()).toMatchObject({ fragment: 0, rows: [1, 2, 3] });
    await type('');
    expect(plan()).toBeUndefined();
  });

  test.each([
    ['a1111', 'a (red:1.3) (car:0.4), [blurry]', {}],
    ['a1111', 'a (red:1.3) (car:0.4) (big:2)', { normalisation: 'mean', weighting: 'comfy' } as const],
    ['compel', '(red)1.3 (car)0.4 (big)2', {}],
    ['comfy', 'a (red:1.3) (car:0.4)', { comfyUnit: 'words' } as const],
  ] as const)('%s: the passes for %s are those of all its weights', async (syntax, prompt, options) => {
    store.setState({ options: { ...facts().options, ...options, syntax } });
    await type(prompt);
    const { promptAt } = plan()!;
    const passes = planned()!;
    const all = new Set(sweptWeights.flatMap((weight) => benchPasses(promptAt(weight), methodNames).map(passKey)));
    expect(new Set(passes.map(passKey))).toEqual(all);
  });

  test('stays as it is when the weight of what is swept changes, and not when another does', async () => {
    await type('a (red:1.3) (car:1.2)');
    await need();
    const before = plan()!;
    const swept = shownSweep(facts(), before, planned())!;
    expect(whole(sweepWork(swept)()).swept.weights).toBe(sweptWeights);
    await type('a (red:0.4) (car:1.2)');
    expect(plan()).toBe(before);
    expect(shownSweep(facts(), plan(), planned())).toBe(swept);
    await type('a (red:0.4) (car:1.3)');
    expect(plan()).not.toBe(before);
  });

  test('lists the passes of a long text in slices, short ones at once, and each list once', async () => {
    await type('a (red:1.3) car');
    expect(plan()!.listPasses.isLong).toBe(false);
    await type(Array.from({ length: 12 }, (_, i) => `a (red:0.${i + 1}) car`).join(' BREAK '));
    const { listPasses } = plan()!;
    expect(listPasses.isLong).toBe(true);
    const slices = listPasses();
    let count = 0;
    while (!slices.next().done) count++;
    // Twelve weights and those between them, each for every method.
    expect(count).toBeGreaterThan(2 * 12 * methodNames.length);
    expect(whole(listPasses())).toBe(whole(listPasses()));
  });
});
