import { beforeAll, expect, test } from 'vitest';
import { syntheticWeights } from '../models/synthetic.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';
import { clipTiny } from './config.ts';
import { rowEffects, withKeyMasked } from './maskEffects.ts';
import { attentionMask, encoderPass } from './masks.ts';
import { type ReferenceOutput, referenceEncoder } from './reference.ts';

const L = clipTiny.maxPositionEmbeddings;
let encode: (pass: ReturnType<typeof encoderPass>) => ReferenceOutput;
beforeAll(async () => {
  encode = await referenceEncoder(syntheticWeights(clipTiny));
});

function idsOf(text: readonly number[]): Uint32Array {
  return new Uint32Array(L)
    .fill(eosTokenId)
    .fill(bosTokenId, 0, 1)
    .map((id, row) => text[row - 1] ?? id);
}

const from = (row: number) => Array.from({ length: L - row }, (_, i) => row + i);
test('a key masked under a causal mask leaves the rows before it as they were', () => {
  const pass = encoderPass(idsOf([320, 1125, 539, 320, 2368]), 'causal');
  const whole = encode(pass).lastHiddenState;
  for (const row of [1, 3, 6, 40, L - 1]) {
    const masked = withKeyMasked(pass, row);
    const effects = rowEffects(encode(masked).lastHiddenState, whole, L);
    expect(effects.changed).toEqual(from(row));
    expect(masked.inputIds).toBe(pass.inputIds);
    const seen = attentionMask(masked);
    for (let i = 0; i < L; i++) expect(seen[i * L + row]).toBe(0);
  }
});

test('with BOS masked its own row sees nothing, and stays finite', () => {
  const pass = withKeyMasked(encoderPass(idsOf([320]), 'causal'), 0);
  const { lastHiddenState } = encode(pass);
  expect(lastHiddenState.every(Number.isFinite)).toBe(true);
  expect(attentionMask(pass)[0]).toBe(0);
});

test('a key that is hidden already changes nothing more', () => {
  const pass = encoderPass(idsOf([320]), 'hf');
  expect(withKeyMasked(pass, 5)).toEqual(pass);
});

test('numbers by hand', () => {
  const effects = rowEffects([3, 4, 0, 2, 1, 1], [3, 4, 0, 1, 1, 0], 3);
  expect([...effects.relative]).toEqual([0, 1, 1]);
  expect(effects).toMatchObject({ changed: [1, 2], largest: 1, largestAt: 1 });
  expect([...rowEffects([1, 0], [0, 0], 2).relative]).toEqual([Number.POSITIVE_INFINITY, 0]);
});

test('what is not finite is a change, and the largest', () => {
  const effects = rowEffects([1, Number.NaN, 3], [1, 2, 4], 3);
  expect(effects).toMatchObject({ changed: [1, 2], largest: Number.NaN, largestAt: 1 });
});

test('rows and outputs that do not fit are refused in words', () => {
  const pass = encoderPass(idsOf([320]), 'causal');
  expect(() => withKeyMasked(pass, 77)).toThrow('There is no row 77 to mask: take one from 0 to 76.');
  expect(() => withKeyMasked(pass, 1.5)).toThrow(RangeError);
  expect(() => rowEffects([1, 2], [1, 2, 3], 1)).toThrow('Outputs of 2 and 3 elements');
});
