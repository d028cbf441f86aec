import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import index from '../clip/recorded/index.json';
import type { Fragment } from '../prompt/ast.ts';
import { sourceText } from '../prompt/sourceText.ts';
import fc from '../properties.ts';
import { bosTokenId, eosTokenId, padTokenId } from './clipVocabulary.ts';
import { fragmentTokens, normaliseLength, type PromptToken } from './promptTokens.ts';
import { createTokenizer } from './tokenizer.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

/** The part of `source` between two places, as a parser would hand it on. */
function fragment(source: string, start: number, end: number, weight = 1, kind: Fragment['kind'] = 'text'): Fragment {
  return { kind, weight, start, end, ...sourceText(source, start, end) };
}
const whole = (source: string) => fragment(source, 0, source.length);

test.each(index.prompts.map((prompt, i) => [prompt.slice(0, 40), i] as const))('ids of "%s" as recorded', (_, i) => {
  const { chunk, cut } = normaliseLength(fragmentTokens([whole(index.prompts[i])], tokenizer), tokenizer);
  expect(Array.from(chunk.inputIds)).toEqual(index.ids[i]);
  // Only the last of the recorded prompts is too long: 10 × 8 tokens and the 9 of its end, of which 75 fit.
  expect(cut).toHaveLength(i === 5 ? 10 * 8 + 9 - 75 : 0);
});

test('each fragment is tokenised by itself and gives its weight; a BREAK gives nothing', () => {
  const source = 'red(car:1.5)BREAK dog';
  const tokens = fragmentTokens(
    [
      fragment(source, 0, 3),
      fragment(source, 4, 7, 1.5),
      fragment(source, 12, 17, -1, 'break'),
      fragment(source, 17, 21, 0.5),
    ],
    tokenizer,
  );
  expect(tokens.map(({ text, weight, range, fragment, kind }) => [text, weight, range, fragment, kind])).toEqual([
    ['red</w>', 1, { start: 0, end: 3 }, 0, 'text'],
    ['car</w>', 1.5, { start: 4, end: 7 }, 1, 'text'],
    ['dog</w>', 0.5, { start: 18, end: 21 }, 3, 'text'],
  ]);
});

const text = (id: number, weight: number): PromptToken => ({
  kind: 'text',
  id,
  text: tokenizer.entry(id),
  weight,
  range: { start: 0, end: 1 },
  fragment: 0,
});

test('normaliseLength is BOS, L − 2 tokens, EOS, PAD; specials weigh 1 and nothing is lost', () => {
  const tokensOf = fc.array(fc.tuple(fc.nat(49405), fc.double({ noNaN: true })), { maxLength: 20 });
  fc.assert(
    fc.property(tokensOf, fc.integer({ min: 3, max: 12 }), (pairs, L) => {
      const tokens = pairs.map(([id, weight]) => text(id, weight));
      const { chunk, cut } = normaliseLength(tokens, tokenizer, L);
      const n = Math.min(tokens.length, L - 2);
      expect(chunk.tokens).toHaveLength(L);
      expect([...chunk.tokens.slice(1, 1 + n), ...cut]).toEqual(tokens);
      expect(chunk.tokens.map((token) => token.kind)).toEqual([
        'bos',
        ...Array(n).fill('text'),
        'eos',
        ...Array(L - 2 - n).fill('pad'),
      ]);
      expect(Array.from(chunk.inputIds)).toEqual([
        bosTokenId,
        ...tokens.slice(0, n).map((token) => token.id),
        eosTokenId,
        ...Array(L - 2 - n).fill(padTokenId),
      ]);
      expect(Array.from(chunk.perTokenWeights)).toEqual([
        1,
        ...tokens.slice(0, n).map((token) => token.weight),
        ...Array(L - 1 - n).fill(1),
      ]);
      for (const token of chunk.tokens)
        if (token.kind !== 'text') expect([token.weight, token.range, token.fragment]).toEqual([1, null, null]);
    }),
  );
});
