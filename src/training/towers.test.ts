import { describe, expect, test } from 'vitest';
import { createImageTower, imageBackward, imageForward, imageTowerShapes } from './imageTower.ts';
import { createParameters, type ParameterSet, parameter } from './parameters.ts';
import { imageConfig, setParameters, textConfig, tokenRowsOf } from './testing/recordedModels.ts';
import { expectRowsClose, type RecordedCase, recordedCases } from './testing/recordedTraining.ts';
import {
  createTextTower,
  firstEos,
  textBackward,
  textBackwardFromPooled,
  textForward,
  textTowerShapes,
} from './textTower.ts';
import { float64Kernels } from './trainingKernels.ts';

/** Holds all gradients to those of a file, row by row. A gradient that is 0 in exact arithmetic has its tensor's rounding. */
function expectGradients(parameters: ParameterSet, recorded: RecordedCase, file: string, rtol: number) {
  const expected = recorded.tensors(file);
  const largest = Math.max(...Array.from(expected.values(), (gradient) => Math.hypot(...gradient)));
  expect(expected.size).toBe(parameters.places.size);
  for (const [name, gradient] of expected) {
    const width = parameters.places.get(name)!.shape.at(-1)!;
    expectRowsClose(name, parameter(parameters, name).gradient, gradient, width, rtol, largest / 1e4);
  }
}

describe('the text tower', () => {
  const [recorded] = recordedCases('text_tower');
  const ids = recorded.array('input_ids');
  const [B, L] = [4, 16];
  const config = textConfig(recorded.config, recorded.array('token_ids').length, L);
  const { hiddenSize: d, eosTokenId } = config;
  const tokens = tokenRowsOf(recorded);

  test('is as transformers computes it, pooled at the EOS', () => {
    const parameters = createParameters(new Map(textTowerShapes(config)), float64Kernels.allocate);
    setParameters(parameters, recorded.tensors('parameters'));
    const text = createTextTower(float64Kernels, parameters, config, { B, L });
    const captions = { B, L, tokens, picked: firstEos(ids, L, eosTokenId) };
    const features = textForward(text, captions);
    expectRowsClose('text_embeds', features, recorded.array('text_embeds'), config.projectionDim, 1e-12);
    expectRowsClose('pooled', text.tower.pooled, recorded.array('pooled'), d, 1e-12);
    textBackward(text, recorded.array('upstream_text_embeds'), captions);
    expectGradients(parameters, recorded, 'gradients_from_text_embeds', 1e-10);
    const dinput = recorded.array('grad_input_embeddings_from_text_embeds');
    expectRowsClose('input embeddings', text.tower.back.stream, dinput, d, 1e-10, 1e-3);
  });

  test('is as transformers computes it in every row', () => {
    const parameters = createParameters(new Map(textTowerShapes(config)), float64Kernels.allocate);
    setParameters(parameters, recorded.tensors('parameters'));
    const text = createTextTower(float64Kernels, parameters, config, { B, L, P: B * L });
    const captions = { B, L, tokens, picked: Int32Array.from({ length: B * L }, (_, row) => row) };
    textForward(text, captions);
    expectRowsClose('last_hidden_state', text.tower.pooled, recorded.array('last_hidden_state'), d, 1e-12);
    text.tower.back.pooled.set(recorded.array('upstream_last_hidden_state'));
    textBackwardFromPooled(text, captions);
    expectGradients(parameters, recorded, 'gradients_from_last_hidden_state', 1e-10);
    const dinput = recorded.array('grad_input_embeddings_from_last_hidden_state');
    expectRowsClose('input embeddings', text.tower.back.stream, dinput, d, 1e-10);
  });

  test('gives the same features where the rows after the last EOS are left out', () => {
    const parameters = createParameters(new Map(textTowerShapes(config)), float64Kernels.allocate);
    setParameters(parameters, recorded.tensors('parameters'));
    const text = createTextTower(float64Kernels, parameters, config, { B, L });
    const ends = firstEos(ids, L, eosTokenId).map((row) => row % L);
    // One caption fills all 16 positions.
    const shorter = Array.from(ends.keys()).filter((b) => ends[b] < L - 1);
    const short = Math.max(...shorter.map((b) => ends[b])) + 1;
    const batchOf = (length: number) => ({
      B: shorter.length,
      L: length,
      tokens: Int32Array.from(shorter.flatMap((b) => Array.from(tokens.subarray(b * L, b * L + length)))),
      picked: Int32Array.from(shorter, (b, row) => row * length + ends[b]),
    });
    const whole = textForward(text, batchOf(L)).slice();
    expect(shorter.length).toBe(3);
    expect(textForward(text, batchOf(short))).toEqual(whole);
  });

  test('a caption without an end is named', () => {
    expect(() => firstEos([1, 9, 1, 1], 2, 9)).toThrow('Caption 1 has no end');
  });
});

test('the image tower is as transformers computes it', () => {
  const [recorded] = recordedCases('vision_tower');
  const config = imageConfig(recorded.config);
  const B = 3;
  const { hiddenSize: d } = config;
  const parameters = createParameters(new Map(imageTowerShapes(config)), float64Kernels.allocate);
  setParameters(parameters, recorded.tensors('parameters'));
  const image = createImageTower(float64Kernels, parameters, config, B);
  const features = imageForward(image, recorded.array('pixel_values'), B);
  expectRowsClose('last_hidden_state', image.tower.output, recorded.array('last_hidden_state'), d, 1e-12);
  expectRowsClose('pooled', image.tower.pooled, recorded.array('pooled'), d, 1e-12);
  expectRowsClose('image_embeds', features, recorded.array('image_embeds'), config.projectionDim, 1e-12);
  imageBackward(image, recorded.array('upstream_image_embeds'), B);
  expectGradients(parameters, recorded, 'gradients_from_image_embeds', 1e-10);
});
