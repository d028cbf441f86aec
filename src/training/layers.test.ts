import { expect, test } from 'vitest';
import { type AttentionSizes, attention, attentionBackward } from './attentionLayer.ts';
import {
  addPositions,
  addPositionsBackward,
  embedding,
  embeddingBackward,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackward,
  pickRows,
  pickRowsBackward,
  quickGelu,
  quickGeluBackward,
} from './layers.ts';
import { float64Products } from './products.ts';
import { expectDifferences, numbers, weightedSum } from './testing/differences.ts';

/** A parameter whose gradient is not zero at first, so that a backward pass that overwrites it is seen. */
function parameterOf(count: number, seed: number) {
  return { value: numbers(count, seed), gradient: new Float64Array(count).fill(7) };
}

/** The gradient that a backward pass has added. */
const added = (gradient: Float64Array) => gradient.map((g) => g - 7);

test('a linear layer', () => {
  const [rows, K, N] = [3, 4, 5];
  const [x, dy] = [numbers(rows * K, 1), numbers(rows * N, 2)];
  const affine = { weight: parameterOf(N * K, 3), bias: parameterOf(N, 4) };
  const loss = () => {
    const y = new Float64Array(rows * N);
    linear(float64Products, y, x, affine, rows, K, N);
    return weightedSum(y, dy);
  };
  const dx = new Float64Array(rows * K).fill(Number.NaN);
  linearBackward(float64Products, dx, dy, x, affine, rows, K, N);
  expectDifferences('x', loss, x, dx);
  expectDifferences('weight', loss, affine.weight.value, added(affine.weight.gradient));
  expectDifferences('bias', loss, affine.bias.value, added(affine.bias.gradient));
});

test('LayerNorm', () => {
  const [rows, d] = [3, 6];
  const [x, dy] = [numbers(rows * d, 1), numbers(rows * d, 2)];
  const affine = { weight: parameterOf(d, 3), bias: parameterOf(d, 4) };
  const statistics = new Float64Array(2 * rows);
  const loss = () => {
    const y = new Float64Array(rows * d);
    layerNorm(y, statistics, x, affine, rows, d, 1e-2);
    return weightedSum(y, dy);
  };
  loss();
  const dx = new Float64Array(rows * d).fill(7);
  layerNormBackward(dx, dy, x, statistics, affine, rows, d);
  expectDifferences('x', loss, x, added(dx));
  expectDifferences('weight', loss, affine.weight.value, added(affine.weight.gradient));
  expectDifferences('bias', loss, affine.bias.value, added(affine.bias.gradient));
});

test('QuickGELU', () => {
  const [x, dy] = [numbers(40, 1).map((v) => 6 * v), numbers(40, 2)];
  const loss = () => {
    const y = new Float64Array(40);
    quickGelu(y, x, 40);
    return weightedSum(y, dy);
  };
  const dx = dy.slice();
  quickGeluBackward(dx, x, 40);
  expectDifferences('x', loss, x, dx);
});

test('the embeddings of tokens, one of them twice, and of positions', () => {
  const [lengths, d] = [[2, 4], 2];
  const indices = [0, 3, 3, 1, 0, 3];
  const [table, positions] = [parameterOf(5 * d, 1), parameterOf(5 * d, 2)];
  const dy = numbers(indices.length * d, 3);
  const loss = () => {
    const y = new Float64Array(indices.length * d);
    embedding(y, table, indices, d);
    addPositions(y, positions, lengths, d);
    return weightedSum(y, dy);
  };
  embeddingBackward(table, dy, indices, d);
  addPositionsBackward(positions, dy, lengths, d);
  expectDifferences('table', loss, table.value, added(table.gradient));
  expectDifferences('positions', loss, positions.value, added(positions.gradient));
});

test('picking rows, one of them twice', () => {
  const [rows, d, picks] = [4, 3, [2, 0, 2]];
  const [x, dy] = [numbers(rows * d, 1), numbers(picks.length * d, 2)];
  const loss = () => {
    const y = new Float64Array(picks.length * d);
    pickRows(y, x, picks, d);
    return weightedSum(y, dy);
  };
  const dx = new Float64Array(rows * d).fill(Number.NaN);
  pickRowsBackward(dx, dy, picks, rows, d);
  expectDifferences('x', loss, x, dx);
});

const shared = { B: 2, h: 2, headDim: 4 };
test.each<[string, AttentionSizes]>([
  ['full', { ...shared, Lq: 5, Lk: 5, queryStride: 24, keyStride: 24, causal: false }],
  ['causal', { ...shared, Lq: 5, Lk: 5, queryStride: 24, keyStride: 24, causal: true }],
  ['cross', { ...shared, Lq: 3, Lk: 5, queryStride: 8, keyStride: 24, causal: false }],
])('attention, %s', (_, sizes) => {
  const { B, Lq, Lk, h, headDim, keyStride, queryStride } = sizes;
  const d = h * headDim;
  const keys = numbers(B * Lk * keyStride, 1).map((v) => 2 * v);
  const queries = Lq === Lk ? keys : numbers(B * Lq * queryStride, 2);
  const views = (queryRows: Float64Array, keyRows: Float64Array) => ({
    q: queryRows,
    k: keyRows.subarray(d),
    v: keyRows.subarray(2 * d),
  });
  const dattended = numbers(B * Lq * d, 3);
  const probabilities = new Float64Array(B * h * Lq * Lk).fill(Number.NaN);
  const dlooks = numbers(probabilities.length, 4);
  const loss = () => {
    const attended = new Float64Array(B * Lq * d).fill(Number.NaN);
    attention(attended, probabilities, views(queries, keys), sizes);
    return weightedSum(attended, dattended) + weightedSum(probabilities, dlooks);
  };
  loss();
  const dkeys = keys.map(() => 0);
  const dqueries = queries === keys ? dkeys : queries.map(() => Number.NaN);
  attentionBackward(views(dqueries, dkeys), dattended, probabilities, views(queries, keys), sizes, dlooks);
  for (const [at, probability] of probabilities.entries()) {
    const [query, key] = [Math.floor(at / Lk) % Lq, at % Lk];
    expect(probability === 0).toBe(sizes.causal && key > query);
  }
  expectDifferences('q, k, v', loss, keys, dkeys);
  if (queries !== keys) expectDifferences('q', loss, queries, dqueries);
});
