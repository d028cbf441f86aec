import { beforeAll, expect, test } from 'vitest';
import { toFloat32 } from '../files/dtypes.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { clipTiny } from './config.ts';
import { type LayerTensorKey, layerTensorShapes } from './layerTensors.ts';
import { encoderPass, maskModes } from './masks.ts';
import index from './recorded/index.json';
import { type ReferenceOutput, referenceEncoder } from './reference.ts';
import { sizeOf, stages, type TensorKey } from './stages.ts';
import { expectClose, at as partOf, recordedArray } from './testing/recorded.ts';
import { layerStages, type Weights } from './testing/runStages.ts';
import { expectedTensors } from './weights.ts';

const { numHiddenLayers: N } = clipTiny;
let weights: Weights;
let reference: (pass: ReturnType<typeof encoderPass>) => ReferenceOutput;
beforeAll(async () => {
  const source = syntheticWeights(clipTiny);
  reference = await referenceEncoder(source);
  const read = async (name: string) => [name, Float64Array.from(toFloat32(await source.read(name), 'F32'))] as const;
  weights = new Map(await Promise.all([...expectedTensors(clipTiny).keys()].map(read)));
});

test.each(maskModes)('the operations, one after the other, are the reference to the bit: %s mask', (mode) => {
  const pass = encoderPass(Uint32Array.from(index.ids[1]), mode);
  const { hiddenStates, attentions, lastHiddenState } = reference(pass);
  const embedded = layerStages(clipTiny, weights, pass, -1);
  expect(embedded.get('hidden')).toEqual(hiddenStates[0]);
  let hidden = hiddenStates[0];
  for (let layer = 0; layer < N; layer++) {
    const made = layerStages(clipTiny, weights, pass, layer, hidden);
    expect(made.get('probabilities')).toEqual(attentions[layer]);
    hidden = made.get('residual2')!;
    expect(hidden).toEqual(hiddenStates[layer + 1]);
  }
  expect(layerStages(clipTiny, weights, pass, N, hidden).get('last_hidden_state')).toEqual(lastHiddenState);
});

test('the operations of the last layer against the recording', () => {
  const pass = encoderPass(Uint32Array.from(index.ids[1]), 'hf');
  const [before, after] = [N - 1, N].map((i) => partOf(recordedArray('clip/recorded/tiny_B_hf_hidden.npy'), 0, i));
  const made = layerStages(clipTiny, weights, pass, N - 1, Float64Array.from(before));
  expectClose('residual2', made.get('residual2')!, after, 1e-6);
  const probabilities = partOf(recordedArray('clip/recorded/tiny_B_hf_attn_p1_p3.npy'), 0, N - 1);
  expectClose('probabilities', made.get('probabilities')!, probabilities, 1e-6);
});

test('every tensor that can be read back belongs to one operation, and has its shape', () => {
  const operations = stages.flatMap(({ operations }) => operations);
  const keys = operations.map(({ tensor }) => tensor);
  expect(new Set(keys).size).toBe(keys.length);
  const shapes = new Map<TensorKey, readonly number[]>(
    [-1, 0, N].flatMap((layer): [LayerTensorKey, readonly number[]][] => [...layerTensorShapes(clipTiny, layer)]),
  );
  const square = [clipTiny.numAttentionHeads, clipTiny.maxPositionEmbeddings, clipTiny.maxPositionEmbeddings];
  shapes.set('scores', square).set('masked_scores', square);
  expect(new Map(operations.map(({ tensor, shape }) => [tensor, shape.map((size) => sizeOf(size, clipTiny))]))).toEqual(
    shapes,
  );
});
