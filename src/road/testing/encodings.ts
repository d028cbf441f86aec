import { expect } from 'vitest';
import type { ClipTextConfig } from '../../clip/config.ts';
import { type EncoderOutput, type EncoderPass, passKey } from '../../clip/encoderPass.ts';
import { referenceEncoder } from '../../clip/reference.ts';
import { finalLayerNormBiasName, finalLayerNormWeightName, type WeightSource } from '../../clip/weights.ts';
import { syntheticWeights } from '../../models/synthetic.ts';
import { distinct, type ZOf } from '../../weighting/method.ts';
import { type ClipSkip, clipSkip } from '../clipSkip.ts';

/** The float64 encoder, on made-up weights unless there are others, by clip skip; each pass is computed once. */
export async function referenceZ(
  config: ClipTextConfig,
  source: WeightSource = syntheticWeights(config),
): Promise<(skip: ClipSkip, isNormalised?: boolean) => ZOf> {
  const run = await referenceEncoder(source);
  const tensor = async (name: string) => new Float32Array((await source.read(name)).buffer);
  const finalLayerNorm = {
    weight: await tensor(finalLayerNormWeightName),
    bias: await tensor(finalLayerNormBiasName),
  };
  const outputs = new Map<string, EncoderOutput>();
  const outputOf = (pass: EncoderPass): EncoderOutput => {
    const key = passKey(pass);
    const known = outputs.get(key);
    if (known) return known;
    const { lastHiddenState, hiddenStates } = run(pass);
    const output = {
      lastHiddenState: Float32Array.from(lastHiddenState),
      hiddenStates: new Map(hiddenStates.map((x, i) => [i, Float32Array.from(x)])),
    };
    outputs.set(key, output);
    return output;
  };
  return (skip, isNormalised = true) =>
    (pass) =>
      isNormalised
        ? clipSkip(outputOf(pass), skip, config, finalLayerNorm)
        : outputOf(pass).hiddenStates.get(config.numHiddenLayers + 1 - skip)!;
}

/** Holds `combine` to the passes that were asked for: no other is there, none twice, and none for nothing. */
export function withPasses<T>(passes: readonly EncoderPass[], zOf: ZOf, combine: (zOf: ZOf) => T): T {
  expect(distinct(passes)).toHaveLength(passes.length);
  const unread = new Set(passes.map(passKey));
  const asked = new Set(unread);
  const result = combine((pass) => {
    const key = passKey(pass);
    if (!asked.has(key)) expect.fail(`not among the passes: ${pass.inputIds}`);
    unread.delete(key);
    return zOf(pass);
  });
  expect(unread.size, 'passes that were not read').toBe(0);
  return result;
}
