import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';
import { attentionMask, causalMask, encoderPass, maskModes, padMask } from './masks.ts';
import index from './recorded/index.json';

const ids = Uint32Array.of(bosTokenId, 320, 2368, eosTokenId, eosTokenId);

test('causalMask lets every row see itself and what came before', () => {
  expect(Array.from(causalMask(3))).toEqual([1, 0, 0, 1, 1, 0, 1, 1, 1]);
});

test.each([
  ['causal', [1, 1, 1, 1, 1]],
  ['hf', [1, 1, 1, 1, 0]],
  ['lecture', [1, 1, 1, 0, 0]],
  ['none', [1, 1, 1, 1, 1]],
] as const)('padMask %s', (mode, mask) => {
  expect(Array.from(padMask(ids, mode))).toEqual(mask);
});

test('padMask hf is the attention_mask of the recorded tokenizer', () => {
  index.ids.forEach((row, i) => {
    expect(Array.from(padMask(Uint32Array.from(row), 'hf'))).toEqual(index.hf_attention_mask[i]);
  });
});

test('an EOS typed in the prompt does not end it for hf, and is hidden by lecture', () => {
  const typed = Uint32Array.of(bosTokenId, eosTokenId, 2368, eosTokenId, eosTokenId);
  expect(Array.from(padMask(typed, 'hf', 3))).toEqual([1, 1, 1, 1, 0]);
  expect(Array.from(padMask(typed, 'lecture', 3))).toEqual([1, 0, 1, 0, 0]);
});

test('ids without an EOS are all visible', () => {
  for (const mode of maskModes) expect(Array.from(padMask(Uint32Array.of(320, 2368), mode))).toEqual([1, 1]);
});

test('attentionMask is the product of both masks, and only none lets a row see ahead', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...maskModes),
      fc.array(fc.integer({ min: 49400, max: 49407 }), { maxLength: 20 }),
      (mode, tail) => {
        const inputIds = Uint32Array.of(bosTokenId, ...tail);
        const L = inputIds.length;
        const pass = encoderPass(inputIds, mode);
        const keys = padMask(inputIds, mode);
        const mask = attentionMask(pass);
        expect(pass.causal).toBe(mode !== 'none');
        expect(pass.keyMask).toEqual(keys);
        for (let i = 0; i < L; i++) {
          expect(mask[i * L], 'BOS is visible to every row').toBe(1);
          for (let j = 0; j < L; j++)
            expect(mask[i * L + j]).toBe(mode === 'none' ? 1 : Number(j <= i && keys[j] === 1));
        }
      },
    ),
  );
});
