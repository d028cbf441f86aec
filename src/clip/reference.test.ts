import { beforeAll, describe, expect, test } from 'vitest';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import fc from '../properties.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';
import { clipTiny, clipVitL14 } from './config.ts';
import type { EncoderPass } from './encoderPass.ts';
import { attentionMask, encoderPass } from './masks.ts';
import index from './recorded/index.json';
import {
  add,
  attention,
  embeddings,
  layerNorm,
  linear,
  quickGelu,
  type ReferenceOutput,
  referenceEncoder,
} from './reference.ts';
import { at, expectClose, recordedArray } from './testing/recorded.ts';
import type { WeightSource } from './weights.ts';

const f64 = (...values: number[]) => Float64Array.from(values);
const { hiddenSize: d, numAttentionHeads: h } = clipTiny;

let tiny: (pass: EncoderPass) => ReferenceOutput;
beforeAll(async () => {
  tiny = await referenceEncoder(syntheticWeights(clipTiny));
});

describe('layers', () => {
  test('embeddings adds the first L positions', () => {
    expect(embeddings(f64(1, 2, 3, 4), f64(10, 20, 30, 40, 50, 60), 2, 2)).toEqual(f64(11, 22, 33, 44));
  });

  test('layerNorm takes the biased variance of each row', () => {
    expect(layerNorm(f64(1, 3, -4, 4), f64(1, 2), f64(0, 10), 0)).toEqual(f64(-1, 12, -1, 12));
    expectClose('eps', layerNorm(f64(-1, 1), f64(1, 1), f64(0, 0), 3), f64(-0.5, 0.5), 1e-15);
  });

  test('linear is x Wᵀ + b', () => {
    const weight = f64(1, 2, 3, 4, 5, 6);
    expect(linear(f64(1, 10, 100, 1000), weight, f64(0.5, 0, -0.5), 2, 3)).toEqual(
      f64(21.5, 43, 64.5, 2100.5, 4300, 6499.5),
    );
    expect(linear(f64(1, 10), weight, null, 2, 3)).toEqual(f64(21, 43, 65));
  });

  test('quickGelu is x · sigmoid(1.702 x), also where exp overflows', () => {
    const [zero, one, far, farther] = quickGelu(f64(0, 1, -1000, 1000));
    expect(zero).toBe(0);
    expect(one).toBeCloseTo(1 / (1 + Math.exp(-1.702)), 15);
    expect(Math.abs(far)).toBe(0);
    expect(farther).toBe(1000);
  });

  test('add', () => {
    expect(add(f64(1, 2), f64(3, -2))).toEqual(f64(4, 0));
  });

  test('attention: two heads of two columns, by hand', () => {
    // Head 0 scores are q·k / √2; head 1 has equal keys, so its rows are uniform over what they see.
    const q = f64(0, 0, 1, 1, Math.SQRT2, 0, 1, 1);
    const k = f64(1, 0, 1, 1, 0, 5, 1, 1);
    const v = f64(1, 2, 3, 4, 5, 6, 7, 8);
    const { output, probabilities } = attention(q, k, v, Uint8Array.of(1, 0, 1, 1), 2, 2, 2);
    const p = 1 / (1 + Math.exp(-1));
    expectClose('probabilities', probabilities, f64(1, 0, p, 1 - p, 1, 0, 0.5, 0.5), 1e-15);
    expectClose('output', output, f64(1, 2, 3, 4, p + 5 * (1 - p), 2 * p + 6 * (1 - p), 5, 6), 1e-14);
  });

  test('attention: large scores stay finite, and a query that sees nothing gets zeros', () => {
    const { output, probabilities } = attention(
      f64(1e6, 1e6),
      f64(1e6, -1e6),
      f64(2, 3),
      Uint8Array.of(0, 0, 1, 1),
      2,
      1,
      1,
    );
    expect(probabilities).toEqual(f64(0, 0, 1, 0));
    expect(output).toEqual(f64(0, 2));
  });
});

describe.each(['causal', 'hf', 'lecture'] as const)('the tiny encoder, %s mask, against the recording', (mode) => {
  const recorded = (what: string) => recordedArray(`clip/recorded/tiny_B_${mode}_${what}.npy`);
  const run = (prompt: number) => tiny(encoderPass(Uint32Array.from(index.ids[prompt]), mode));

  test.each(index.prompts.map((_, i) => i))('lastHiddenState and its pooled row of prompt %i', (prompt) => {
    const { lastHiddenState } = run(prompt);
    expectClose('lastHiddenState', lastHiddenState, at(recorded('last'), prompt), 2e-7);
    const eos = index.ids[prompt].indexOf(eosTokenId);
    const pooled = lastHiddenState.subarray(eos * d, (eos + 1) * d);
    expectClose('pooled', pooled, at(recorded('pooled'), prompt), 2e-7);
  });

  test.each([
    [1, 0],
    [3, 1],
  ])('hiddenStates and attentions of prompt %i', (prompt, row) => {
    const { hiddenStates, attentions } = run(prompt);
    expect(hiddenStates).toHaveLength(clipTiny.numHiddenLayers + 1);
    expect(attentions).toHaveLength(clipTiny.numHiddenLayers);
    hiddenStates.forEach((x, i) => {
      expectClose(`hiddenStates[${i}]`, x, at(recorded('hidden'), row, i), 4e-7);
    });
    attentions.forEach((p, i) => {
      expectClose(`attentions[${i}]`, p, at(recorded('attn_p1_p3'), row, i), 1e-7);
    });
  });
});

test('the full-size encoder against the recording', async () => {
  const full = await referenceEncoder(syntheticWeights(clipVitL14));
  const { lastHiddenState, attentions } = full(encoderPass(Uint32Array.from(index.ids[1]), 'causal'));
  expectClose('attentions[0]', attentions[0], recordedArray('clip/recorded/full_B_causal_attn_l0_p1.npy').data, 1e-7);
  const last = recordedArray('clip/recorded/full_B_causal_last_p1_p3.npy');
  expectClose('lastHiddenState', lastHiddenState, at(last, 0), 2e-7);
});

/** BOS, `text`, EOS and PAD up to L. */
function padded(text: readonly number[], L: number): Uint32Array {
  return Uint32Array.of(bosTokenId, ...text, ...Array.from({ length: L - 1 - text.length }, () => eosTokenId));
}
const words = (constraints: fc.ArrayConstraints) => fc.array(fc.nat(bosTokenId - 1), constraints);
const rows = (x: Float64Array, end: number, start = 0) => x.subarray(start * d, end * d);
const runs = { numRuns: 25 };

test('causal rows do not depend on later ids', () => {
  fc.assert(
    fc.property(
      words({ minLength: 12, maxLength: 12 }),
      words({ minLength: 12, maxLength: 12 }),
      fc.nat(12),
      (a, b, same) => {
        const [one, other] = [a, [...a.slice(0, same), ...b.slice(same)]].map((ids) =>
          tiny(encoderPass(Uint32Array.from(ids), 'causal')),
        );
        expect(rows(one.lastHiddenState, same)).toEqual(rows(other.lastHiddenState, same));
      },
    ),
    runs,
  );
});

test('hf agrees with causal up to and including the EOS, lecture up to but excluding it', () => {
  fc.assert(
    fc.property(words({ maxLength: 10 }), (text) => {
      const ids = padded(text, 14);
      const eos = text.length + 1;
      const [causal, hf, lecture] = (['causal', 'hf', 'lecture'] as const).map(
        (mode) => tiny(encoderPass(ids, mode)).lastHiddenState,
      );
      expect(rows(hf, eos + 1)).toEqual(rows(causal, eos + 1));
      expect(rows(hf, eos + 2, eos + 1)).not.toEqual(rows(causal, eos + 2, eos + 1));
      expect(rows(lecture, eos)).toEqual(rows(causal, eos));
      expect(rows(lecture, eos + 1, eos)).not.toEqual(rows(causal, eos + 1, eos));
    }),
    runs,
  );
});

test('each row of attention sums to 1 and is exactly 0 where masked', () => {
  const L = 9;
  for (const mode of ['causal', 'hf', 'lecture', 'none'] as const) {
    const pass = encoderPass(padded([320, 2368], L), mode);
    const mask = attentionMask(pass);
    for (const p of tiny(pass).attentions)
      for (let row = 0; row < h * L; row++) {
        const probabilities = p.subarray(row * L, (row + 1) * L);
        expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
        probabilities.forEach((value, j) => {
          expect(value > 0, `${mode} row ${row} key ${j}`).toBe(mask[(row % L) * L + j] === 1);
        });
      }
  }
});

test('vectors stand in for token embeddings', async () => {
  const ids = padded([320, 2368], 6);
  const table = await syntheticWeights(clipTiny).read('text_model.embeddings.token_embedding.weight');
  const cat = toFloat32(table, 'F32').slice(2368 * d, 2369 * d);
  const replaced = Uint32Array.from(ids, (id) => (id === 2368 ? 0 : id));
  const pass = { ...encoderPass(replaced, 'causal'), vectors: new Map([[2, cat]]) };
  expect(tiny(pass).lastHiddenState).toEqual(tiny(encoderPass(ids, 'causal')).lastHiddenState);
});

test.each(['F16', 'BF16'] as const)('%s weights are decoded exactly', async (dtype) => {
  const stored = syntheticWeights(clipTiny, { dtype });
  const widened: WeightSource = {
    ...stored,
    tensor: (name) => ({ ...stored.tensor(name), dtype: 'F32' }),
    read: async (name) => fromFloat32(toFloat32(await stored.read(name), dtype), 'F32'),
  };
  const pass = encoderPass(padded([320, 2368], 6), 'causal');
  const [a, b] = await Promise.all([stored, widened].map(async (source) => (await referenceEncoder(source))(pass)));
  expect(a.lastHiddenState).toEqual(b.lastHiddenState);
});
