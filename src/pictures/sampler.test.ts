import { expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { recordedCases } from '../training/testing/recordedTraining.ts';
import { drawnLength } from './drawnPicture.ts';
import {
  ddimTimesteps,
  guided,
  samplerTimes,
  sampling,
  scaledLinearAlphas,
  seededNoise,
  shareOfNegative,
} from './sampler.ts';

test('the noise schedule is Stable Diffusion’s', () => {
  const [recorded] = recordedCases('beta_schedule');
  const steps = [...recorded.array('timesteps')];
  const alphas = scaledLinearAlphas();
  expectClose(
    'ᾱ',
    steps.map((t) => alphas[t]),
    recorded.array('alphas_cumprod'),
    1e-13,
  );
});

test('a step is DDIM’s: at its times, from the clean picture that its noise leaves', () => {
  const [recorded] = recordedCases('ddim');
  const steps = recorded.config.num_inference_steps as number;
  expect(ddimTimesteps(steps)).toEqual([...recorded.array('timesteps')]);
  const alphas = scaledLinearAlphas();
  const timesteps = [...ddimTimesteps(steps), 0];
  const times = samplerTimes('ddim', steps);
  const x = recorded.array('sample').slice();
  const predict = (x: ArrayLike<number>, _: number, step: number) => {
    const alpha = alphas[timesteps[step]];
    const noise = recorded.array('model_output', step);
    return noise.map((e, i) => (x[i] * times[step].scale - Math.sqrt(1 - alpha) * e) / Math.sqrt(alpha));
  };
  for (const { step, x: after, clean } of sampling(x, times, predict)) {
    expectClose(`x₀ of step ${step}`, clean, recorded.array('pred_original_sample', step - 1), 1e-10);
    const scale = step < steps ? times[step].scale : 1;
    const sample = Float64Array.from(after, (value) => value * scale);
    expectClose(`x of step ${step}`, sample, recorded.array('prev_sample', step - 1), 1e-10);
  }
});

test('guidance is the published formula, and a sum over the parts of AND', () => {
  const [recorded] = recordedCases('guidance');
  const [u, c] = [recorded.array('uncond'), recorded.array('cond')];
  for (const [i, scale] of recorded.array('guidance_scale').entries())
    expectClose(
      `guidance ${scale}`,
      guided(u, [{ weight: 1, prediction: c }], scale),
      recorded.array('guided', i),
      1e-12,
    );
  const parts = [
    { weight: 1, prediction: c },
    { weight: -0.5, prediction: c.map((value) => 2 * value) },
  ];
  expectClose(
    'AND',
    guided(u, parts, 3),
    u.map((value, i) => value + 3 * (c[i] - value) - 1.5 * (2 * c[i] - value)),
    1e-12,
  );
  // Nothing of the negative prompt is left where all weights and the guidance come to 1.
  expect(shareOfNegative([{ weight: 0.25 }, { weight: 0.25 }], 2)).toBe(0);
  expect(guided(null, [{ weight: 1, prediction: c }], 1)).toEqual(c);
});

test.each(['flow', 'ddim'] as const)('%s ends in the picture that the denoiser is sure of', (sampler) => {
  const picture = Float32Array.from({ length: drawnLength }, (_, i) => Math.sin(i));
  const x = seededNoise([3]);
  const calls: number[] = [];
  for (const _ of sampling(x, samplerTimes(sampler, 8), (_, t, step) => {
    calls.push(step);
    expect(t).toBeGreaterThan(0);
    return picture;
  }));
  expect(calls).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const farthest = Math.max(...x.map((value, i) => Math.abs(value - picture[i])));
  // Stable Diffusion's schedule leaves 3 % of the noise.
  expect(farthest).toBeLessThan(sampler === 'flow' ? 1e-5 : 0.15);
});

test('a seed’s noise is its own: of mean 0 and deviation 1, and the same in any row of seeds', () => {
  const noise = seededNoise([5, 6]);
  expect(noise.subarray(drawnLength)).toEqual(seededNoise([6]));
  expect(noise.subarray(0, drawnLength)).not.toEqual(seededNoise([6]));
  const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
  const square = noise.reduce((sum, value) => sum + value * value, 0) / noise.length;
  expect(Math.abs(mean)).toBeLessThan(0.05);
  expect(Math.abs(square - 1)).toBeLessThan(0.05);
});
