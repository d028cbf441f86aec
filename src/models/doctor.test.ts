import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type ClipTextConfig, clipTiny } from '../clip/config.ts';
import {
  expectedTensors,
  finalLayerNormBiasName,
  layerTensor,
  tokenEmbeddingName,
  type WeightSource,
} from '../clip/weights.ts';
import { fromFloat32, toFloat32, type WeightDtype } from '../files/dtypes.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { spySource, zeroSource } from '../files/testing/faultySources.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import type { TorchSpec } from '../files/testing/torch.ts';
import { drift, examine } from './doctor.ts';
import { CheckpointError } from './openCheckpoint.ts';
import { syntheticWeights } from './synthetic.ts';
import { checkpointBytes, type LayoutName, layouts, torchCheckpointBytes } from './testing/checkpoints.ts';
import { weightsHash } from './weightsHash.ts';

const expected = expectedTensors(clipTiny);
const open = (bytes: Uint8Array) => openTensorFile(memorySource(bytes, 'model.safetensors'));
const file = async (layout: LayoutName, dtype: WeightDtype = 'F16', write = checkpointBytes) =>
  open(await write({ config: clipTiny, dtype, layout }));

/** Returns the synthetic encoder as a file's tensors, with some replaced, left out (null) or added. */
async function specs(changes: Readonly<Record<string, Partial<TorchSpec> | null>> = {}): Promise<TorchSpec[]> {
  const weights = syntheticWeights(clipTiny, { dtype: 'F16' });
  const all = new Map<string, TorchSpec>();
  for (const [name, shape] of expected) all.set(name, { name, dtype: 'F16', shape, data: await weights.read(name) });
  for (const [name, change] of Object.entries(changes))
    if (change) all.set(name, { ...all.get(name), name, ...change } as TorchSpec);
    else all.delete(name);
  return [...all.values()];
}
const examineSpecs = async (changes?: Readonly<Record<string, Partial<TorchSpec> | null>>) =>
  examine(await open(writeSafetensors(await specs(changes))));

test('a sound encoder: every tensor’s statistics and hash', async () => {
  const { tensors, ...rest } = await examine(await file('ldm'));
  expect(rest).toMatchObject({
    layout: layouts.ldm,
    config: clipTiny,
    missing: [],
    misshapen: [],
    mistyped: [],
    notes: [],
  });
  expect(tensors.map(({ name }) => name)).toEqual([...expected.keys()]);
  const weights = syntheticWeights(clipTiny, { dtype: 'F16' });
  const digests: Buffer[] = [];
  for (const report of tensors) {
    const bytes = await weights.read(report.name);
    const values = Array.from(toFloat32(bytes, 'F16'));
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    expect(report).toMatchObject({
      fileName: `cond_stage_model.transformer.${report.name}`,
      dtype: 'F16',
      shape: expected.get(report.name),
      min: values.reduce((a, b) => Math.min(a, b)),
      max: values.reduce((a, b) => Math.max(a, b)),
      zeros: values.filter((x) => x === 0).length,
      nonFinite: 0,
    });
    expect(report.mean).toBeCloseTo(mean, 12);
    expect(report.std).toBeCloseTo(Math.sqrt(values.reduce((s, x) => s + (x - mean) ** 2, 0) / values.length), 12);
    expect(report.firstNonFinite).toBeUndefined();
    digests.push(createHash('sha256').update(bytes).digest());
    expect(report.sha256).toBe(digests.at(-1)!.toString('hex'));
  }
  expect(rest.sha256).toBe(createHash('sha256').update(Buffer.concat(digests)).digest('hex'));
});

test('an encoder is known again in any layout and format, and not in another type', async () => {
  const hash = async (...args: Parameters<typeof file>) => (await examine(await file(...args))).sha256;
  const first = await hash('hf');
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(await hash('openclip')).toBe(first);
  expect(await weightsHash(syntheticWeights(clipTiny, { dtype: 'F16' }))).toBe(first);
  expect(await hash('ldm', 'F16', torchCheckpointBytes)).toBe(first);
  expect(await hash('hf', 'BF16')).not.toBe(first);
});

test('types are counted over the whole file', async () => {
  const { dtypes } = await examine(await file('ldm', 'BF16'));
  expect(dtypes.get('F32')).toEqual({ tensors: 2, bytes: 4 * (1000 + 320) });
  expect(dtypes.get('BF16')!.tensors).toBe(expected.size + 4);
});

test('what OpenCLIP’s tensors cannot tell is said', async () => {
  const { notes, extra, missing } = await examine(await file('openclip'));
  expect(notes).toHaveLength(1);
  expect(notes[0]).toContain('LAION');
  expect(missing).toEqual([]);
  expect(extra.toSorted()).toEqual(['logit_scale', 'text_projection']);
});

const q = layerTensor(1, 'self_attn.q_proj.weight');
const bias = layerTensor(0, 'mlp.fc1.bias');

test('what is missing, too much, misshapen or of another type is named, and the rest examined', async () => {
  const result = await examineSpecs({
    [q]: null,
    [bias]: { shape: [64, 2] },
    [finalLayerNormBiasName]: { dtype: 'U8', data: new Uint8Array(64) },
    'text_model.adapter.weight': { dtype: 'F16', shape: [1], data: Uint16Array.of(0) },
    'vision_model.x': { dtype: 'F16', shape: [1], data: Uint16Array.of(0) },
  });
  expect(result.missing).toEqual([q]);
  expect(result.misshapen).toEqual([{ fileName: bias, shape: [64, 2], expected: [128] }]);
  expect(result.mistyped).toEqual([{ fileName: finalLayerNormBiasName, dtype: 'U8' }]);
  expect(result.extra).toEqual(['text_model.adapter.weight']);
  expect(result.tensors).toHaveLength(expected.size - 3);
  expect(result.sha256).toBeUndefined();
});

test('NaN and infinities are counted, the first named, and the statistics are of the rest', async () => {
  const values = Float32Array.from({ length: 64 * 64 }, (_, i) => (i % 2 ? 1 : -3));
  values[64 * 5 + 7] = Number.NEGATIVE_INFINITY;
  values[64 * 6 + 8] = Number.NaN;
  const { tensors } = await examineSpecs({ [q]: { dtype: 'F32', data: values } });
  const report = tensors.find(({ name }) => name === q)!;
  expect(report).toMatchObject({ min: -3, max: 1, zeros: 0, nonFinite: 2 });
  expect(report.firstNonFinite).toEqual({ value: Number.NEGATIVE_INFINITY, index: [5, 7] });
  // The first element of each value is left out.
  expect(report.mean).toBeCloseTo(-1, 12);
  expect(report.std).toBeCloseTo(2, 12);
});

const idsName = 'text_model.embeddings.position_ids';
const idValues = Array.from({ length: 77 }, (_, i) => i);

test.each<[string, Partial<TorchSpec>]>([
  ['I64', { dtype: 'I64', shape: [1, 77], data: BigInt64Array.from(idValues, BigInt) }],
  ['I32', { dtype: 'I32', shape: [77], data: Int32Array.from(idValues) }],
  ['F64', { dtype: 'F64', shape: [1, 77], data: Float64Array.from(idValues) }],
  ['F16', { dtype: 'F16', shape: [1, 77], data: fromFloat32(Float32Array.from(idValues), 'F16') }],
])('position ids of %s that are 0 to 76 are sound', async (dtype, ids) => {
  const { positionIds, extra } = await examineSpecs({ [idsName]: ids });
  expect(positionIds).toEqual({ fileName: idsName, dtype, wrong: [], collapsed: [] });
  expect(extra).toEqual([]);
});

test('position ids that merging has spoilt are named, with what they collapse onto', async () => {
  const values = Float32Array.from(idValues);
  // In half precision near 41, but truncated to 40, which another position has.
  values[41] = 40.96875;
  values[5] = 5.25;
  values[76] = 80;
  const { positionIds } = await examineSpecs({
    [idsName]: { dtype: 'F16', shape: [1, 77], data: fromFloat32(values, 'F16') },
  });
  expect(positionIds!.wrong).toEqual([
    { position: 5, value: 5.25, truncated: 5, rounded: 5 },
    { position: 41, value: 40.96875, truncated: 40, rounded: 41 },
    { position: 76, value: 80, truncated: 80, rounded: 80 },
  ]);
  expect(positionIds!.collapsed).toEqual([{ position: 41, onto: 40 }]);
});

test('position ids of another number or type are named', async () => {
  const wrong = await examineSpecs({ [idsName]: { dtype: 'I64', shape: [1, 2], data: BigInt64Array.of(0n, 1n) } });
  expect(wrong.misshapen).toEqual([{ fileName: idsName, shape: [1, 2], expected: [1, 77] }]);
  const odd = await examineSpecs({ [idsName]: { dtype: 'C64', shape: [1, 77], data: new Uint8Array(616) } });
  expect(odd.mistyped).toEqual([{ fileName: idsName, dtype: 'C64' }]);
  expect([wrong.positionIds, odd.positionIds]).toEqual([undefined, undefined]);
});

test('a file of something else is called by its name', async () => {
  const unet = await openTensorFile(
    zeroSource([{ name: 'model.diffusion_model.input_blocks.0.0.weight', dtype: 'F16', shape: [320, 4, 3, 3] }]),
  );
  await expect(examine(unet)).rejects.toThrow(CheckpointError);
});

test('tensors come one at a time, with progress in bytes, and an abort is heard between them', async () => {
  const source = spySource(memorySource(await checkpointBytes({ config: clipTiny, dtype: 'F32', layout: 'hf' })));
  const opened = await openTensorFile(source);
  const largest = 4 * clipTiny.vocabSize * clipTiny.hiddenSize;
  const abort = new AbortController();
  const reason = new Error('closed');
  const seen: number[] = [];
  const stopped = examine(opened, {
    signal: abort.signal,
    onProgress(done, total) {
      seen.push(done / total);
      if (seen.length === 3) abort.abort(reason);
    },
  });
  await expect(stopped).rejects.toBe(reason);
  expect(seen).toHaveLength(3);
  await examine(opened, { onProgress: (done, total) => seen.push(done / total) });
  expect(seen.at(-1)).toBe(1);
  expect(Math.max(...source.reads.map(([start, end]) => end - start))).toBe(largest);
});

/** Returns `weights` with `change` applied to every value. */
const changed = (weights: WeightSource, change: (x: number, name: string) => number): WeightSource => ({
  ...weights,
  tensor: (name) => ({ ...weights.tensor(name), dtype: 'F32' }),
  async read(name, signal) {
    const values = toFloat32(await weights.read(name, signal), weights.tensor(name).dtype);
    return fromFloat32(
      values.map((x) => change(x, name)),
      'F32',
    );
  },
});

test('an encoder has not drifted from itself', async () => {
  const weights = syntheticWeights(clipTiny);
  const { tensors, whole } = await drift(weights, weights);
  expect(tensors.size).toBe(expected.size);
  expect([...tensors.values()].map(({ relative }) => relative)).toEqual(Array(expected.size).fill(0));
  expect(whole.relative).toBe(0);
});

test('drift is measured by tensor, by layer and as a whole', async () => {
  const weights = syntheticWeights(clipTiny);
  const moved = changed(weights, (x, name) => (name === q ? x * 1.5 : name === tokenEmbeddingName ? x * 0.75 : x));
  const result = await drift(weights, moved);
  expect(result.tensors.get(q)!.relative).toBeCloseTo(0.5, 6);
  expect(result.tensors.get(bias)!.relative).toBe(0);
  const squares = async (names: readonly string[]) => {
    let sum = 0;
    for (const name of names) for (const x of toFloat32(await weights.read(name), 'F32')) sum += x * x;
    return sum;
  };
  const inLayer = [...expected.keys()].filter((name) => name.includes('layers.1.'));
  expect(result.layers).toHaveLength(2);
  expect(result.layers[0].relative).toBe(0);
  expect(result.layers[1].relative).toBeCloseTo(0.5 * Math.sqrt((await squares([q])) / (await squares(inLayer))), 6);
  expect(result.finalLayerNorm.relative).toBe(0);
  expect(result.embeddings.difference).toBeCloseTo(0.25 * Math.sqrt(await squares([tokenEmbeddingName])), 4);
  expect(result.whole.difference).toBeCloseTo(Math.hypot(result.layers[1].difference, result.embeddings.difference), 9);
});

test('drift between types, and from zero', async () => {
  const weights = syntheticWeights(clipTiny);
  const half = await drift(weights, syntheticWeights(clipTiny, { dtype: 'F16' }));
  expect(half.whole.relative).toBeGreaterThan(0);
  expect(half.whole.relative).toBeLessThan(2 ** -11);
  const zero = changed(weights, () => 0);
  expect((await drift(weights, zero)).whole.relative).toBe(1);
  expect((await drift(zero, weights)).whole.relative).toBe(Number.POSITIVE_INFINITY);
});

test('encoders of different sizes are not compared, and an abort is heard', async () => {
  const config: ClipTextConfig = { ...clipTiny, hiddenSize: 32 };
  const weights = syntheticWeights(clipTiny);
  await expect(drift(weights, syntheticWeights(config))).rejects.toThrow(
    '"synthetic-tiny" and "synthetic-tiny" have text encoders of different sizes (width 64 and 32); only like can be compared.',
  );
  const reason = new Error('closed');
  await expect(drift(weights, weights, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
