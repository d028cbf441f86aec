import { beforeAll, expect, test } from 'vitest';
import { toFloat32 } from '../files/dtypes.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { type CellInputs, cellSum, largestTerms } from './cellSums.ts';
import { clipTiny } from './config.ts';
import { attentionMask, encoderPass } from './masks.ts';
import index from './recorded/index.json';
import { sizeOf, stages, type TensorKey } from './stages.ts';
import { layerStages, type Weights } from './testing/runStages.ts';
import { expectedTensors } from './weights.ts';

const { numHiddenLayers: N } = clipTiny;
const pass = encoderPass(Uint32Array.from(index.ids[1]), 'hf');
const mask = attentionMask(pass);
let weights: Weights;
const matrices = new Map<string, ReadonlyMap<TensorKey, Float64Array>>();
beforeAll(async () => {
  const source = syntheticWeights(clipTiny);
  const read = async (name: string) => [name, Float64Array.from(toFloat32(await source.read(name), 'F32'))] as const;
  weights = new Map(await Promise.all([...expectedTensors(clipTiny).keys()].map(read)));
  const before = layerStages(clipTiny, weights, pass, -1);
  const layer = layerStages(clipTiny, weights, pass, 0, before.get('hidden'));
  const after = layerStages(clipTiny, weights, pass, N, layer.get('residual2'));
  for (const [place, made] of Object.entries({ before, layer, after })) matrices.set(place, made);
});

const operations = stages.flatMap(({ place, operations }) => operations.map((operation) => ({ place, operation })));

test.each(operations)('a cell of $operation.tensor is the sum that is shown for it', ({ place, operation }) => {
  const { rule, tensor: key, shape } = operation;
  const made = matrices.get(place)!;
  const [rows, columns] = shape.slice(-2).map((size) => sizeOf(size, clipTiny));
  const heads = shape.length === 3 ? sizeOf(shape[0], clipTiny) : 1;
  for (let n = 0; n < 60; n++) {
    const cell = { head: n % heads, row: (n * 7) % rows, column: (n * 5) % columns };
    const inputs: CellInputs = {
      config: clipTiny,
      inputIds: pass.inputIds,
      mask,
      tensor: (read) => made.get(read)!,
      weight: 'part' in rule ? weightRow(rule.part, cell.column) : null,
    };
    const sum = cellSum(rule, key, cell, inputs);
    const value = made.get(key)![(cell.head * rows + cell.row) * columns + cell.column];
    if (Number.isFinite(value)) expect(Math.abs(sum.total - value)).toBeLessThanOrEqual(1e-12 * (1 + Math.abs(value)));
    else expect(sum.total).toBe(value);
    const { largest, others, rest } = largestTerms(sum.terms);
    expect(largest.length + others).toBe(sum.terms.length);
    const all = sum.terms.reduce((total, term) => total + term.value, 0);
    expect(largest.reduce((total, term) => total + term.value, rest)).toBeCloseTo(all, 10);
  }
});

/** Gives a row of a weight as the encoder reads it back: for a LayerNorm one number and its β. */
function weightRow(part: string, row: number) {
  const prefix = part === 'final_layer_norm' ? 'text_model' : 'text_model.encoder.layers.0';
  const weight = weights.get(`${prefix}.${part}.weight`)!;
  const bias = weights.get(`${prefix}.${part}.bias`)!;
  const width = weight.length / bias.length;
  return { weight: weight.subarray(row * width, (row + 1) * width), bias: bias[row] };
}

test('a query that sees no key has no terms, and probability 0', () => {
  const { maxPositionEmbeddings: L, numAttentionHeads: h } = clipTiny;
  const scores = new Float64Array(h * L * L).fill(Number.NEGATIVE_INFINITY);
  const inputs = { config: clipTiny, inputIds: pass.inputIds, mask, tensor: () => scores, weight: null };
  const sum = cellSum({ kind: 'softmax' }, 'probabilities', { head: 1, row: 2, column: 3 }, inputs);
  expect(sum).toMatchObject({ terms: [], total: 0 });
});
