import type { Fragment, Range } from '../prompt/ast.ts';
import { bosTokenId, contextLength, eosTokenId, padTokenId } from './clipVocabulary.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { TokenizerFlavour } from './tokenizerFlavours.ts';

export type TokenKind = 'bos' | 'text' | 'eos' | 'pad';

export interface PromptToken {
  readonly kind: TokenKind;
  readonly id: number;
  /** Vocabulary entry: `cat</w>`. */
  readonly text: string;
  readonly weight: number;
  /** Where it was typed; null for BOS, EOS and PAD. */
  readonly range: Range | null;
  /** Index into the prompt's fragments; null for BOS, EOS and PAD. */
  readonly fragment: number | null;
  /** The textual inversion whose vector stands in this row, and which of its vectors it is, from 0. */
  readonly vector?: { readonly name: string; readonly index: number };
}

/** One row of the encoder's input. */
export interface TokenChunk {
  /** [L] */
  readonly tokens: readonly PromptToken[];
  /** [L] */
  readonly inputIds: Uint32Array;
  /** [L] */
  readonly perTokenWeights: Float64Array;
}

/**
 * Tokenises each fragment by itself and strings the tokens together: `red(car)` is two words. A BREAK gives none.
 * A token has its fragment's weight.
 */
export function fragmentTokens(
  fragments: readonly Fragment[],
  tokenizer: Tokenizer,
  flavour?: TokenizerFlavour,
): PromptToken[] {
  return fragments.flatMap((fragment, index) =>
    fragment.kind === 'break'
      ? []
      : tokenizer.tokenize(fragment, flavour).map(
          ({ id, text, start, end }): PromptToken => ({
            kind: 'text',
            id,
            text,
            weight: fragment.weight,
            range: { start, end },
            fragment: index,
          }),
        ),
  );
}

/**
 * Eq. (7): BOS, the first L − 2 tokens, EOS, then PAD (the same id as EOS) up to L. What did not fit is `cut`.
 * BOS, EOS and PAD weigh 1.
 */
export function normaliseLength(
  tokens: readonly PromptToken[],
  tokenizer: Tokenizer,
  L = contextLength,
): { readonly chunk: TokenChunk; readonly cut: readonly PromptToken[] } {
  const special = (kind: TokenKind, id: number): PromptToken => ({
    kind,
    id,
    text: tokenizer.entry(id),
    weight: 1,
    range: null,
    fragment: null,
  });
  const kept = tokens.slice(0, L - 2);
  const row = [special('bos', bosTokenId), ...kept, special('eos', eosTokenId)];
  while (row.length < L) row.push(special('pad', padTokenId));
  return {
    chunk: {
      tokens: row,
      inputIds: Uint32Array.from(row, (token) => token.id),
      perTokenWeights: Float64Array.from(row, (token) => token.weight),
    },
    cut: tokens.slice(L - 2),
  };
}
