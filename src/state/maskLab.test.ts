import { beforeEach, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { maskModes } from '../clip/masks.ts';
import { referenceEncoder } from '../clip/reference.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { maskLab } from './maskLab.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { allEncoded, answeringEncoder, modelInfo, onCpu, tokenizer } from './testing/fakeEncoder.ts';

const run = await referenceEncoder(syntheticWeights(clipTiny));
const L = clipTiny.maxPositionEmbeddings;
const from = (row: number) => Array.from({ length: L - row }, (_, i) => row + i);

let store: ClipscopeStore;
/** The passes that were encoded, a list a call. */
let asked: (readonly EncoderPass[])[];
const lab = (...keys: number[]) => maskLab(store.getState(), keys)!;

/** Asks for what the lab asks for, until it has all. */
async function encodeAll(...keys: number[]) {
  const counts: number[] = [];
  for (let before = -1; lab(...keys).encoded > before; ) {
    before = lab(...keys).encoded;
    counts.push(before);
    store.getState().need('masks', lab(...keys).next);
    await allEncoded(store);
  }
  return counts;
}

beforeEach(async () => {
  asked = [];
  const model = {
    ...modelInfo('tiny', 'tiny', onCpu),
    finalLayerNorm: { weight: new Float32Array(64).fill(1), bias: new Float32Array(64) },
  };
  const client = answeringEncoder(
    model,
    (pass, want) => {
      const { lastHiddenState, hiddenStates } = run(pass);
      return {
        lastHiddenState: Float32Array.from(lastHiddenState),
        hiddenStates: new Map(want.hiddenStates.map((i) => [i, Float32Array.from(hiddenStates[i])])),
        ...(want.attentions && { attentions: new Float32Array(1) }),
      };
    },
    asked,
  );
  store = createClipscopeStore({ connect: () => client, loadTokenizer: async () => tokenizer, memory: null });
  store.getState().setPrompt('positive', 'a red car');
  store.getState().setPrompt('negative', '');
  await allEncoded(store);
});

test('the four masks come one by one; each changes the rows that it can', async () => {
  expect(asked.flat()).toHaveLength(1);
  expect(lab()).toMatchObject({ encoded: 1, total: 4, masked: null, most: 0 });
  expect(lab().modes.causal.effects?.changed).toEqual([]);
  expect(lab().modes.hf.effects).toBeUndefined();
  expect(await encodeAll()).toEqual([1, 2, 3, 4]);
  expect(asked.map((passes) => passes.length)).toEqual([1, 1, 1, 1]);
  const { modes, most } = lab();
  // BOS, a, red, car, EOS, PAD …
  expect(maskModes.map((mode) => modes[mode].effects?.changed)).toEqual([[], from(5), from(4), from(0)]);
  expect(most).toBe(Math.max(...maskModes.map((mode) => modes[mode].effects!.largest)));
});

test('masked keys change rows from the first of them on, and come before the other masks', async () => {
  await encodeAll();
  const before = asked.length;
  expect(lab(3, 2)).toMatchObject({ encoded: 4, total: 5 });
  await encodeAll(3, 2);
  expect(asked.slice(before).map(([{ keyMask }]) => [...keyMask.keys()].filter((i) => keyMask[i] === 0))).toEqual([
    [2, 3],
  ]);
  expect(lab(3, 2).masked?.effects?.changed).toEqual(from(2));
  const other = lab(3);
  expect(other.next.at(-1)).toBe(other.masked?.pass);
});

test('masked keys are compared with the mask on show', async () => {
  store.getState().setOption('mask', 'hf');
  await allEncoded(store);
  await encodeAll(3, 76);
  expect(lab(3, 76).masked?.effects?.changed).toEqual(from(3));
  expect(lab(3, 76).modes.hf.effects?.changed).toEqual(from(5));
  // A key that the mask hides already makes the same pass.
  await encodeAll(76);
  expect(lab(76)).toMatchObject({ encoded: 4, total: 4 });
  expect(lab(76).masked?.effects?.changed).toEqual([]);
});

test('a key that the chunk has not masks nothing; the same facts give the same lab', () => {
  const keys: readonly number[] = [];
  expect(lab(77).masked).toBeNull();
  expect(maskLab(store.getState(), keys)).toBe(maskLab(store.getState(), keys));
});

test('clip skip is applied, and its state is asked for', async () => {
  store.getState().setOption('clipSkip', 2);
  await allEncoded(store);
  await encodeAll();
  const { hf, none } = lab().modes;
  expect(hf.effects?.changed).toEqual(from(5));
  // The state is the first layer's, in which the last row sees every key either way.
  expect(none.effects?.changed).toEqual(from(0).slice(0, -1));
});
