import { beforeAll, describe, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { withRowsAlone, withRowsHidden } from '../clip/maskEffects.ts';
import { attentionMask } from '../clip/masks.ts';
import {
  add,
  attention,
  layerNorm,
  linear,
  quickGelu,
  type ReferenceOutput,
  referenceEncoder,
} from '../clip/reference.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  type LayerTensorName,
  layerTensor,
} from '../clip/weights.ts';
import { toFloat32 } from '../files/dtypes.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { tokenizer } from '../state/testing/fakeEncoder.ts';
import { ablations } from './ablation.ts';
import type { AnalysisEncoder } from './analysisEncoder.ts';
import { eosTurns, textVariants } from './bagOfWords.ts';
import { conditioningShares } from './conditioningShares.ts';
import { findMassive, layerTravel, type MassiveNumber } from './layerTravel.ts';
import { leakage, leaks } from './leakage.ts';
import { promptItems, saidFirst } from './promptItems.ts';
import { headMap, sinks } from './sinks.ts';
import { wordEffects } from './wordEffects.ts';

const source = syntheticWeights(clipTiny);
const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N, numAttentionHeads: h, headDim } = clipTiny;
const prompt = 'a (red:1.3) circle, left of a blue square';
const { texts } = preparePrompt(prompt, defaultOptions, tokenizer);
const [{ tokens }] = texts[0].chunks;
const { pass } = texts[0].weighted.chunks[0];
const { empty } = texts[0].weighted;
const items = promptItems(tokens, prompt);
const eos = tokens.findIndex(({ kind }) => kind === 'eos');

let encoder: AnalysisEncoder;
let reference: (pass: EncoderPass) => ReferenceOutput;
const weights = new Map<string, Float64Array>();
const weightOf = (layer: number, part: LayerTensorName) => weights.get(layerTensor(layer, part))!;
beforeAll(async () => {
  encoder = await (await import('./testing/referenceAnalysis.ts')).referenceAnalysis(source);
  reference = await referenceEncoder(source);
  const parts = ['weight', 'bias'].flatMap((end) =>
    [
      'layer_norm1',
      'layer_norm2',
      'self_attn.q_proj',
      'self_attn.k_proj',
      'self_attn.v_proj',
      'self_attn.out_proj',
      'mlp.fc1',
      'mlp.fc2',
    ].map((part) => `${part}.${end}` as LayerTensorName),
  );
  const names = [0, 1].flatMap((layer) => parts.map((part) => layerTensor(layer, part)));
  for (const name of [...names, finalLayerNormWeightName, finalLayerNormBiasName])
    weights.set(name, Float64Array.from(toFloat32(await source.read(name), 'F32')));
});

const z = (of: EncoderPass) => reference(of).lastHiddenState;
const norm = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
const difference = (
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: readonly number[],
  rowOfB = (row: number) => row,
) => norm(rows.flatMap((row) => Array.from({ length: d }, (_, c) => a[row * d + c] - b[rowOfB(row) * d + c])));
const allRows = Array.from({ length: L }, (_, row) => row);
/** The final LayerNorm of a hidden state. */
const normed = (state: Float64Array) =>
  layerNorm(state, weights.get(finalLayerNormWeightName)!, weights.get(finalLayerNormBiasName)!, 1e-5);
/** The cosine of the same row in two outputs, by its definition. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>, row: number): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from({ length: d }, (_, c) => x[row * d + c] * y[row * d + c]).reduce((sum, product) => sum + product, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test('the words of a prompt, without its signs', () => {
  expect(items.map(({ text }) => text)).toEqual(['a', 'red', 'circle', 'left', 'of', 'a', 'blue', 'square']);
  expect(items[1].rows).toEqual([2]);
  expect(prompt.slice(items[7].range.start, items[7].range.end)).toBe('square');
  const { texts } = preparePrompt('xylophonist!', defaultOptions, tokenizer);
  const [word, ...none] = promptItems(texts[0].chunks[0].tokens, 'xylophonist!');
  expect([word.rows.length > 1, word.text, none]).toEqual([true, 'xylophonist', []]);
});

describe('words, EOS and PAD', () => {
  const kinds = tokens.map(({ kind }) => kind);

  test('shares are those of float64, and sum to one; BOS has none', () => {
    const [own, none] = [z(pass), z(empty)];
    const found = conditioningShares(own, none, kinds);
    const { bos, text, eos: ofEos, pad } = found.shares;
    expect(bos).toBe(0);
    expect(bos + text + ofEos + pad).toBeCloseTo(1, 12);
    const total = difference(own, none, allRows) ** 2;
    expect(text).toBeCloseTo(
      difference(
        own,
        none,
        allRows.filter((row) => kinds[row] === 'text'),
      ) **
        2 /
        total,
      12,
    );
    expect(found.total ** 2).toBeCloseTo(total, 9);
    expect(found.turns[76]).toBeCloseTo(1 - cosine(own, none, 76), 10);
    for (const row of [0, 3, eos, 76])
      expect(found.lengths[row]).toBeCloseTo(norm(own.subarray(row * d, (row + 1) * d)), 10);
  });

  test('the empty prompt has no shares', () => {
    const found = conditioningShares(z(empty), z(empty), kinds);
    expect([found.total, ...Object.values(found.shares)]).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('words', () => {
  test('leaving a word out and saying it first change rows as in float64; rows before it are exactly as they were', async () => {
    const effects = await wordEffects({ pass, items }, encoder);
    const [own, circle] = [z(pass), items[2]];
    const without = z(withRowsHidden(pass, circle.rows));
    const moved = saidFirst(pass, circle.rows);
    const first = z(moved.pass);
    for (const row of [1, 3, 4, eos, 76]) {
      expect(effects[2].hidden[row]).toBeCloseTo(difference(own, without, [row]), 4);
      expect(effects[2].first[row]).toBeCloseTo(
        difference(own, first, [row], (at) => moved.placeOf[at]),
        4,
      );
    }
    expect([...effects[2].hidden.subarray(0, circle.rows[0])].every((change) => change === 0)).toBe(true);
    expect(effects[2].hidden[eos]).toBeGreaterThan(0);
    // The first word is first already, and its rows do not count for what it does to others.
    expect(effects[0].firstTotal).toBe(0);
    expect(effects[2].hiddenTotal).toBeCloseTo(
      difference(
        own,
        without,
        allRows.filter((row) => row !== 3),
      ),
      3,
    );
  });

  test('leaving nothing out changes nothing', async () => {
    const none = { text: '', rows: [], range: { start: 0, end: 0 } };
    const [effect] = await wordEffects({ pass, items: [none] }, encoder);
    expect([effect.hiddenTotal, effect.firstTotal, Math.max(...effect.hidden)]).toEqual([0, 0, 0]);
  });

  test('a moved word takes its vector and its mask with it', () => {
    const vector = new Float32Array(d).fill(1);
    const { pass: moved, placeOf } = saidFirst({ ...pass, vectors: new Map([[3, vector]]) }, [3]);
    expect([...moved.inputIds.slice(0, 5)]).toEqual([0, 3, 1, 2, 4].map((row) => pass.inputIds[row]));
    expect(moved.vectors).toEqual(new Map([[1, vector]]));
    expect(placeOf.slice(0, 5)).toEqual([0, 2, 3, 1, 4]);
  });

  test('each word takes from the words before it what float64 says, and exactly nothing from those after it', async () => {
    const taken = await leakage({ pass, items }, encoder);
    const own = z(pass);
    const without = z(withRowsHidden(pass, items[1].rows));
    expect(taken[2].from[1]).toBeCloseTo(difference(own, without, items[2].rows), 4);
    expect(taken[2].distance).toBeCloseTo(difference(own, z(withRowsAlone(pass, items[2].rows)), items[2].rows), 4);
    taken.forEach(({ from }, taker) => {
      expect(
        from.every((change, giver) => (giver < taker ? change > 0 : change === 0)),
        `${taker}`,
      ).toBe(true);
    });
    expect([taken[0].distance, taken[0].turn]).toEqual([0, 0]);
    // A word of one row turns by what that row does.
    expect(items[2].rows).toHaveLength(1);
    const [row] = items[2].rows;
    expect(taken[2].turn).toBeGreaterThan(0);
    expect(taken[2].turn).toBeCloseTo(1 - cosine(own, z(withRowsAlone(pass, items[2].rows)), row), 6);
    const found = leaks(taken);
    expect(found).toHaveLength((items.length * (items.length - 1)) / 2);
    expect(found.every(({ share }, i) => i === 0 || share <= found[i - 1].share)).toBe(true);
  });
});

describe('layers', () => {
  test('the way to the last layer ends at 0, and what layers add is that of float64', async () => {
    const { left, attention: added, mlp } = await layerTravel(pass, N, encoder);
    expect([...left[N]].every((share) => share === 0)).toBe(true);
    const { hiddenStates, lastHiddenState } = reference(pass);
    expect(left[1][eos]).toBeCloseTo(
      difference(normed(hiddenStates[1]), lastHiddenState, [eos]) /
        norm(lastHiddenState.subarray(eos * d, (eos + 1) * d)),
      5,
    );
    const all = ablated(null);
    const attentionOf = (row: number) => difference(all.middle[0], hiddenStates[0], [row]);
    expect(added[0][eos]).toBeCloseTo(attentionOf(eos) / norm(hiddenStates[0].subarray(eos * d, (eos + 1) * d)), 5);
    const mlpOf = difference(hiddenStates[1], all.middle[0], [eos]);
    expect(mlp[0][eos]).toBeCloseTo(mlpOf / norm(all.middle[0].subarray(eos * d, (eos + 1) * d)), 5);
  });

  test('with clip skip the way ends at the state that is read', async () => {
    const whole = await layerTravel(pass, N, encoder);
    const short = await layerTravel(pass, 1, encoder);
    expect(short.left).toHaveLength(2);
    expect([...short.left[1]].every((share) => share === 0)).toBe(true);
    expect(short.left[0][eos]).not.toBeCloseTo(whole.left[0][eos], 3);
    expect([short.attention, short.mlp]).toEqual([whole.attention.slice(0, 1), whole.mlp.slice(0, 1)]);
    expect(short.massive.every(({ state }) => state <= 1)).toBe(true);
  });

  test('a massive number is found at its largest', () => {
    const states = [Float64Array.from({ length: 12 }, (_, i) => (i % 2 ? 1 : -1)), new Float64Array(12).fill(1)];
    states[0][5] = -30;
    states[1][5] = 40;
    states[1][2] = 19;
    const known = new Map<number, MassiveNumber>();
    // The last state may come first.
    for (const state of [1, 0]) findMassive(known, states[state], 4, state);
    expect([...known.values()]).toEqual([{ state: 1, row: 1, dimension: 1, value: 40, ratio: 40 }]);
  });
});

describe('variants of a text', () => {
  test.each([
    [
      'a red circle left of a blue square',
      ['a blue circle left of a red square', 'a blue square left of a red circle'],
    ],
    ['red hair, blue eyes', ['blue hair, red eyes', 'blue eyes, red hair']],
    ['a cat', []],
  ])('%s', (text, exchanged) => {
    const variants = textVariants(text);
    expect(variants.filter(({ name }) => name.includes('exchanged')).map((variant) => variant.text)).toEqual(exchanged);
    expect(variants.some((variant) => variant.text === `not ${text}`)).toBe(true);
  });

  test('cosines at EOS are those of float64 at every layer, and of equal prompts exactly 1', async () => {
    const other = saidFirst(pass, items[7].rows).pass;
    const both = [
      { pass, eos },
      { pass: other, eos },
    ];
    const [same, moved] = await eosTurns({ pass, eos }, both, N, encoder);
    expect([...same]).toEqual([0, 0, 0]);
    // EOS is the same token at the same place before any layer has mixed the rows.
    expect(moved[0]).toBe(0);
    for (const state of [1, N]) {
      const [own, others] = [pass, other].map((of) => normed(reference(of).hiddenStates[state]));
      expect(moved[state], `state ${state}`).toBeGreaterThan(0);
      expect(moved[state], `state ${state}`).toBeCloseTo(1 - cosine(own, others, eos), 6);
    }
    // With clip skip 2 the state before the last is read: what comes after it is left out.
    const skipped = await eosTurns({ pass, eos }, both, N - 1, encoder);
    expect(skipped.map((turns) => [...turns])).toEqual([same, moved].map((turns) => [...turns.subarray(0, N)]));
    expect(textVariants('  ')).toEqual([]);
  });
});

interface Off {
  readonly layer: number;
  readonly head?: number;
  readonly way?: 'zero' | 'uniform';
}

/** The encoder in float64 with something switched off, and the stream after each layer's attention. */
function ablated(off: Off | null): { readonly z: Float64Array; readonly middle: readonly Float64Array[] } {
  const mask = attentionMask(pass);
  let x = reference(pass).hiddenStates[0];
  const middle: Float64Array[] = [];
  for (let layer = 0; layer < N; layer++) {
    const of = (part: LayerTensorName) => weightOf(layer, part);
    const dense = (input: Float64Array, part: 'q' | 'k' | 'v' | 'out') =>
      linear(input, of(`self_attn.${part}_proj.weight`), of(`self_attn.${part}_proj.bias`), d, d);
    const u = layerNorm(x, of('layer_norm1.weight'), of('layer_norm1.bias'), 1e-5);
    const v = dense(u, 'v');
    const { output } = attention(dense(u, 'q'), dense(u, 'k'), v, mask, L, h, headDim);
    const isHere = off?.layer === layer;
    if (isHere && off.head !== undefined)
      for (const row of allRows)
        for (let c = off.head * headDim; c < (off.head + 1) * headDim; c++) {
          const seen = allRows.slice(0, row + 1).map((key) => v[key * d + c]);
          output[row * d + c] = off.way === 'uniform' ? seen.reduce((a, b) => a + b) / seen.length : 0;
        }
    const after = add(x, dense(output, 'out'));
    middle.push(after);
    const u2 = layerNorm(after, of('layer_norm2.weight'), of('layer_norm2.bias'), 1e-5);
    const m = clipTiny.intermediateSize;
    const g = quickGelu(linear(u2, of('mlp.fc1.weight'), of('mlp.fc1.bias'), d, m));
    const mlp = linear(g, of('mlp.fc2.weight'), of('mlp.fc2.bias'), m, d);
    x = isHere && off.head === undefined ? after : add(after, mlp);
  }
  return {
    z: layerNorm(x, weights.get(finalLayerNormWeightName)!, weights.get(finalLayerNormBiasName)!, 1e-5),
    middle,
  };
}

describe('ablation', () => {
  test.each(['zero', 'uniform'] as const)('heads and MLPs switched off change rows as in float64: %s', async (way) => {
    const found = await ablations(pass, way, N, encoder);
    const own = z(pass);
    expectClose('nothing off', ablated(null).z, own, 1e-12);
    for (const [layer, head] of [
      [0, 1],
      [1, 3],
    ]) {
      const other = ablated({ layer, head, way }).z;
      expect(found.heads[layer][head].total).toBeCloseTo(difference(own, other, allRows), 3);
      expect(found.heads[layer][head].rows[eos]).toBeCloseTo(difference(own, other, [eos]), 4);
    }
    for (const layer of [0, 1])
      expect(found.mlps[layer].total).toBeCloseTo(difference(own, ablated({ layer }).z, allRows), 3);
    expect(found.length).toBeCloseTo(norm(own), 3);
    // BOS sees itself alone, so that even attention is its own.
    expect(found.heads[0][0].rows[0] === null).toBe(way === 'uniform');
  });

  test('MLPs that are known are not switched off once more, and are the same', async () => {
    const { mlps } = await ablations(pass, 'zero', N, encoder);
    const layers: number[] = [];
    const counting: AnalysisEncoder = {
      ...encoder,
      resume(of, layer, given) {
        if (!given.attended) layers.push(layer);
        return encoder.resume(of, layer, given);
      },
    };
    expect((await ablations(pass, 'uniform', N, counting, mlps)).mlps).toEqual(mlps);
    expect(layers).toEqual([]);
    expect((await ablations(pass, 'uniform', N, counting)).mlps).toEqual(mlps);
    expect(layers).toEqual([1, 2]);
  });

  test('what comes after the state that is read cannot change it', async () => {
    const { heads, mlps } = await ablations(pass, 'zero', 1, encoder);
    expect([heads[1][0].total, mlps[1].total, heads[1][0].rows[eos]]).toEqual([null, null, null]);
    expect(heads[0][0].total).toBeGreaterThan(0);
  });
});

test('sinks are those of float64', async () => {
  const rows = allRows.slice(1, eos + 1);
  const found = await sinks(pass, rows, N, encoder);
  const { heads, valueLengths } = found;
  const { attentions, hiddenStates } = reference(pass);
  const [layer, head] = [1, 2];
  const on = (row: number, key: number) => attentions[layer][(head * L + row) * L + key];
  const u = layerNorm(hiddenStates[1], weightOf(1, 'layer_norm1.weight'), weightOf(1, 'layer_norm1.bias'), 1e-5);
  const v = linear(u, weightOf(1, 'self_attn.v_proj.weight'), weightOf(1, 'self_attn.v_proj.bias'), d, d);
  const ofHead = v.map((value, i) => (Math.floor((i % d) / headDim) === head ? value : 0));
  const projected = linear(ofHead, weightOf(1, 'self_attn.out_proj.weight'), null, d, d);
  const lengthOf = (key: number) => norm(projected.subarray(key * d, (key + 1) * d));
  const mean = (of: (row: number) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const sum = (row: number, from: number) =>
    allRows.slice(from).reduce((total, key) => total + on(row, key) * lengthOf(key), 0);
  const { attention: sink, weighted, adds } = heads[layer][head];
  expect(sink).toBeCloseTo(
    mean((row) => on(row, 0)),
    5,
  );
  expect(weighted).toBeCloseTo(
    mean((row) => (on(row, 0) * lengthOf(0)) / sum(row, 0)),
    5,
  );
  expect(valueLengths[layer][head * L + 4]).toBeCloseTo(lengthOf(4), 4);
  const without = (row: number) =>
    norm(
      Array.from({ length: d }, (_, c) =>
        allRows.slice(1).reduce((t, key) => t + on(row, key) * projected[key * d + c], 0),
      ),
    );
  expect(adds).toBeCloseTo(
    mean((row) => without(row) / norm(hiddenStates[1].subarray(row * d, (row + 1) * d))),
    4,
  );

  // The head's map has these numbers token by token, and nothing of what a row cannot see.
  const flat = attentions.flatMap((of) => [...of]);
  const map = headMap(pass, flat, found, [layer, head], allRows.slice(0, eos + 1));
  for (const row of [1, 5, eos]) {
    expect(map.weighted[row][3] ?? null).toEqual(row < 3 ? null : expect.closeTo(on(row, 3) * lengthOf(3), 4));
    expect(map.attention[row].reduce<number>((total, share) => total + (share ?? 0), 0)).toBeCloseTo(1, 6);
    expect(map.attention[row].map((share) => share === null)).toEqual(map.weighted[row].map((_, key) => key > row));
  }
  // Heads of layers after the state that is read are none of the prompt's.
  const skipped = await sinks(pass, rows, N - 1, encoder);
  expect(skipped).toEqual({ heads: heads.slice(0, N - 1), valueLengths: valueLengths.slice(0, N - 1) });

  const shareOfFirst = (row: number) =>
    map.weighted[row][0]! / map.weighted[row].reduce<number>((total, length) => total + (length ?? 0), 0);
  expect(mean(shareOfFirst)).toBeCloseTo(weighted, 5);
});
