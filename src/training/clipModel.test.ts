import { describe, expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { createMoments, learningRateAt, openClipAdamW } from './adamW.ts';
import {
  type ClipModel,
  clipBackward,
  clipForward,
  clipUpdate,
  createClipModel,
  createFastClipModel,
  logScaleName,
} from './clipModel.ts';
import { parameter } from './parameters.ts';
import { imageConfig, setParameters, textConfig, tokenRowsOf } from './testing/recordedModels.ts';
import { expectRowsClose, recordedCases } from './testing/recordedTraining.ts';
import { firstEos } from './textTower.ts';
import { float64Kernels } from './trainingKernels.ts';

const [recorded] = recordedCases('training_step');
const {
  batch: B,
  warmup,
  total_steps: total,
  lr,
  weight_decay: weightDecay,
  max_grad_norm: longestGradient,
} = recorded.config;
const L = 16;
const text = textConfig(recorded.config.text, recorded.array('token_ids').length, L + 1);
const image = imageConfig(recorded.config.vision);
const captions = {
  lengths: Array<number>(B).fill(L),
  tokens: tokenRowsOf(recorded),
  picks: firstEos(recorded.array('input_ids'), L, text.eosTokenId),
};
const batch = { captions, pixels: recorded.array('pixel_values') };
const settings = { adamW: { ...openClipAdamW, weightDecay }, longestGradient };

const config = { objective: 'clip', text, image } as const;

const exactModel = () => createClipModel(float64Kernels, config, { B, L });
const fastModel = async () => createFastClipModel(await compileKernels(false), config, { B, L });

/** Gives a model the parameters before step 1 of a recorded run. */
function startOf(run: number, model = exactModel()): ClipModel {
  setParameters(model.parameters, recorded.tensors('parameters_0'));
  model.logScale.value[0] = recorded.array('logit_scale_start')[run];
  return model;
}

function train(model: ClipModel, steps: number, isFrozen?: (name: string) => boolean) {
  const moments = createMoments(model.parameters);
  return Array.from({ length: steps }, (_, step) => {
    const learningRate = learningRateAt(step, lr, warmup, total);
    const result = clipForward(model, batch);
    clipBackward(model, batch, result);
    const norm = clipUpdate(model, moments, { ...settings, isFrozen }, step + 1, learningRate);
    return { learningRate, loss: result.loss, norm, logScale: model.logScale.value[0] };
  });
}

describe('training steps', () => {
  test.each([0, 1, 2])('run %i has the recorded losses, gradient norms and temperatures', (run) => {
    const close = (actual: number, expected: number) =>
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9 * Math.abs(expected));
    for (const [step, { learningRate, loss, norm, logScale }] of train(startOf(run), 5).entries()) {
      expect(learningRate).toBeCloseTo(recorded.array('lr')[step], 15);
      close(loss, recorded.array('loss', run, step)[0]);
      close(norm, recorded.array('grad_norm', run, step)[0]);
      close(logScale, recorded.array('logit_scale', run, step)[0]);
    }
  });

  test('the first step has the recorded features and gradients', () => {
    const model = startOf(0);
    const result = clipForward(model, batch);
    clipBackward(model, batch, result);
    const E = text.projectionDim;
    expectRowsClose('text_embeds', model.text.tower.features, recorded.array('text_embeds_0'), E, 1e-12);
    expectRowsClose('image_embeds', model.image.tower.features, recorded.array('image_embeds_0'), E, 1e-12);
    for (const [name, expected] of recorded.tensors('gradients_1')) {
      const width = model.parameters.places.get(name)!.shape.at(-1) ?? 1;
      expectRowsClose(name, parameter(model.parameters, name).gradient, expected, width, 1e-9, 1e-3);
    }
  });

  test('five steps lead to the recorded parameters', () => {
    const model = startOf(0);
    train(model, 5);
    for (const [name, expected] of recorded.tensors('parameters_5')) {
      const { value } = parameter(model.parameters, name);
      for (let i = 0; i < expected.length; i++)
        if (!(Math.abs(value[i] - expected[i]) <= 1e-10))
          expect.fail(`${name}[${i}] is ${value[i]}, expected ${expected[i]}`);
    }
  });

  test.each([0, 1, 2])('in float32 run %i is the recorded one but for rounding', async (run) => {
    const close = (actual: number, expected: number, rtol: number) =>
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(rtol * Math.abs(expected));
    const model = startOf(run, await fastModel());
    for (const [step, { loss, norm, logScale }] of train(model, 5).entries()) {
      close(loss, recorded.array('loss', run, step)[0], 1e-5);
      close(norm, recorded.array('grad_norm', run, step)[0], 3e-5);
      close(logScale, recorded.array('logit_scale', run, step)[0], 1e-5);
    }
    if (run !== 0) return;
    for (const [name, expected] of recorded.tensors('parameters_5')) {
      const { value } = parameter(model.parameters, name);
      for (let i = 0; i < expected.length; i++)
        if (!(Math.abs(value[i] - expected[i]) <= 2e-5))
          expect.fail(`${name}[${i}] is ${value[i]}, expected ${expected[i]}`);
    }
  });

  test('in float32 the first gradients are the recorded ones, row by row', async () => {
    const model = startOf(0, await fastModel());
    clipBackward(model, batch, clipForward(model, batch));
    for (const [name, expected] of recorded.tensors('gradients_1')) {
      const width = model.parameters.places.get(name)!.shape.at(-1) ?? 1;
      expectRowsClose(name, parameter(model.parameters, name).gradient, expected, width, 2e-5, 0.03);
    }
  });

  test('frozen tensors keep their values, and the others learn', () => {
    const model = startOf(0);
    const before = model.parameters.values.slice();
    train(model, 2, (name) => name === logScaleName || name.startsWith('text_'));
    for (const { name, offset, length } of model.parameters.places.values()) {
      const isFrozen = name === logScaleName || name.startsWith('text_');
      const isSame = model.parameters.values
        .subarray(offset, offset + length)
        .every((v, i) => v === before[offset + i]);
      expect(isSame, name).toBe(isFrozen);
    }
  });

  test('with the objective of SigLIP the gradients of bias and temperature are finite differences of the loss', () => {
    const model = createClipModel(float64Kernels, { ...config, objective: 'siglip' }, { B, L });
    setParameters(model.parameters, recorded.tensors('parameters_0'));
    const { logScale, logitBias } = model;
    clipBackward(model, batch, clipForward(model, batch));
    for (const { value, gradient } of [logScale, logitBias!]) {
      const start = value[0];
      const [above, below] = [1e-5, -1e-5].map((by) => {
        value[0] = start + by;
        return clipForward(model, batch).loss;
      });
      value[0] = start;
      expect((above - below) / 2e-5).toBeCloseTo(gradient[0], 7);
    }
  });
});

test('the learning rate rises to its highest and falls to zero', () => {
  const rates = Array.from({ length: 12 }, (_, step) => learningRateAt(step, 2, 4, 10));
  expect(rates.slice(0, 5)).toEqual([0.5, 1, 1.5, 2, 2]);
  expect(rates[7]).toBeCloseTo(1, 15);
  for (let step = 5; step <= 10; step++) expect(rates[step]).toBeLessThan(rates[step - 1]);
  for (const rate of rates.slice(10)) expect(rate).toBeCloseTo(0, 15);
});
