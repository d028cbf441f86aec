import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, finalLayerNormBiasName } from '../clip/weights.ts';
import { toFloat32 } from '../files/dtypes.ts';
import full from './recorded/synth_checksums_full_B.json';
import tiny from './recorded/synth_checksums_tiny_B.json';
import { syntheticWeights } from './synthetic.ts';

interface Recorded {
  shape: number[];
  first4: number[];
  sha256: string;
}

test.each([
  ['tiny', clipTiny, tiny as Record<string, Recorded>],
  ['full size', clipVitL14, full as Record<string, Recorded>],
] as const)('every %s tensor equals the recorded one to the bit', async (_, config, recorded) => {
  const source = syntheticWeights(config);
  expect(new Set(Object.keys(recorded))).toEqual(new Set(expectedTensors(config).keys()));
  for (const [name, { shape, first4, sha256 }] of Object.entries(recorded)) {
    expect(source.tensor(name).shape, name).toEqual(shape);
    const bytes = await source.read(name);
    expect(Array.from(toFloat32(bytes, 'F32').subarray(0, 4)), name).toEqual(first4);
    expect(createHash('sha256').update(bytes).digest('hex'), name).toBe(sha256);
  }
});

test('half weights are the float32 ones, rounded', async () => {
  const exact = toFloat32(await syntheticWeights(clipTiny).read(finalLayerNormBiasName), 'F32');
  for (const [dtype, step] of [
    ['F16', 2 ** -11],
    ['BF16', 2 ** -8],
  ] as const) {
    const source = syntheticWeights(clipTiny, { dtype });
    expect(source.tensor(finalLayerNormBiasName).dtype).toBe(dtype);
    const rounded = toFloat32(await source.read(finalLayerNormBiasName), dtype);
    rounded.forEach((v, i) => {
      expect(Math.abs(v - exact[i])).toBeLessThanOrEqual(Math.abs(exact[i]) * step);
    });
  }
});

test('a tensor that does not exist is named', async () => {
  expect(() => syntheticWeights(clipTiny).tensor('logit_scale')).toThrow('logit_scale');
});
