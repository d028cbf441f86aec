import { describe, expect, test } from 'vitest';
import { compileKernels } from '../cpu/kernels.ts';
import { createImageTower, imageBackward, imageForward, imageTowerShapes } from './imageTower.ts';
import { createParameters, type ParameterSet, parameter } from './parameters.ts';
import type { Floats } from './products.ts';
import { imageConfig, setParameters, textConfig, tokenRowsOf } from './testing/recordedModels.ts';
import { expectRowsClose, type RecordedCase, recordedCases } from './testing/recordedTraining.ts';
import {
  type Captions,
  createTextTower,
  firstEos,
  textBackward,
  textBackwardFromPooled,
  textForward,
  textTowerShapes,
} from './textTower.ts';
import { rowCount, type TowerRoom } from './tower.ts';
import { float64Kernels, type TrainingKernels } from './trainingKernels.ts';
import { createWasmKernels } from './wasmKernels.ts';

/**
 * Holds all gradients to those of a file, row by row. The gradient of a key's bias is 0 in exact arithmetic: its rounding is held to
 * the size of the weight's gradient.
 */
function expectGradients(parameters: ParameterSet, recorded: RecordedCase, file: string, rtol: number) {
  const expected = recorded.tensors(file);
  expect(expected.size).toBe(parameters.places.size);
  for (const [name, gradient] of expected) {
    const width = parameters.places.get(name)!.shape.at(-1)!;
    const weight = name.endsWith('k_proj.bias') ? expected.get(name.replace('bias', 'weight'))! : [];
    expectRowsClose(name, parameter(parameters, name).gradient, gradient, width, rtol, Math.hypot(...weight));
  }
}

async function float32Kernels(): Promise<TrainingKernels> {
  return createWasmKernels(await compileKernels(false), 1 << 19, { widest: 192, longest: 17 });
}

/** An array of the kernels with these values. */
function placed(kernels: TrainingKernels, values: Float64Array): Floats {
  const array = kernels.allocate(values.length);
  array.set(values);
  return array;
}

/** How far features and gradients may be from the recorded ones, relative to their row. */
const precisions = [
  { type: 'float64', makeKernels: async () => float64Kernels, forward: 1e-13, backward: 1e-11 },
  { type: 'float32', makeKernels: float32Kernels, forward: 2e-6, backward: 2e-5 },
];

describe.each(precisions)('the text tower in $type', ({ makeKernels, forward, backward }) => {
  const [recorded] = recordedCases('text_tower');
  const ids = recorded.array('input_ids');
  const [B, L] = [4, 16];
  const lengths = Array<number>(B).fill(L);
  const config = textConfig(recorded.config, recorded.array('token_ids').length, L);
  const { hiddenSize: d, eosTokenId } = config;
  const tokens = tokenRowsOf(recorded);

  /** The recorded tower with room for a batch. */
  async function textOf(room: TowerRoom) {
    const kernels = await makeKernels();
    const parameters = createParameters(new Map(textTowerShapes(config)), kernels.allocate);
    setParameters(parameters, recorded.tensors('parameters'));
    return { kernels, parameters, text: createTextTower(kernels, parameters, config, room) };
  }

  test('is as transformers computes it, pooled at the EOS', async () => {
    const { kernels, parameters, text } = await textOf({ B, L });
    const captions = { lengths, tokens, picks: firstEos(ids, L, eosTokenId) };
    const features = textForward(text, captions);
    expectRowsClose('text_embeds', features, recorded.array('text_embeds'), config.projectionDim, forward);
    expectRowsClose('pooled', text.tower.pooled, recorded.array('pooled'), d, forward);
    textBackward(text, placed(kernels, recorded.array('upstream_text_embeds')), captions);
    expectGradients(parameters, recorded, 'gradients_from_text_embeds', backward);
    const dinput = recorded.array('grad_input_embeddings_from_text_embeds');
    expectRowsClose('input embeddings', text.tower.back.stream, dinput, d, backward, 1e-3);
  });

  test('is as transformers computes it in every row', async () => {
    const { parameters, text } = await textOf({ B, L, P: B * L });
    const captions = { lengths, tokens, picks: Int32Array.from({ length: B * L }, (_, row) => row) };
    textForward(text, captions);
    expectRowsClose('last_hidden_state', text.tower.pooled, recorded.array('last_hidden_state'), d, forward);
    text.tower.back.pooled.set(recorded.array('upstream_last_hidden_state'));
    textBackwardFromPooled(text, captions);
    expectGradients(parameters, recorded, 'gradients_from_last_hidden_state', backward);
    const dinput = recorded.array('grad_input_embeddings_from_last_hidden_state');
    expectRowsClose('input embeddings', text.tower.back.stream, dinput, d, backward);
  });

  test('gives the same features and gradients where the rows after each EOS are left out', async () => {
    const { kernels, parameters, text } = await textOf({ B, L });
    const shorter = firstEos(ids, L, eosTokenId).map((row) => (row % L) + 1);
    expect(new Set(shorter).size).toBeGreaterThan(2);
    const captions = {
      lengths: shorter,
      tokens: Int32Array.from(Array.from(shorter).flatMap((n, b) => Array.from(tokens.subarray(b * L, b * L + n)))),
      picks: shorter.map((_, b) => rowCount(shorter.subarray(0, b + 1)) - 1),
    };
    const features = textForward(text, captions);
    expectRowsClose('text_embeds', features, recorded.array('text_embeds'), config.projectionDim, forward);
    textBackward(text, placed(kernels, recorded.array('upstream_text_embeds')), captions);
    expectGradients(parameters, recorded, 'gradients_from_text_embeds', backward);
  });

  test('takes vectors in place of rows of its table, which then do not learn', async () => {
    const { kernels, parameters, text } = await textOf({ B, L });
    const picks = firstEos(ids, L, eosTokenId);
    const upstream = placed(kernels, recorded.array('upstream_text_embeds'));
    const table = parameter(parameters, 'text_model.embeddings.token_embedding.weight');
    const pass = (captions: Captions) => {
      parameters.gradients.fill(0);
      const features = textForward(text, captions).slice();
      textBackward(text, upstream, captions);
      return { features, dtable: table.gradient.slice(), others: parameters.gradients.slice(table.gradient.length) };
    };
    const [row, replaced] = [1, tokens[1]];
    const vectors = new Map([[row, table.value.slice(replaced * d, (replaced + 1) * d)]]);
    const known = pass({ lengths, tokens, picks });
    const given = pass({ lengths, tokens: tokens.with(row, 0), vectors, picks });
    expect(given.features).toEqual(known.features);
    expect(given.others).toEqual(known.others);
    const changed = Array.from(known.dtable.keys()).filter((i) => given.dtable[i] !== known.dtable[i]);
    expect(new Set(changed.map((i) => Math.floor(i / d)))).toEqual(new Set([replaced]));
  });

  test('a caption without an end is named', () => {
    expect(() => firstEos([1, 9, 1, 1], 2, 9)).toThrow('Caption 1 has no end');
  });
});

test.each(precisions)(
  'the image tower in $type is as transformers computes it',
  async ({ makeKernels, forward, backward }) => {
    const [recorded] = recordedCases('vision_tower');
    const config = imageConfig(recorded.config);
    const B = 3;
    const { hiddenSize: d, projectionDim: E } = config;
    const kernels = await makeKernels();
    const parameters = createParameters(new Map(imageTowerShapes(config)), kernels.allocate);
    setParameters(parameters, recorded.tensors('parameters'));
    const image = createImageTower(kernels, parameters, config, B);
    const features = imageForward(image, recorded.array('pixel_values'), B);
    expectRowsClose('last_hidden_state', image.tower.output, recorded.array('last_hidden_state'), d, forward);
    expectRowsClose('pooled', image.tower.pooled, recorded.array('pooled'), d, forward);
    expectRowsClose('image_embeds', features, recorded.array('image_embeds'), E, forward);
    imageBackward(image, placed(kernels, recorded.array('upstream_image_embeds')), B);
    expectGradients(parameters, recorded, 'gradients_from_image_embeds', backward);
  },
);
