import { expect } from 'vitest';
import { type ClipTextConfig, clipTiny } from '../../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../../clip/encoderPass.ts';
import { encoderPass, type MaskMode } from '../../clip/masks.ts';
import index from '../../clip/recorded/index.json';
import type { ReferenceOutput } from '../../clip/reference.ts';
import { expectClose } from '../../clip/testing/recorded.ts';
import { type LayerTensorName, layerTensor, type WeightSource } from '../../clip/weights.ts';
import { fromFloat32, toFloat32, type WeightDtype } from '../../files/dtypes.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { type LoraUpdate, loraDelta } from '../../models/loraDelta.ts';
import { openCheckpoint } from '../../models/openCheckpoint.ts';
import { checkpointBytes } from '../../models/testing/checkpoints.ts';
import type { WeightedLora } from '../backend.ts';
import type { Encoder } from '../encoder.ts';

/** Whether both have the same numbers, to the bit. */
const isSame = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

// toEqual looks at each number of an array by many calls, which takes most of the time of a suite.
expect.addEqualityTesters([
  (a, b) => (a instanceof Float32Array && b instanceof Float32Array ? isSame(a, b) : undefined),
]);

export const recordedMasks = ['causal', 'hf', 'lecture'] as const satisfies MaskMode[];
export const everything = ({ numHiddenLayers: N }: ClipTextConfig): EncoderWant => ({
  hiddenStates: Array.from({ length: N + 1 }, (_, i) => i),
  attentions: true,
});
export const passOf = (prompt: number, mask: MaskMode): EncoderPass =>
  encoderPass(Uint32Array.from(index.ids[prompt]), mask);

/** Max abs 1e-4 and rms 2e-5: an order above what float32 costs at full size. */
export function expectEncoded(what: string, actual: Float32Array, expected: ArrayLike<number>): void {
  expectClose(what, actual, expected, 1e-4);
  const rms = Math.sqrt(actual.reduce((sum, v, i) => sum + (v - expected[i]) ** 2, 0) / actual.length);
  expect(rms, `${what}: rms`).toBeLessThanOrEqual(2e-5);
}

/** Stage by stage in the order they are computed, so that a failure names the first wrong one. */
export function expectStages(
  what: string,
  config: ClipTextConfig,
  actual: EncoderOutput,
  expected: ReferenceOutput,
): void {
  const { numHiddenLayers: N, numAttentionHeads: h, maxPositionEmbeddings: L } = config;
  for (let i = 0; i <= N; i++) {
    if (i > 0)
      expectEncoded(
        `${what}: attentions ${i - 1}`,
        actual.attentions!.subarray((i - 1) * h * L * L, i * h * L * L),
        expected.attentions[i - 1],
      );
    expectEncoded(`${what}: hiddenStates ${i}`, actual.hiddenStates.get(i)!, expected.hiddenStates[i]);
  }
  expectEncoded(`${what}: lastHiddenState`, actual.lastHiddenState, expected.lastHiddenState);
}

export const viaSafetensors = async (config: ClipTextConfig, dtype: WeightDtype): Promise<WeightSource> =>
  openCheckpoint(memorySource(await checkpointBytes({ config, dtype, layout: 'ldm' }), 'model.safetensors'));

/** [n] repeatable numbers in ±range. */
export const waves = (n: number, seed: number, range: number) =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233) * range);

const projections = {
  qProj: 'self_attn.q_proj.weight',
  kProj: 'self_attn.k_proj.weight',
  vProj: 'self_attn.v_proj.weight',
  outProj: 'self_attn.out_proj.weight',
  fc1: 'mlp.fc1.weight',
  fc2: 'mlp.fc2.weight',
} as const satisfies Record<string, LayerTensorName>;
type Projection = keyof typeof projections;

export function tinyUpdate(layer: number, projection: Projection, rank: number, seed: number): LoraUpdate {
  const { hiddenSize: d, intermediateSize: m } = clipTiny;
  const [out, into] = projection === 'fc1' ? [m, d] : projection === 'fc2' ? [d, m] : [d, d];
  return {
    target: layerTensor(layer, projections[projection]),
    scale: 0.5,
    change: { kind: 'LoRA', rank, down: waves(rank * into, seed, 0.2), up: waves(out * rank, seed + 1, 0.2) },
    magnitude: null,
  };
}

/** The source's weights with LoRAs merged into them in float64, in float32. */
export function mergedSource(source: WeightSource, loras: readonly WeightedLora[]): WeightSource {
  return {
    ...source,
    tensor: (name) => ({ ...source.tensor(name), dtype: 'F32' }),
    async read(name, signal) {
      const sums = Float64Array.from(toFloat32(await source.read(name, signal), source.tensor(name).dtype));
      for (const { updates, multiplier } of loras)
        for (const update of updates.filter((update) => update.target === name))
          for (const [i, delta] of loraDelta(update, multiplier, sums).entries()) sums[i] += delta;
      return fromFloat32(Float32Array.from(sums), 'F32');
    },
  };
}
/** Ids of a prompt's words. */
export const words = [320, 1125, 539, 320, 2368, 525, 7496, 267, 5302];

/** A pass of these words between BOS and EOS, padded with EOS. */
export const padded = (ids: readonly number[], mask: MaskMode, L = 77) =>
  encoderPass(
    Uint32Array.from({ length: L }, (_, i) => [49406, ...ids][i] ?? 49407),
    mask,
  );

/** Encodes that build on nothing. */
export function freshEncodes(encoderOf: () => Encoder) {
  let different = 0;
  /** Fills the cache of passes with passes that share no first token with any other: the next one is encoded whole. */
  const forget = () =>
    encoderOf().encode(
      Array.from({ length: 8 }, () => ({ ...passOf(3, 'none'), inputIds: new Uint32Array(77).fill(++different) })),
      { hiddenStates: [], attentions: false },
    );
  const fresh = async (passes: readonly EncoderPass[]) => {
    await forget();
    const run = await encoderOf().encode(passes, everything(clipTiny));
    expect(run.rows).toBe(77 * passes.length);
    return run.outputs;
  };
  return { forget, fresh };
}
