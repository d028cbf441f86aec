import { expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { createRandom } from '../models/seededRandom.ts';
import { createMoments, openClipAdamW } from './adamW.ts';
import {
  type ClipModel,
  type ClipModelConfig,
  clipBackward,
  clipForward,
  clipUpdate,
  createFastClipModel,
  logScaleName,
  objectiveStarts,
} from './clipModel.ts';
import { defaultRun, runModelConfig } from './clipRun.ts';
import { drawParameters } from './initialParameters.ts';
import type { ObjectiveName } from './objective.ts';
import { parameter } from './parameters.ts';
import type { Floats } from './products.ts';

const tower = {
  hiddenSize: 32,
  numAttentionHeads: 4,
  intermediateSize: 64,
  numHiddenLayers: 2,
  layerNormEps: 1e-5,
  projectionDim: 16,
};
const [B, L, V] = [8, 6, 12];
const configOf = (objective: ObjectiveName): ClipModelConfig => ({
  objective,
  text: { ...tower, headDim: 8, vocabSize: V, maxPositionEmbeddings: L },
  image: { ...tower, imageSize: 16, numChannels: 3, patchSize: 8 },
});

async function modelOf(objective: ObjectiveName, seed: number): Promise<ClipModel> {
  const model = await createFastClipModel(await compileKernels(false), configOf(objective), { B, L });
  drawParameters(model, seed);
  return model;
}

/** Trains on one batch of random captions and pictures. Returns the losses. */
function learn(model: ClipModel, steps: number): number[] {
  const random = createRandom(5);
  const tokens = Int32Array.from({ length: B * L }, () => random.below(V));
  const picks = Int32Array.from({ length: B }, (_, b) => b * L + L - 1);
  const pixels = Float32Array.from({ length: B * 3 * 16 * 16 }, () => random.spread());
  const batch = { captions: { lengths: Array<number>(B).fill(L), tokens, picks }, pixels };
  const moments = createMoments(model.parameters);
  return Array.from({ length: steps }, (_, step) => {
    const result = clipForward(model, batch);
    clipBackward(model, batch, result);
    clipUpdate(model, moments, { adamW: openClipAdamW, longestGradient: 1 }, step + 1, 2e-3);
    return result.loss;
  });
}

test.each(['clip', 'siglip'] as const)(
  'a model learns eight pairs by heart with the objective of %s',
  async (objective) => {
    const losses = learn(await modelOf(objective, 1), 60);
    expect(losses.at(-1)).toBeLessThan(losses[0] / 5);
  },
);

test('the same seed leads to the same bits, another one to others', async () => {
  const trained = async (seed: number) => {
    const model = await modelOf('clip', seed);
    learn(model, 5);
    return Buffer.from(Float32Array.from(model.parameters.values).buffer);
  };
  const first = await trained(3);
  expect(first.equals(await trained(3))).toBe(true);
  expect(first.equals(await trained(4))).toBe(false);
});

test('parameters have the spread that is said of them', async () => {
  const model = await modelOf('siglip', 2);
  const deviation = (name: string) => {
    const { value } = parameter(model.parameters, name);
    return Math.hypot(...value) / Math.sqrt(value.length);
  };
  const layer = 'text_model.encoder.layers.1.';
  for (const [name, expected] of [
    ['text_model.embeddings.token_embedding.weight', 0.02],
    [`${layer}self_attn.q_proj.weight`, 1 / Math.sqrt(32)],
    [`${layer}self_attn.out_proj.weight`, 1 / Math.sqrt(32 * 4)],
    [`${layer}mlp.fc1.weight`, 1 / 8],
    [`${layer}mlp.fc2.weight`, 1 / Math.sqrt(32 * 4)],
    ['vision_model.embeddings.patch_embedding.weight', 0.05],
    ['visual_projection.weight', 1 / Math.sqrt(32)],
  ] as const)
    expect(Math.abs(deviation(name) / expected - 1), name).toBeLessThan(0.12);
  for (const name of [
    `${layer}layer_norm1.weight`,
    'vision_model.pre_layrnorm.weight',
    'text_model.final_layer_norm.weight',
  ])
    expect(new Set(parameter(model.parameters, name).value), name).toEqual(new Set([1]));
  expect(new Set(parameter(model.parameters, `${layer}mlp.fc1.bias`).value)).toEqual(new Set([0]));
  expect(parameter(model.parameters, logScaleName).value[0]).toBe(Math.fround(objectiveStarts.siglip.logScale));
  expect(model.logitBias?.value[0]).toBe(-10);
});

test('the rows of neighbouring places are alike, along a caption and along both axes of a picture', async () => {
  const config = runModelConfig(defaultRun, V);
  const model = await createFastClipModel(await compileKernels(false), config, { B: 1, L });
  drawParameters(model, 2);
  const product = (a: Floats, b: Floats) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };
  for (const [name, d, steps, deviation] of [
    ['text_model', config.text.hiddenSize, [1], 0.02],
    ['vision_model', config.image.hiddenSize, [1, 8], 0.3],
  ] as const) {
    const { value } = parameter(model.parameters, `${name}.embeddings.position_embedding.weight`);
    // The class token's row is no place.
    const places = name === 'vision_model' ? value.subarray(d) : value;
    expect(Math.abs(Math.sqrt(product(places, places) / places.length) / deviation - 1), name).toBeLessThan(0.15);
    const likeness = (i: number, j: number) => {
      const [a, b] = [i, j].map((place) => places.subarray(place * d, (place + 1) * d));
      return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
    };
    for (const step of steps) expect(likeness(20, 20 + step), `${name} ${step}`).toBeGreaterThan(0.6);
    expect(likeness(0, places.length / d - 1), name).toBeLessThan(0.4);
  }
});
