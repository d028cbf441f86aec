import { beforeAll, expect, test } from 'vitest';
import { type ClipTextConfig, clipTiny, clipVitL14 } from '../../clip/config.ts';
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { type LayerTensorKey, type LayerTensors, layerTensorShapes } from '../../clip/layerTensors.ts';
import { attentionMask, encoderPass } from '../../clip/masks.ts';
import index from '../../clip/recorded/index.json';
import {
  add,
  attention,
  layerNorm,
  linear,
  quickGelu,
  type ReferenceOutput,
  referenceEncoder,
} from '../../clip/reference.ts';
import { expectClose } from '../../clip/testing/recorded.ts';
import {
  finalLayerNormWeightName,
  type LayerTensorName,
  layerTensor,
  positionEmbeddingName,
  tokenEmbeddingName,
  type WeightSource,
} from '../../clip/weights.ts';
import { toFloat32, type WeightDtype } from '../../files/dtypes.ts';
import { elementCount } from '../../files/tensorFile.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { loraDelta } from '../../models/loraDelta.ts';
import { openCheckpoint } from '../../models/openCheckpoint.ts';
import { syntheticWeights } from '../../models/synthetic.ts';
import { checkpointBytes } from '../../models/testing/checkpoints.ts';
import type { Encoder } from '../encoder.ts';
import type { CreateEncoder, SuiteCases } from './encoderSuite.ts';

/** The pass whose layers are looked at. */
export const inspectedPass = encoderPass(Uint32Array.from(index.ids[1]), 'causal');
const pass = inspectedPass;
const other = encoderPass(Uint32Array.from(index.ids[2]), 'causal');
const lora = {
  updates: [
    {
      target: 'text_model.encoder.layers.1.self_attn.k_proj.weight',
      scale: 1,
      change: {
        kind: 'LoRA' as const,
        rank: 2,
        up: Float32Array.from({ length: 2 * 64 }, (_, i) => Math.sin(i) / 4),
        down: Float32Array.from({ length: 2 * 64 }, (_, i) => Math.cos(i) / 4),
      },
      magnitude: null,
    },
  ],
  multiplier: 0.5,
};

async function tensorReader(source: WeightSource) {
  const read = async (name: string) => Float64Array.from(toFloat32(await source.read(name), source.tensor(name).dtype));
  return { read, layer: (layer: number, part: LayerTensorName) => read(layerTensor(layer, part)) };
}

/** Every tensor of a layer in float64, from the layer's input in float64. */
async function expectedLayer(
  source: WeightSource,
  encoderPass: EncoderPass,
  layer: number,
  x: Float64Array,
): Promise<Map<LayerTensorKey, Float64Array>> {
  const { maxPositionEmbeddings: L, hiddenSize: d, intermediateSize: m, numAttentionHeads: h, headDim } = source.config;
  const weights = await tensorReader(source);
  const part = (name: LayerTensorName) => weights.layer(layer, name);
  const norm = async (input: Float64Array, name: 'layer_norm1' | 'layer_norm2') =>
    layerNorm(input, await part(`${name}.weight`), await part(`${name}.bias`), source.config.layerNormEps);
  const dense = async (input: Float64Array, name: string, out: number) =>
    linear(
      input,
      await part(`${name}.weight` as LayerTensorName),
      await part(`${name}.bias` as LayerTensorName),
      input.length / L,
      out,
    );
  const layer_norm1 = await norm(x, 'layer_norm1');
  const q = await dense(layer_norm1, 'self_attn.q_proj', d);
  const k = await dense(layer_norm1, 'self_attn.k_proj', d);
  const v = await dense(layer_norm1, 'self_attn.v_proj', d);
  const { output, probabilities } = attention(q, k, v, attentionMask(encoderPass), L, h, headDim);
  const out_proj = await dense(output, 'self_attn.out_proj', d);
  const residual1 = add(x, out_proj);
  const layer_norm2 = await norm(residual1, 'layer_norm2');
  const fc1 = await dense(layer_norm2, 'mlp.fc1', m);
  const quick_gelu = quickGelu(fc1);
  const fc2 = await dense(quick_gelu, 'mlp.fc2', d);
  const tensors = {
    hidden: x,
    layer_norm1,
    q,
    k,
    v,
    probabilities,
    attended: output,
    out_proj,
    residual1,
    layer_norm2,
  };
  const rest = { fc1, quick_gelu, fc2, residual2: add(residual1, fc2) };
  return new Map(Object.entries({ ...tensors, ...rest })) as Map<LayerTensorKey, Float64Array>;
}

/** The keys and sizes are those of `layerTensorShapes`, and every tensor is close to float64's. */
function expectLayer(
  config: ClipTextConfig,
  layer: number,
  actual: LayerTensors,
  expected: ReadonlyMap<LayerTensorKey, ArrayLike<number>>,
): void {
  const shapes = layerTensorShapes(config, layer);
  expect([...actual.keys()]).toEqual([...shapes.keys()]);
  for (const [key, values] of actual) {
    expect(values.length, key).toBe(elementCount(shapes.get(key)!));
    expectClose(`layer ${layer}: ${key}`, values, expected.get(key)!, 1e-4);
  }
}

/** The embeddings in float64, as `inspect` names them. */
async function expectedEmbeddings(source: WeightSource, inputIds: Uint32Array) {
  const { hiddenSize: d } = source.config;
  const { read } = await tensorReader(source);
  const [table, positions] = [await read(tokenEmbeddingName), await read(positionEmbeddingName)];
  const tokens = new Float64Array(inputIds.length * d);
  for (const [i, id] of inputIds.entries()) tokens.set(table.subarray(id * d, (id + 1) * d), i * d);
  return new Map<LayerTensorKey, Float64Array>([
    ['token_embedding', tokens],
    ['position_embedding', positions],
    ['hidden', add(tokens, positions)],
  ]);
}

async function expectEveryLayer(encoder: Encoder, source: WeightSource, encoderPass: EncoderPass): Promise<void> {
  const { config } = source;
  const { hiddenStates, lastHiddenState } = (await referenceEncoder(source))(encoderPass);
  const N = config.numHiddenLayers;
  const embedded = await expectedEmbeddings(source, encoderPass.inputIds);
  expectLayer(config, -1, await encoder.inspect(encoderPass, -1), embedded);
  for (let layer = 0; layer < N; layer++)
    expectLayer(
      config,
      layer,
      await encoder.inspect(encoderPass, layer),
      await expectedLayer(source, encoderPass, layer, hiddenStates[layer]),
    );
  const end = new Map([
    ['hidden', hiddenStates[N]],
    ['last_hidden_state', lastHiddenState],
  ] as const);
  expectLayer(config, N, await encoder.inspect(encoderPass, N), end);
}

const everything = { hiddenStates: [0, 1, 2], attentions: true };

/** Tests of `inspect` and `weightRow` on the tiny model. */
export function testInspection(create: CreateEncoder, { masks }: SuiteCases): void {
  let encoder: Encoder;
  const source = syntheticWeights(clipTiny);
  beforeAll(async () => {
    encoder = await create(source);
  });

  test.each(masks)('every tensor of every layer equals float64’s, kept or not (%s)', async (mask) => {
    const masked = encoderPass(Uint32Array.from(index.ids[3]), mask);
    await expectEveryLayer(encoder, source, masked);
    await encoder.encode([masked], everything);
    await expectEveryLayer(encoder, source, masked);
  });

  test('the tensors are to the bit those of an encode, whose rows stay as they are', async () => {
    const { outputs } = await encoder.encode([pass, other], everything);
    const third = encoderPass(Uint32Array.from(index.ids[3]), 'hf');
    for (const layer of [-1, 0, 1, 2]) await encoder.inspect(third, layer);
    for (const [i, encoded] of [pass, other].entries())
      for (const layer of [0, 1]) {
        const tensors = await encoder.inspect(encoded, layer);
        const { hiddenStates, attentions } = outputs[i];
        expect(tensors.get('hidden')).toEqual(hiddenStates.get(layer));
        expect(tensors.get('residual2')).toEqual(hiddenStates.get(layer + 1));
        const size = attentions!.length / 2;
        expect(tensors.get('probabilities')).toEqual(attentions!.slice(layer * size, (layer + 1) * size));
      }
    expect((await encoder.inspect(pass, 2)).get('last_hidden_state')).toEqual(outputs[0].lastHiddenState);
    const again = await encoder.encode([pass, other], everything);
    expect([again.rows, again.outputs]).toEqual([0, outputs]);
  });

  test('an encode goes on from its own numbers to its own output, from others to another, and its rows stay', async () => {
    const { outputs } = await encoder.encode([pass], everything);
    for (const layer of [0, 1]) {
      const tensors = await encoder.inspect(pass, layer);
      const [hidden, attended] = [tensors.get('hidden')!, tensors.get('attended')!];
      for (const given of [{ hidden }, { hidden, attended }]) {
        const { lastHiddenState, hiddenStates } = await encoder.resume(pass, layer, given, [0, 1, 2]);
        expectClose('resumed', lastHiddenState, outputs[0].lastHiddenState, 1e-5);
        expect([...hiddenStates.keys()]).toEqual([0, 1, 2].filter((state) => state >= layer));
        for (const [state, rows] of hiddenStates)
          expectClose('resumed', rows, outputs[0].hiddenStates.get(state)!, 1e-5);
      }
      const other = attended.map((value, i) => (i % 64 < 16 ? 0 : value));
      const { hiddenStates } = await encoder.resume(pass, layer, { hidden, attended: other }, [1, 2]);
      expect(hiddenStates.get(layer + 1)).not.toEqual(outputs[0].hiddenStates.get(layer + 1));
    }
    const end = await encoder.resume(pass, 2, { hidden: outputs[0].hiddenStates.get(2)! }, [2]);
    expectClose('resumed', end.lastHiddenState, outputs[0].lastHiddenState, 1e-5);
    expect((await encoder.encode([pass], everything)).rows).toBe(0);
    const short = { hidden: new Float32Array(64) };
    await expect(encoder.resume(pass, 0, short, [])).rejects.toThrow(RangeError);
    for (const layer of [-1, 3]) {
      await expect(encoder.resume(pass, layer, { hidden: new Float32Array(77 * 64) }, [])).rejects.toThrow(RangeError);
      await expect(encoder.project(layer, new Float32Array(77 * 64))).rejects.toThrow(RangeError);
    }
  });

  test('rows are multiplied by W_O without its bias', async () => {
    const weights = await tensorReader(source);
    const rows = Float32Array.from({ length: 77 * 64 }, (_, i) => Math.sin(i));
    const weight = await weights.layer(1, 'self_attn.out_proj.weight');
    const expected = linear(Float64Array.from(rows), weight, null, 64, 64);
    expectClose('project', await encoder.project(1, rows), expected, 1e-4);
    expect(await encoder.project(1, new Float32Array(77 * 64))).toEqual(new Float32Array(77 * 64));
  });

  test('the LoRAs that are asked for are merged, whatever an encode before had', async () => {
    const plain = await encoder.inspect(pass, 1, { loras: [] });
    await encoder.encode([pass], everything, { loras: [lora] });
    const merged = await encoder.inspect(pass, 1, { loras: [lora] });
    expect(merged.get('q')).toEqual(plain.get('q'));
    expect(merged.get('k')).not.toEqual(plain.get('k'));
    expect(await encoder.inspect(pass, 1)).toEqual(plain);
    await encoder.encode([pass], everything);
    expect(await encoder.inspect(pass, 1, { loras: [lora] })).toEqual(merged);
    await encoder.encode([pass], everything);
    const row = await encoder.weightRow(1, 'self_attn.k_proj', 5, [lora]);
    await encoder.encode([pass], everything, { loras: [lora] });
    expect(await encoder.weightRow(1, 'self_attn.k_proj', 5, [lora])).toEqual(row);
    expect(await encoder.weightRow(1, 'self_attn.k_proj', 5)).not.toEqual(row);
  });

  test('a vector in the place of a token is in the token embeddings', async () => {
    const vector = Float32Array.from({ length: clipTiny.hiddenSize }, (_, i) => Math.sin(i));
    const tensors = await encoder.inspect({ ...pass, vectors: new Map([[3, vector]]) }, -1);
    expect(tensors.get('token_embedding')!.slice(3 * 64, 4 * 64)).toEqual(vector);
  });

  test('a layer that there is not, and a signal that is aborted, are errors', async () => {
    for (const layer of [-2, 3, 0.5]) await expect(encoder.inspect(pass, layer)).rejects.toThrow(RangeError);
    const signal = AbortSignal.abort(new Error('another layer'));
    await expect(encoder.inspect(pass, 0, { signal })).rejects.toThrow('another layer');
  });

  test.each(['F32', 'F16', 'BF16'] as const satisfies WeightDtype[])(
    'rows of %s weights are read as the kernels read them, with LoRAs too',
    async (dtype) => {
      const bytes = await checkpointBytes({ config: clipTiny, dtype, layout: 'ldm' });
      const stored = await openCheckpoint(memorySource(bytes, 'model.safetensors'));
      const loaded = await create(stored);
      const weights = await tensorReader(stored);
      const parts = ['q_proj', 'k_proj', 'v_proj', 'out_proj'] as const;
      for (const [part, width, row] of [
        ...parts.map((name) => [`self_attn.${name}`, 64, 5] as const),
        ['mlp.fc1', 64, 127] as const,
        ['mlp.fc2', 128, 63] as const,
        ['layer_norm1', 1, 3] as const,
        ['layer_norm2', 1, 0] as const,
      ]) {
        const [weight, bias] = [await weights.layer(1, `${part}.weight`), await weights.layer(1, `${part}.bias`)];
        const expected = { weight: Float32Array.from(weight.slice(row * width, (row + 1) * width)), bias: bias[row] };
        expect(await loaded.weightRow(1, part, row), part).toEqual(expected);
      }
      const gamma = await weights.read(finalLayerNormWeightName);
      expect((await loaded.weightRow(0, 'final_layer_norm', 7)).weight).toEqual(Float32Array.of(gamma[7]));
      for (const row of [-1, 64, 0.5])
        await expect(loaded.weightRow(0, 'self_attn.k_proj', row)).rejects.toThrow(RangeError);
      const delta = loraDelta(lora.updates[0], lora.multiplier);
      const key = await weights.layer(1, 'self_attn.k_proj.weight');
      const merged = key.slice(5 * 64, 6 * 64).map((value, i) => value + delta[5 * 64 + i]);
      expectClose('merged', (await loaded.weightRow(1, 'self_attn.k_proj', 5, [lora])).weight, merged, 1e-6);
      loaded.destroy();
    },
  );
}

/** Expects the first, a middle and the last layer of `inspectedPass` at full size to equal float64's, whose output is given. */
export async function expectFullLayers(
  encoder: Encoder,
  source: WeightSource,
  { hiddenStates, lastHiddenState }: ReferenceOutput,
): Promise<void> {
  await encoder.encode([pass], { hiddenStates: [], attentions: false });
  for (const layer of [0, 6, 11])
    expectLayer(
      clipVitL14,
      layer,
      await encoder.inspect(pass, layer),
      await expectedLayer(source, pass, layer, hiddenStates[layer]),
    );
  const end = await encoder.inspect(pass, 12);
  expectClose('last_hidden_state', end.get('last_hidden_state')!, lastHiddenState, 1e-4);
}
