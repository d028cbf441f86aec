import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import { encoderPass, type MaskMode, maskModes } from '../clip/masks.ts';
import index from '../clip/recorded/index.json';
import { type ReferenceOutput, referenceEncoder } from '../clip/reference.ts';
import { at, expectClose, recordedArray } from '../clip/testing/recorded.ts';
import { type LayerTensorName, layerTensor, tokenEmbeddingName, type WeightSource } from '../clip/weights.ts';
import type { WeightedLora } from '../engine/backend.ts';
import type { EncodeStart } from '../engine/encodeRun.ts';
import type { Encoder } from '../engine/encoder.ts';
import type { WeightDtype } from '../files/dtypes.ts';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { type LoraUpdate, loraDelta } from '../models/loraDelta.ts';
import { openLora } from '../models/loraFile.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { checkpointBytes } from '../models/testing/checkpoints.ts';
import { requestGpuDevice } from './device.ts';
import { attentionKernels, matmulKernels, plainKernels } from './dispatches.ts';
import { createGpuEncoder } from './gpuEncoder.ts';
import { nodeGpu } from './node.ts';
import { testAdapters, testDevice } from './testing/adapters.ts';

const recordedMasks = ['causal', 'hf', 'lecture'] as const satisfies MaskMode[];
const everything = ({ numHiddenLayers: N }: ClipTextConfig): EncoderWant => ({
  hiddenStates: Array.from({ length: N + 1 }, (_, i) => i),
  attentions: true,
});
const passOf = (prompt: number, mask: MaskMode): EncoderPass => encoderPass(Uint32Array.from(index.ids[prompt]), mask);

/** Max abs 1e-4 and rms 2e-5: an order above what float32 costs at full size. */
function expectEncoded(what: string, actual: Float32Array, expected: ArrayLike<number>): void {
  expectClose(what, actual, expected, 1e-4);
  const rms = Math.sqrt(actual.reduce((sum, v, i) => sum + (v - expected[i]) ** 2, 0) / actual.length);
  expect(rms, `${what}: rms`).toBeLessThanOrEqual(2e-5);
}

/** Stage by stage in the order they are computed, so that a failure names the first wrong one. */
function expectStages(what: string, config: ClipTextConfig, actual: EncoderOutput, expected: ReferenceOutput): void {
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

const viaSafetensors = async (config: ClipTextConfig, dtype: WeightDtype): Promise<WeightSource> =>
  openCheckpoint(memorySource(await checkpointBytes({ config, dtype, layout: 'ldm' }), 'model.safetensors'));

/** [n] repeatable numbers in ±range. */
const waves = (n: number, seed: number, range: number) =>
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

function tinyUpdate(layer: number, projection: Projection, rank: number, seed: number): LoraUpdate {
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
function mergedSource(source: WeightSource, loras: readonly WeightedLora[]): WeightSource {
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

/** Lets the GPU run out of memory for the next thing made, or after `after` things that still fit. */
function withoutRoom(device: GPUDevice, after = 0) {
  const pop = device.popErrorScope.bind(device);
  const spy = vi.spyOn(device, 'popErrorScope');
  for (let i = 0; i < after; i++) spy.mockImplementationOnce(pop);
  return spy.mockImplementationOnce(async () => {
    await pop();
    return { message: 'Out of memory.' } as GPUOutOfMemoryError;
  });
}

describe.each(testAdapters)('on %s', (adapter) => {
  describe('tiny, from a safetensors file', () => {
    let encoder: Encoder;
    beforeAll(async () => {
      encoder = await createGpuEncoder(await testDevice(adapter), await viaSafetensors(clipTiny, 'F32'));
    });

    /** Fills the cache of passes with passes that share no first token with any other: the next one is encoded whole. */
    let different = 0;
    const forget = () =>
      encoder.encode(
        Array.from({ length: 8 }, () => ({ ...passOf(3, 'none'), inputIds: new Uint32Array(77).fill(++different) })),
        { hiddenStates: [], attentions: false },
      );
    test.each(recordedMasks)(
      'equals every recorded stage under the mask "%s", all prompts in one batch',
      async (mask) => {
        const passes = index.ids.map((_, prompt) => passOf(prompt, mask));
        await forget();
        const { outputs } = await encoder.encode(passes, everything(clipTiny));
        const recorded = (what: string) => recordedArray(`clip/recorded/tiny_B_${mask}_${what}.npy`);
        // Hidden states and attentions were recorded of prompts 1 and 3.
        for (const [row, prompt] of [1, 3].entries()) {
          const { hiddenStates, attentions } = outputs[prompt];
          for (let i = 0; i <= clipTiny.numHiddenLayers; i++)
            expectEncoded(`prompt ${prompt}: hiddenStates ${i}`, hiddenStates.get(i)!, at(recorded('hidden'), row, i));
          expectEncoded(`prompt ${prompt}: attentions`, attentions!, at(recorded('attn_p1_p3'), row));
        }
        for (const [prompt, { lastHiddenState }] of outputs.entries())
          expectEncoded(`prompt ${prompt}: lastHiddenState`, lastHiddenState, at(recorded('last'), prompt));
      },
    );

    test('equals the float64 encoder with no mask at all, and one pass alone equals the same pass in a batch', async () => {
      const reference = await referenceEncoder(syntheticWeights(clipTiny));
      const passes = maskModes.map((mask) => passOf(3, mask));
      const batched = await fresh(passes);
      for (const [i, pass] of passes.entries()) {
        expectStages(maskModes[i], clipTiny, batched[i], reference(pass));
        expect(await fresh([pass])).toEqual([batched[i]]);
      }
    });

    test.each([
      ...matmulKernels.map((matmul) => [matmul, { ...plainKernels, matmul }] as const),
      ...attentionKernels.map((attention) => [attention, { ...plainKernels, attention }] as const),
    ])('equals the float64 encoder with %s, also of an edited prompt', async (name, choice) => {
      const device = await testDevice(adapter);
      const make = () => createGpuEncoder(device, syntheticWeights(clipTiny), { choice });
      const [other, another] = await Promise.all([make(), make()]);
      const pass = passOf(2, 'causal');
      const edited = { ...pass, inputIds: pass.inputIds.with(3, 736) };
      await other.encode([edited], everything(clipTiny));
      const { outputs, rows } = await other.encode([pass], everything(clipTiny), { onRows() {} });
      expect(rows).toBe(74);
      expectStages(name, clipTiny, outputs[0], (await referenceEncoder(syntheticWeights(clipTiny)))(pass));
      // To the bit, though few rows are done by other pipelines than many.
      expect(outputs[0]).toEqual((await another.encode([pass], everything(clipTiny))).outputs[0]);
      other.destroy();
      another.destroy();
    });

    test('encodes more passes than one submit holds, and only what is wanted', async () => {
      const passes = Array.from({ length: 19 }, (_, i) => passOf(i % index.ids.length, 'causal'));
      const { outputs } = await encoder.encode(passes, { hiddenStates: [], attentions: false });
      expect(outputs).toHaveLength(19);
      for (const [i, output] of outputs.entries()) {
        expect(output.lastHiddenState).toEqual(outputs[i % index.ids.length].lastHiddenState);
        expect([output.hiddenStates.size, output.attentions]).toEqual([0, undefined]);
      }
    });

    const words = [320, 1125, 539, 320, 2368, 525, 7496, 267, 5302];
    const padded = (ids: readonly number[], mask: MaskMode) =>
      encoderPass(
        Uint32Array.from({ length: 77 }, (_, i) => [49406, ...ids][i] ?? 49407),
        mask,
      );
    const fresh = async (passes: readonly EncoderPass[]) => {
      await forget();
      const run = await encoder.encode(passes, everything(clipTiny));
      expect(run.rows).toBe(77 * passes.length);
      return run.outputs;
    };

    test.each(maskModes)(
      'an edit recomputes the rows it can reach, and the result is that of a full encode (%s)',
      async (mask) => {
        const edits: [ids: number[], firstChanged: number][] = [
          [words, 0],
          [words, 77],
          [words.with(8, 736), 9],
          [[...words.with(8, 736), 1615], 10],
          [words.slice(0, 4), 5],
          [words.with(0, 736), 1],
        ];
        const passes = edits.map(([ids]) => padded(ids, mask));
        const expected: EncoderOutput[] = [];
        for (const pass of passes) expected.push(...(await fresh([pass])));
        await forget();
        for (const [i, [, firstChanged]] of edits.entries()) {
          const { outputs, rows } = await encoder.encode([passes[i]], everything(clipTiny));
          expect(rows).toBe(mask === 'none' && firstChanged < 77 ? 77 : 77 - firstChanged);
          expect(outputs[0]).toEqual(expected[i]);
        }
      },
    );

    test.each(maskModes)(
      'rows up to EOS come first where nothing after them matters, and nothing of the result changes (%s)',
      async (mask) => {
        const edits: [ids: number[], first: number, ready: number | undefined][] = [
          [words, 0, 11],
          [words.with(8, 736), 9, 11],
          // Its last word is gone: EOS and padding.
          [words.slice(0, 8), 9, 10],
          [words.slice(0, 8), 77, undefined],
          [Array.from({ length: 75 }, (_, i) => 400 + i), 1, undefined],
        ];
        const passes = edits.map(([ids]) => padded(ids, mask));
        const expected: EncoderOutput[] = [];
        for (const pass of passes) expected.push(...(await fresh([pass])));
        await forget();
        for (const [i, [, first, ready]] of edits.entries()) {
          const starts: EncodeStart[] = [];
          const onRows = (start: EncodeStart) => void starts.push(start);
          const { outputs, rows } = await encoder.encode([passes[i]], everything(clipTiny), { onRows });
          expect(outputs[0]).toEqual(expected[i]);
          expect(rows).toBe(mask === 'none' && first < 77 ? 77 : 77 - first);
          expect(starts).toHaveLength(mask === 'none' || ready === undefined ? 0 : 1);
          for (const start of starts) {
            expect(start.ready).toEqual([ready]);
            expect(start.rows).toBe(ready! - first);
            expect(start.outputs[0]).toEqual(firstRows(expected[i], ready!));
          }
        }
      },
    );

    /** The first rows of every array, followed by zeros. */
    function firstRows({ lastHiddenState, hiddenStates, attentions }: EncoderOutput, rows: number): EncoderOutput {
      const { hiddenSize: d } = clipTiny;
      const only = (state: Float32Array) => state.map((value, i) => (i < rows * d ? value : 0));
      return {
        lastHiddenState: only(lastHiddenState),
        hiddenStates: new Map([...hiddenStates].map(([i, state]) => [i, only(state)])),
        attentions: attentions!.map((value, i) => (Math.floor(i / 77) % 77 < rows ? value : 0)),
      };
    }

    test('an encode that is cancelled between its submits keeps the rows that it has', async () => {
      const [before, edited] = [padded(words, 'causal'), padded(words.with(8, 736), 'causal')];
      const [expected] = await fresh([edited]);
      await forget();
      await encoder.encode([before], everything(clipTiny));
      const abort = new AbortController();
      const run = encoder.encode([edited], everything(clipTiny), {
        onRows: () => abort.abort(new Error('a newer prompt')),
        signal: abort.signal,
      });
      await expect(run).rejects.toThrow('a newer prompt');
      const { outputs, rows } = await encoder.encode([edited], everything(clipTiny));
      expect([rows, outputs[0]]).toEqual([77 - 11, expected]);
    });

    test('each pass of a batch keeps its own rows, also in another place or alone', async () => {
      const [a, b, c] = [words, words.map((id) => id + 1), words.map((id) => id + 2)].map((ids) =>
        padded(ids, 'causal'),
      );
      const [a2, b2] = [words.with(8, 736), words.map((id) => id + 1).with(3, 736)].map((ids) => padded(ids, 'causal'));
      const runs: [passes: EncoderPass[], rows: number][] = [
        [[a, b], 154],
        [[a2, b], 77 - 9],
        [[b, a2], 0],
        [[b2], 77 - 4],
        [[a], 77 - 9],
        [[b2, c, a], 77],
        [[c, a2, b2], 77 - 9],
      ];
      const expected = new Map<EncoderPass, EncoderOutput>();
      for (const pass of [a, b, c, a2, b2]) expected.set(pass, (await fresh([pass]))[0]);
      await forget();
      for (const [i, [passes, computed]] of runs.entries()) {
        const { outputs, rows } = await encoder.encode(passes, everything(clipTiny));
        expect(rows, `run ${i}`).toBe(computed);
        expect(outputs).toEqual(passes.map((pass) => expected.get(pass)));
      }
    });

    test('a prompt, a variant of it and a negative prompt, one after the other: each edit finds its rows', async () => {
      const gpu = await testDevice(adapter);
      const other = await createGpuEncoder(gpu, syntheticWeights(clipTiny));
      const [small] = [other.activationBytes];
      const variants = (last: number) => [words.with(8, last), words.with(3, 9).with(8, last), [7, 8, 9, last]];
      const first = variants(736).map((ids) => padded(ids, 'causal'));
      for (const pass of first) {
        const { rows } = await other.encode([pass], everything(clipTiny), { alsoNeeded: first });
        expect(rows).toBe(77);
      }
      // Two places at first, and what was in them when there were to be three is kept.
      expect(other.activationBytes / small).toBeCloseTo(1.5, 2);
      for (const last of [737, 738]) {
        const edited = variants(last).map((ids) => padded(ids, 'causal'));
        for (const [i, pass] of edited.entries()) {
          const { rows, outputs } = await other.encode([pass], everything(clipTiny), { alsoNeeded: edited });
          expect(rows).toBe([77 - 9, 77 - 9, 77 - 4][i]);
          expect(outputs).toEqual(await fresh([pass]));
        }
      }
      other.destroy();
    });

    test('what the GPU refuses is an error, and nothing of it counts as computed', async () => {
      const device = await testDevice(adapter);
      const [before, edited] = [padded(words, 'causal'), padded(words.with(8, 736), 'causal')];
      const [expected] = await fresh([edited]);
      await encoder.encode([before], everything(clipTiny));
      const create = device.createBuffer.bind(device);
      // MAP_READ goes with COPY_DST alone.
      const refused = vi
        .spyOn(device, 'createBuffer')
        .mockImplementation((of) => create(of.label === 'results' ? { ...of, usage: 0x81 } : of));
      await expect(encoder.encode([edited], everything(clipTiny))).rejects.toThrow('The GPU refused to encode');
      refused.mockRestore();
      const { rows, outputs } = await encoder.encode([edited], everything(clipTiny));
      expect([rows, outputs[0]]).toEqual([77 - 9, expected]);
    });

    test('without memory for more passes the ones that there is room for are still encoded', async () => {
      const device = await testDevice(adapter);
      const other = await createGpuEncoder(device, syntheticWeights(clipTiny));
      const passes = [words, [7, 8], [9]].map((ids) => padded(ids, 'causal'));
      const [expected] = await fresh([passes[0]]);
      await other.encode([passes[0]], everything(clipTiny));
      // More than is to be encoded is not worth an error.
      const full = withoutRoom(device);
      const { rows: all } = await other.encode([passes[1]], everything(clipTiny), { alsoNeeded: passes });
      expect(all).toBe(77);
      full.mockRestore();
      // Nor is it tried again, until there is less on the GPU.
      const create = vi.spyOn(device, 'createBuffer');
      await other.encode([passes[1]], everything(clipTiny), { alsoNeeded: passes });
      expect(create.mock.calls.map(([{ label }]) => label)).toEqual(['results']);
      create.mockRestore();
      const fuller = withoutRoom(device);
      await expect(other.encode(passes, everything(clipTiny))).rejects.toThrow('not enough memory to encode 3 prompts');
      fuller.mockRestore();
      const { rows, outputs } = await other.encode([passes[0]], everything(clipTiny));
      expect([rows, outputs[0]]).toEqual([0, expected]);
      const small = other.activationBytes;
      const lora = { updates: [tinyUpdate(0, 'fc1', 4, 1)], multiplier: 1 };
      await other.encode([passes[0]], everything(clipTiny), { alsoNeeded: passes, loras: [lora] });
      expect(other.activationBytes / small).toBeCloseTo(1.5, 2);
      other.destroy();
    });

    test('what did not compile once is compiled when it is needed again', async () => {
      const { device } = await requestGpuDevice(nodeGpu(adapter));
      const other = await createGpuEncoder(device, syntheticWeights(clipTiny));
      const pass = padded(words, 'causal');
      await other.encode([pass], everything(clipTiny));
      const failing = vi.spyOn(device, 'createComputePipelineAsync').mockRejectedValueOnce(new Error('Busy.'));
      const edit = () => other.encode([padded(words.with(8, 736), 'causal')], everything(clipTiny), { onRows() {} });
      await expect(edit()).rejects.toThrow('Busy.');
      failing.mockRestore();
      expect((await edit()).rows).toBe(77 - 9);
      device.destroy();
    });

    test('a profile names every step, counts what the mask leaves, and changes nothing', async () => {
      const pass = padded(words, 'causal');
      const [expected] = await fresh([pass]);
      const { hiddenSize: d, numAttentionHeads: h } = clipTiny;
      for (const [of, mask, pairs, keys] of [
        [undefined, 'causal', (77 * 78) / 2, 77],
        [undefined, 'none', 77 ** 2, 77],
        [{ first: 9, end: 11 }, 'causal', 10 + 11, 11],
      ] as const) {
        const { steps, noTimes } = await encoder.profile({ ...pass, causal: mask === 'causal' }, of);
        expect(steps).toHaveLength(2 + 7 * clipTiny.numHiddenLayers);
        expect(steps[1]).toMatchObject({ label: 'layers.0.layer_norm1', kernel: 'layer_norm' });
        for (const { milliseconds, flops, bytes } of steps) {
          if (noTimes === null) expect(milliseconds).toBeGreaterThanOrEqual(0);
          else expect(milliseconds).toBeNull();
          expect(Math.min(flops, bytes)).toBeGreaterThan(0);
        }
        const queries = of ? of.end - of.first : 77;
        const attention = steps.find(({ label }) => label === 'layers.0.self_attn.attention')!;
        expect(attention.flops).toBeCloseTo(4 * pairs * d);
        // Q and what is attended; K and V; the mask and the probabilities; the range.
        expect(attention.bytes).toBeCloseTo(4 * (2 * queries * d + 2 * keys * d + (1 + h) * queries * 77 + 3));
        expect((await encoder.encode([pass], everything(clipTiny))).outputs[0]).toEqual(expected);
      }
      // Without a causal mask every row depends on all, and some alone are not right.
      const unmasked = { ...pass, causal: false };
      const [whole] = await fresh([unmasked]);
      await forget();
      await encoder.profile(unmasked, { first: 0, end: 5 });
      expect((await encoder.encode([unmasked], everything(clipTiny))).outputs[0]).toEqual(whole);
      await encoder.encode([pass], everything(clipTiny));
      // Its own rows once more, so that none is lost.
      await encoder.profile(pass, { first: 9, end: 11 });
      expect((await encoder.encode([pass], everything(clipTiny))).rows).toBe(0);
    });

    test('what is compiled ahead is all that any number of rows needs, and waits for encodes', async () => {
      // On a device of its own nothing is compiled yet.
      const { device } = await requestGpuDevice(nodeGpu(adapter));
      const other = await createGpuEncoder(device, syntheticWeights(clipTiny));
      const create = device.createComputePipelineAsync.bind(device);
      const order: string[] = [];
      const spy = vi.spyOn(device, 'createComputePipelineAsync').mockImplementation((of) => {
        order.push('pipeline');
        return create(of);
      });
      const encoded = other.encode([padded(words, 'none')], everything(clipTiny)).then(() => order.push('encoded'));
      await Promise.all([other.compile(), encoded]);
      expect(order[0]).toBe('encoded');
      expect(order.length).toBeGreaterThan(10);
      order.length = 0;
      for (let n = 1; n < 76; n += 3)
        await other.encode([padded(Array(n).fill(9), 'causal')], everything(clipTiny), { onRows() {} });
      expect(order).toEqual([]);
      // And all that another encoder needs.
      (await createGpuEncoder(device, syntheticWeights(clipTiny))).destroy();
      expect(order).toEqual([]);
      const abort = new AbortController();
      abort.abort(new Error('another model'));
      await expect(other.compile(abort.signal)).rejects.toThrow('another model');
      spy.mockRestore();
      device.destroy();
    });

    test('encodes that overlap do not build on each other', async () => {
      const passes = [1, 2, 3, 1].map((prompt) => passOf(prompt, 'causal'));
      const runs = await Promise.all(passes.map((pass) => encoder.encode([pass], everything(clipTiny))));
      const { outputs } = await encoder.encode(passes, everything(clipTiny));
      for (const [i, run] of runs.entries()) expect(run.outputs[0]).toEqual(outputs[i]);
    });

    test('vectors replace token embeddings', async () => {
      const vector = Float32Array.from({ length: clipTiny.hiddenSize }, (_, i) => Math.sin(i));
      const pass = { ...passOf(1, 'causal'), vectors: new Map([[3, vector]]) };
      const reference = await referenceEncoder(syntheticWeights(clipTiny));
      const [output] = (await encoder.encode([pass], everything(clipTiny))).outputs;
      expectStages('vectors', clipTiny, output, reference(pass));
    });
  });

  test.each(['F16', 'BF16'] as const)(
    'tiny in %s equals the float64 encoder on the same rounded weights',
    async (dtype) => {
      const source = await viaSafetensors(clipTiny, dtype);
      const encoder = await createGpuEncoder(await testDevice(adapter), source);
      expect(encoder.dtype).toBe(dtype);
      const pass = passOf(2, 'causal');
      const [output] = (await encoder.encode([pass], everything(clipTiny))).outputs;
      expectStages(dtype, clipTiny, output, (await referenceEncoder(source))(pass));
      encoder.destroy();
    },
  );

  test.each(['F32', 'F16', 'BF16'] as const)(
    'LoRAs are merged into %s weights as float64 merges them, and leave no trace',
    async (dtype) => {
      const source = await viaSafetensors(clipTiny, dtype);
      const encoder = await createGpuEncoder(await testDevice(adapter), source);
      const passes = [passOf(1, 'causal'), passOf(2, 'causal')];
      const encode = (loras?: readonly WeightedLora[]) => encoder.encode(passes, everything(clipTiny), { loras });
      const { outputs: before } = await encode();

      const all = ['qProj', 'kProj', 'vProj', 'outProj', 'fc1', 'fc2'] as const;
      const whole = {
        updates: [0, 1].flatMap((layer) => all.map((projection, i) => tinyUpdate(layer, projection, 4, i + layer))),
        multiplier: 0.7,
      };
      const some = { updates: [tinyUpdate(1, 'kProj', 3, 30), tinyUpdate(0, 'fc2', 1, 31)], multiplier: -1.5 };
      const { hiddenSize: d, intermediateSize: m } = clipTiny;
      for (const [loras, mergedBytes] of [
        [[whole], 2 * (4 * d * d + 2 * m * d) * 4],
        [[whole, some], 2 * (4 * d * d + 2 * m * d) * 4],
        [[some], (3 * d * d + m * d) * 4],
        [[{ ...whole, multiplier: 2 }], 2 * (4 * d * d + 2 * m * d) * 4],
      ] as const) {
        const { outputs } = await encode(loras);
        expect(encoder.mergedBytes).toBe(mergedBytes);
        const reference = await referenceEncoder(mergedSource(source, loras));
        for (const [i, pass] of passes.entries()) {
          expectStages(`${loras.length} LoRAs`, clipTiny, outputs[i], reference(pass));
          expect(outputs[i].lastHiddenState).not.toEqual(before[i].lastHiddenState);
        }
      }
      // Those that are merged already: the rows are kept.
      expect((await encode([{ ...whole, multiplier: 2 }])).rows).toBe(0);

      for (const off of [undefined, [{ ...whole, multiplier: 0 }]]) {
        // Each its own, also where the second is asked for before the first is done.
        const [merged, plain] = await Promise.all([encode([some]), encode(off)]);
        expect(encoder.mergedBytes).toBe(0);
        expect(plain.outputs).toEqual(before);
        expect(merged.outputs).not.toEqual(before);
      }
      encoder.destroy();
    },
  );

  test.each([
    ...['loha', 'lokr', 'dora_columns', 'ia3', 'peft_dora', 'comfy_extract'].map((name) => [`loras/${name}`] as const),
    ['reports/dora'] as const,
  ])('%s, which is not of low rank, is merged as float64 merges it, and leaves no trace', async (name) => {
    const path = new URL(`../models/recorded/${name}.safetensors`, import.meta.url);
    const { updates } = await openLora(memorySource(new Uint8Array(readFileSync(path)), name), { config: clipTiny });
    const source = await viaSafetensors(clipTiny, 'F16');
    const encoder = await createGpuEncoder(await testDevice(adapter), source);
    const pass = passOf(1, 'causal');
    const encode = (loras?: readonly WeightedLora[]) => encoder.encode([pass], everything(clipTiny), { loras });
    const { outputs: before } = await encode();
    const plain = { updates: [tinyUpdate(1, 'kProj', 3, 30), tinyUpdate(0, 'fc1', 2, 31)], multiplier: -0.5 };
    // The order counts: DoRA and IA³ begin with what is merged by then.
    for (const loras of [[{ updates, multiplier: 0.6 }], [plain, { updates, multiplier: -0.7 }]]) {
      const { outputs } = await encode(loras);
      const reference = await referenceEncoder(mergedSource(source, loras));
      expectStages(name, clipTiny, outputs[0], reference(pass));
      expect(outputs[0].lastHiddenState).not.toEqual(before[0].lastHiddenState);
    }
    expect((await encode()).outputs).toEqual(before);
    expect(encoder.mergedBytes).toBe(0);
    encoder.destroy();
  });

  test('a LoRA of the token embedding changes the rows of the tokens that are there', async () => {
    const [V, d] = [clipTiny.vocabSize, clipTiny.hiddenSize];
    const lowRank = { kind: 'LoRA', rank: 2, up: waves(V * 2, 5, 0.3), down: waves(2 * d, 6, 0.3) } as const;
    const changes = [lowRank, { kind: 'difference', values: waves(V * d, 7, 0.1) }] as const;
    const source = syntheticWeights(clipTiny);
    const encoder = await createGpuEncoder(await testDevice(adapter), source);
    const pass = passOf(1, 'causal');
    const before = await encoder.encode([pass], everything(clipTiny));
    for (const change of changes) {
      const loras = [
        { updates: [{ target: tokenEmbeddingName, scale: 0.5, change, magnitude: null }], multiplier: 0.8 },
      ];
      const { outputs } = await encoder.encode([pass], everything(clipTiny), { loras });
      const reference = await referenceEncoder(mergedSource(source, loras));
      expectStages(change.kind, clipTiny, outputs[0], reference(pass));
      expect(outputs[0].lastHiddenState).not.toEqual(before.outputs[0].lastHiddenState);
    }
    expect((await encoder.encode([pass], everything(clipTiny))).outputs).toEqual(before.outputs);
    encoder.destroy();
  });

  test.each([0, 1])('LoRAs that the GPU has no room for leave everything as it was (%i)', async (after) => {
    const device = await testDevice(adapter);
    const encoder = await createGpuEncoder(device, syntheticWeights(clipTiny));
    const pass = passOf(1, 'causal');
    const before = await encoder.encode([pass], everything(clipTiny));
    const full = withoutRoom(device, after);
    const lora = { updates: [tinyUpdate(0, 'fc1', 4, 1)], multiplier: 1 };
    const merge = () => encoder.encode([pass], everything(clipTiny), { loras: [lora] });
    await expect(merge()).rejects.toThrow('not enough memory');
    full.mockRestore();
    expect(encoder.mergedBytes).toBe(0);
    const again = await encoder.encode([pass], everything(clipTiny));
    expect([again.rows, again.outputs]).toEqual([0, before.outputs]);
    expect((await merge()).outputs).not.toEqual(before.outputs);
    encoder.destroy();
  });

  /** A load that fails has destroyed all buffers, but for those of twelve bytes that go with their bind groups. */
  async function watched(load: (device: GPUDevice) => Promise<unknown>, error: string) {
    const device = await testDevice(adapter);
    const destroyed: boolean[] = [];
    const create = device.createBuffer.bind(device);
    const spy = vi.spyOn(device, 'createBuffer').mockImplementation((of) => {
      const buffer = create(of);
      if (of.label === 'range') return buffer;
      const at = destroyed.push(false) - 1;
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        destroyed[at] = true;
        return destroy();
      };
      return buffer;
    });
    try {
      await expect(load(device)).rejects.toThrow(error);
    } finally {
      spy.mockRestore();
    }
    expect(destroyed.length).toBeGreaterThan(0);
    expect(destroyed).not.toContain(false);
  }

  test('a load that is cancelled rejects with the signal and frees what it had', async () => {
    const abort = new AbortController();
    const onProgress = (done: number, total: number) => done > total / 2 && abort.abort();
    await watched(
      (device) => createGpuEncoder(device, syntheticWeights(clipTiny), { signal: abort.signal, onProgress }),
      'abort',
    );
  });

  test('a load that the GPU has no room for rejects and frees what it had', async () => {
    const device = await testDevice(adapter);
    const full = withoutRoom(device);
    await watched(
      (device) => createGpuEncoder(device, syntheticWeights(clipTiny)),
      'not enough memory for "synthetic-tiny"',
    );
    full.mockRestore();
  });
});

// Six full-size passes: a minute on a software adapter, and several while other programs run.
describe('full size, from a safetensors file', () => {
  let reference: ReferenceOutput;
  beforeAll(async () => {
    reference = (await referenceEncoder(syntheticWeights(clipVitL14)))(passOf(1, 'causal'));
  });

  test.each(testAdapters)(
    'on %s equals every recorded array, and float64 at every stage',
    async (adapter) => {
      const device = await testDevice(adapter);
      const encoder = await createGpuEncoder(device, await viaSafetensors(clipVitL14, 'F32'));
      const passes = recordedMasks.flatMap((mask) => [passOf(1, mask), passOf(3, mask)]);
      const { outputs } = await encoder.encode(passes, everything(clipVitL14));
      const attn = recordedArray('clip/recorded/full_B_causal_attn_l0_p1.npy');
      expectEncoded('attentions 0', outputs[0].attentions!.subarray(0, attn.data.length), attn.data);
      expectStages('causal', clipVitL14, outputs[0], reference);
      for (const [m, mask] of recordedMasks.entries()) {
        const last = recordedArray(`clip/recorded/full_B_${mask}_last_p1_p3.npy`);
        for (const p of [0, 1]) expectEncoded(`${mask} ${p}`, outputs[m * 2 + p].lastHiddenState, at(last, p));
      }
      encoder.destroy();
      for (const matmul of ['matmul_tile', 'matmul_split'] as const) {
        const choice = { matmul, attention: 'attention_group' } as const;
        const other = await createGpuEncoder(device, syntheticWeights(clipVitL14), { choice });
        const [output] = (await other.encode([passOf(1, 'causal')], everything(clipVitL14))).outputs;
        expectStages(`causal, with ${matmul}`, clipVitL14, output, reference);
        other.destroy();
      }
    },
    600_000,
  );
});
