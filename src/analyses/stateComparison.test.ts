import { beforeAll, describe, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { withRowsHidden } from '../clip/maskEffects.ts';
import { type ReferenceOutput, referenceEncoder } from '../clip/reference.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { clipSkip } from '../road/clipSkip.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { tokenizer } from '../state/testing/fakeEncoder.ts';
import { compareStates, type EncodedState } from './stateComparison.ts';

const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N } = clipTiny;
/** The stages of a comparison: the embeddings, then each layer, the final LayerNorm, and the weighting. */
const [embeddings, firstLayer, finalNorm, weighting] = [0, 1, N + 1, N + 2];

let encode: (pass: EncoderPass) => ReferenceOutput;
beforeAll(async () => {
  encode = await referenceEncoder(syntheticWeights(clipTiny));
});

const passOf = (prompt: string) => preparePrompt(prompt, defaultOptions, tokenizer).chunks[0].pass;

/** A state in float64; `scaled` multiplies one row, as a weight does. */
function stateOf(pass: EncoderPass, scaled?: { readonly row: number; readonly by: number }): EncodedState {
  const { hiddenStates, lastHiddenState: rows } = encode(pass);
  const weighted = rows.map((value, i) => (Math.floor(i / d) === scaled?.row ? value * scaled.by : value));
  const labels = Array.from(pass.inputIds, (id) => `${id}`);
  return { name: 'a state', ids: pass.inputIds, labels, d, states: hiddenStates, rows, weighted };
}

const allRows = Array.from({ length: L }, (_, row) => row);

describe('two states, stage by stage', () => {
  test('a state differs from itself nowhere: exact zeros, and no birth', () => {
    const state = stateOf(passOf('a red circle'));
    const { pairs, without, stages, bornAt } = compareStates(state, stateOf(passOf('a red circle')));
    expect(pairs).toEqual(allRows.map((row) => [row, row]));
    expect(without).toEqual([0, 0]);
    expect(stages).toHaveLength(N + 3);
    expect(stages.flat().filter((change) => change !== 0)).toEqual([]);
    expect(bornAt.every((stage) => stage === null)).toBe(true);
  });

  test('rows before the first other token are equal to the bit; those after it differ from the first layer on', () => {
    const { pairs, without, stages, bornAt } = compareStates(
      stateOf(passOf('a red circle left of a star')),
      stateOf(passOf('a red square left of a star')),
    );
    // Row 3 has another token, and no partner.
    expect(pairs.map(([a]) => a)).toEqual(allRows.filter((row) => row !== 3));
    expect(without).toEqual([1, 1]);
    for (const [pair, [row]] of pairs.entries()) {
      expect(bornAt[pair], `row ${row}`).toBe(row < 3 ? null : firstLayer);
      for (const [stage, changes] of stages.entries())
        expect(changes[pair] !== 0, `row ${row}, stage ${stage}`).toBe(row > 3 && stage >= firstLayer);
    }
  });

  test('distances are those of float64, as shares of A’s rows', () => {
    const [a, b] = ['a red circle', 'a blue circle'].map((prompt) => stateOf(passOf(prompt)));
    const { pairs, stages } = compareStates(a, b);
    const of = ({ states, rows, weighted }: EncodedState) => [...states, rows, weighted];
    const norm = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
    for (const stage of [firstLayer, finalNorm, weighting])
      for (const row of [3, 4, 76]) {
        const [own, other] = [of(a)[stage], of(b)[stage]].map((rows) => Array.from(rows).slice(row * d, (row + 1) * d));
        const pair = pairs.findIndex(([at]) => at === row);
        expect(stages[stage][pair]).toBeCloseTo(norm(own.map((x, c) => x - other[c])) / norm(own), 12);
      }
  });

  test('a weight is born in the weighting, and by as much as it is away from 1', () => {
    const pass = passOf('a red circle');
    const { stages, bornAt } = compareStates(stateOf(pass), stateOf(pass, { row: 2, by: 1.3 }));
    expect(allRows.filter((row) => bornAt[row] !== null)).toEqual([2]);
    expect(bornAt[2]).toBe(weighting);
    expect(stages[weighting][2]).toBeCloseTo(0.3, 12);
  });

  test('clip skip is born in the final LayerNorm, which gives every row another one: the layers are the same', () => {
    const state = stateOf(passOf('a red circle'));
    const hiddenStates = new Map(state.states.map((rows, index) => [index, Float32Array.from(rows)]));
    const plain = { weight: new Float32Array(d).fill(1), bias: new Float32Array(d) };
    const [own, rows] = [1, 2].map((skip) =>
      clipSkip({ hiddenStates, lastHiddenState: Float32Array.from(state.rows) }, skip, clipTiny, plain),
    );
    const { stages, bornAt } = compareStates(
      { ...state, rows: own, weighted: own },
      { ...state, rows, weighted: rows },
    );
    expect(bornAt).toEqual(allRows.map(() => finalNorm));
    expect(stages.slice(0, finalNorm).flat().filter(Boolean)).toEqual([]);
  });

  test('a mask is born in the first layer, in the rows after what it hides', () => {
    const pass = passOf('a red circle');
    const { bornAt } = compareStates(stateOf(pass), stateOf(withRowsHidden(pass, [2])));
    expect(bornAt).toEqual(allRows.map((row) => (row < 2 ? null : firstLayer)));
  });

  test('a token at another place differs from its position embedding on', () => {
    const { pairs, bornAt, without } = compareStates(stateOf(passOf('a circle')), stateOf(passOf('a red circle')));
    const moved = pairs.findIndex(([a, b]) => a !== b);
    expect(pairs[moved]).toEqual([2, 3]);
    expect(bornAt.slice(0, moved)).toEqual([null, null]);
    expect(bornAt[moved]).toBe(embeddings);
    // A row of PAD less stands at the end.
    expect(without).toEqual([1, 1]);
  });
});

test('states of two sizes do not compare, in a sentence', () => {
  const state = stateOf(passOf('a circle'));
  expect(() => compareStates(state, { ...state, d: 768 })).toThrow(
    `Rows of ${d} numbers after ${N} layers do not compare with rows of 768 after ${N}: choose two models of one size.`,
  );
  expect(() => compareStates(state, { ...state, states: state.states.slice(1) })).toThrow(RangeError);
});
