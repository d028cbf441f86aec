import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import type { EncoderOutput, EncoderPass } from '../../clip/encoderPass.ts';
import { type MaskMode, maskModes } from '../../clip/masks.ts';
import index from '../../clip/recorded/index.json';
import { referenceEncoder } from '../../clip/reference.ts';
import { at, recordedArray } from '../../clip/testing/recorded.ts';
import { tokenEmbeddingName, type WeightSource } from '../../clip/weights.ts';
import type { WeightDtype } from '../../files/dtypes.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { openLora } from '../../models/loraFile.ts';
import { syntheticWeights } from '../../models/synthetic.ts';
import type { WeightedLora } from '../backend.ts';
import type { EncodeStart } from '../encodeRun.ts';
import type { Encoder } from '../encoder.ts';
import {
  everything,
  expectEncoded,
  expectStages,
  freshEncodes,
  mergedSource,
  padded,
  passOf,
  recordedMasks,
  tinyUpdate,
  viaSafetensors,
  waves,
  words,
} from './encoderJudge.ts';

/** Makes an encoder on the engine that is tested. */
export type CreateEncoder = (source: WeightSource) => Promise<Encoder>;

/** LoRAs that are not of low rank, in the folder of recordings. */
const otherLoras = [
  ...['loha', 'lokr', 'dora_columns', 'ia3', 'peft_dora', 'comfy_extract'].map((name) => `loras/${name}`),
  'reports/dora',
];

/** Cases that an engine is tested in. */
export interface SuiteCases {
  readonly masks: readonly MaskMode[];
  /** Types of weights that LoRAs are merged into. */
  readonly dtypes: readonly WeightDtype[];
  /** LoRAs that are not of low rank. */
  readonly loras: readonly string[];
}

/**
 * An engine's own part is its `Backend`: it writes inputs, computes ranges of rows, reads back, grows, merges, times and inspects.
 * Every engine is tested in all of that, by `testPasses`, `testWeights` and `testInspection` with one case of each kind. What this
 * room decides for any engine needs every case, and `testDecisions`; the CPU does that in one thread, because it is fast.
 */
export const everyCase: SuiteCases = { masks: maskModes, dtypes: ['F32', 'F16', 'BF16'], loras: otherLoras };
export const oneOfEach: SuiteCases = { masks: ['causal'], dtypes: ['F32', 'F16'], loras: ['reports/dora'] };

/** Tests passes of a tiny model of another length than CLIP's. */
function testLength(create: CreateEncoder, L: number): void {
  test(`an encoder of ${L} positions equals float64, also in the rows that an edit keeps`, async () => {
    const config = { ...clipTiny, maxPositionEmbeddings: L };
    const source = syntheticWeights(config);
    const encoder = await create(source);
    const ids = Array.from({ length: Math.min(100, L - 12) }, (_, i) => 400 + i);
    const [pass, edited] = [ids, ids.with(20, 736)].map((of) => padded(of, 'hf', L));
    await encoder.encode([pass], everything(config));
    const { outputs, rows } = await encoder.encode([edited], everything(config));
    expect(rows).toBe(L - 21);
    expectStages(`${L} positions`, config, outputs[0], (await referenceEncoder(source))(edited));
    const short = padded(words, 'causal');
    const refusal = `A pass has 77 ids; this encoder takes ${L}.`;
    await expect(encoder.encode([short], everything(config))).rejects.toThrow(refusal);
    encoder.destroy();
  });
}

/** Tests of passes of the tiny model: their numbers, and that edits keep the rows that they cannot reach. */
export function testPasses(create: CreateEncoder, { masks }: SuiteCases): void {
  let encoder: Encoder;
  beforeAll(async () => {
    encoder = await create(await viaSafetensors(clipTiny, 'F32'));
  });
  afterAll(() => encoder?.destroy());
  const { forget, fresh } = freshEncodes(() => encoder);

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

  testLength(create, 248);

  test.each(masks)(
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

  test.each(masks)(
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

  test('each pass of a batch keeps its own rows, also in another place or alone', async () => {
    const [a, b, c] = [words, words.map((id) => id + 1), words.map((id) => id + 2)].map((ids) => padded(ids, 'causal'));
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
    const other = await create(syntheticWeights(clipTiny));
    const [small] = [other.activationBytes];
    const variants = (last: number) => [words.with(8, last), words.with(3, 9).with(8, last), [7, 8, 9, last]];
    const first = variants(736).map((ids) => padded(ids, 'causal'));
    for (const pass of first) {
      const { rows } = await other.encode([pass], everything(clipTiny), { alsoNeeded: first });
      expect(rows).toBe(77);
    }
    // Two places at first, and what was in them when there were to be three is kept.
    expect(other.activationBytes / small).toBeGreaterThan(1.3);
    expect(other.activationBytes / small).toBeLessThan(1.51);
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
}

/** Tests of what is decided alike for every engine, on the tiny model. */
export function testDecisions(create: CreateEncoder): void {
  let encoder: Encoder;
  beforeAll(async () => {
    encoder = await create(await viaSafetensors(clipTiny, 'F32'));
  });
  afterAll(() => encoder?.destroy());
  const { forget, fresh } = freshEncodes(() => encoder);
  testLength(create, 40);

  test('encodes more passes than there is room for at once, and only what is wanted', async () => {
    const passes = Array.from({ length: 19 }, (_, i) => passOf(i % index.ids.length, 'causal'));
    const { outputs } = await encoder.encode(passes, { hiddenStates: [], attentions: false });
    expect(outputs).toHaveLength(19);
    for (const [i, output] of outputs.entries()) {
      expect(output.lastHiddenState).toEqual(outputs[i % index.ids.length].lastHiddenState);
      expect([output.hiddenStates.size, output.attentions]).toEqual([0, undefined]);
    }
  });

  test('an encode that is cancelled after its first rows keeps them', async () => {
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

  test('a LoRA of the token embedding changes the rows of the tokens that are there', async () => {
    const [V, d] = [clipTiny.vocabSize, clipTiny.hiddenSize];
    const lowRank = { kind: 'LoRA', rank: 2, up: waves(V * 2, 5, 0.3), down: waves(2 * d, 6, 0.3) } as const;
    const changes = [lowRank, { kind: 'difference', values: waves(V * d, 7, 0.1) }] as const;
    const source = syntheticWeights(clipTiny);
    const encoder = await create(source);
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
}

/** Tests of weights in every type, and of LoRAs. */
export function testWeights(create: CreateEncoder, { dtypes, loras }: SuiteCases): void {
  test.each(['F16', 'BF16'] as const)(
    'tiny in %s equals the float64 encoder on the same rounded weights',
    async (dtype) => {
      const source = await viaSafetensors(clipTiny, dtype);
      const encoder = await create(source);
      expect(encoder.dtype).toBe(dtype);
      const pass = passOf(2, 'causal');
      const [output] = (await encoder.encode([pass], everything(clipTiny))).outputs;
      expectStages(dtype, clipTiny, output, (await referenceEncoder(source))(pass));
      encoder.destroy();
    },
  );

  test.each(dtypes)('LoRAs are merged into %s weights as float64 merges them, and leave no trace', async (dtype) => {
    const source = await viaSafetensors(clipTiny, dtype);
    const encoder = await create(source);
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
    // LoRAs that are merged already cost nothing: the rows are kept.
    expect((await encode([{ ...whole, multiplier: 2 }])).rows).toBe(0);

    for (const off of [undefined, [{ ...whole, multiplier: 0 }]]) {
      // Each its own, also where the second is asked for before the first is done.
      const [merged, plain] = await Promise.all([encode([some]), encode(off)]);
      expect(encoder.mergedBytes).toBe(0);
      expect(plain.outputs).toEqual(before);
      expect(merged.outputs).not.toEqual(before);
    }
    encoder.destroy();
  });

  test.each(loras)(
    '%s, which is not of low rank, is merged as float64 merges it, and leaves no trace',
    async (name) => {
      const path = new URL(`../../models/recorded/${name}.safetensors`, import.meta.url);
      const { updates } = await openLora(memorySource(new Uint8Array(readFileSync(path)), name), { config: clipTiny });
      const source = await viaSafetensors(clipTiny, 'F16');
      const encoder = await create(source);
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
    },
  );
}

/** Full size: two passes under each of these masks equal every recorded array. */
export async function expectFullSize(
  encoder: Encoder,
  masks: readonly (typeof recordedMasks)[number][],
): Promise<void> {
  const passes = masks.flatMap((mask) => [passOf(1, mask), passOf(3, mask)]);
  const { outputs } = await encoder.encode(passes, { hiddenStates: [], attentions: true });
  const attn = recordedArray('clip/recorded/full_B_causal_attn_l0_p1.npy');
  const first = outputs[2 * masks.indexOf('causal')].attentions!;
  expectEncoded('attentions 0', first.subarray(0, attn.data.length), attn.data);
  for (const [m, mask] of masks.entries()) {
    const last = recordedArray(`clip/recorded/full_B_${mask}_last_p1_p3.npy`);
    for (const p of [0, 1]) expectEncoded(`${mask} ${p}`, outputs[m * 2 + p].lastHiddenState, at(last, p));
  }
}
