import { expect, test } from 'vitest';
import { type ObjectiveName, objective } from './objective.ts';
import { expectRowsClose, type RecordedCase, recordedCases } from './testing/recordedTraining.ts';

/** exp(log scale) / (N · norm) of each row, by which the gradients of rows go. */
function rowScales(features: Float64Array, N: number, d: number, logScale: number): number[] {
  return Array.from(
    { length: N },
    (_, i) => Math.exp(logScale) / (N * Math.hypot(...features.subarray(i * d, (i + 1) * d))),
  );
}

function expectGradient(name: string, actual: Float64Array, expected: Float64Array, scales: number[], rtol: number) {
  const d = expected.length / scales.length;
  for (const [i, scale] of scales.entries()) {
    const row = [i * d, (i + 1) * d] as const;
    expectRowsClose(`${name} ${i}`, actual.subarray(...row), expected.subarray(...row), d, rtol, scale);
  }
}

function compare(recorded: RecordedCase, name: ObjectiveName) {
  const { N, d } = recorded.config;
  const text = recorded.array('text_features');
  const image = recorded.array('image_features');
  const logScales = recorded.array('log_scale');
  for (const [result, logScale] of logScales.entries()) {
    const bias = name === 'siglip' ? recorded.array('logit_bias')[result] : 0;
    // Features were recorded in float32, so that both types hold the same numbers.
    const { loss, ...rest } = objective(name, text, Float32Array.from(image), d, logScale, bias);
    const losses = recorded.array('losses', result);
    const close = (actual: number, expected: number) =>
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9 * Math.abs(expected) + 1e-15);
    close(loss, losses.at(-1)!);
    if (rest.clip) {
      close(rest.clip.textToImage.loss, losses[0]);
      close(rest.clip.imageToText.loss, losses[1]);
    }
    expectRowsClose('u', rest.u, recorded.array('text_normalised'), d, 1e-15);
    expectRowsClose('v', rest.v, recorded.array('image_normalised'), d, 1e-15);
    expectRowsClose('S', rest.S, recorded.array('similarity', result), N, 1e-14);
    const texts = recorded.array('grad_text_features', result);
    expectGradient('dtext', rest.dtext, texts, rowScales(text, N, d, logScale), 1e-13);
    const images = recorded.array('grad_image_features', result);
    expectGradient('dimage', rest.dimage, images, rowScales(image, N, d, logScale), 1e-13);
    const gradient = recorded.array('grad_log_scale')[result];
    expect(Math.abs(rest.dlogScale - gradient)).toBeLessThanOrEqual(1e-13 * Math.exp(logScale));
    if (name === 'siglip') {
      const dbias = recorded.array('grad_logit_bias')[result];
      expect(Math.abs(rest.dbias - dbias)).toBeLessThanOrEqual(1e-12 * Math.abs(dbias) + 1e-15);
    }
  }
}

test.each(recordedCases('clip_loss'))('$name is as open_clip computes it', (recorded) => {
  compare(recorded, 'clip');
});

test.each(recordedCases('siglip_loss'))('$name is as open_clip computes it', (recorded) => {
  compare(recorded, 'siglip');
});

test.each(['clip', 'siglip'] as const)('the gradients of %s are its finite differences', (name) => {
  const [recorded] = recordedCases('siglip_loss').filter(({ config }) => config.N === 5 && config.d === 16);
  const text = recorded.array('text_features');
  const image = recorded.array('image_features');
  const at = { logScale: 1.5, bias: -2 };
  const loss = () => objective(name, text, image, 16, at.logScale, at.bias).loss;
  const { dtext, dimage, dlogScale, dbias } = objective(name, text, image, 16, at.logScale, at.bias);
  const step = 1e-5;
  const difference = (move: (by: number) => void) => {
    move(step);
    const above = loss();
    move(-2 * step);
    const below = loss();
    move(step);
    return (above - below) / (2 * step);
  };
  for (const i of [0, 17, 33, 79]) {
    expect(difference((by) => (text[i] += by))).toBeCloseTo(dtext[i], 8);
    expect(difference((by) => (image[i] += by))).toBeCloseTo(dimage[i], 8);
  }
  expect(difference((by) => (at.logScale += by))).toBeCloseTo(dlogScale, 8);
  expect(difference((by) => (at.bias += by))).toBeCloseTo(dbias, 8);
});
