import { withMaxLength } from '../tokens/maxLength.ts';
import type { PromptToken } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { shownConfig } from './shownSizes.ts';

const ofLength = memoised(withMaxLength);

/** The tokenizer, with chunks as long as the model in use takes them; null until it is loaded. */
export const tokenizerOf = (facts: Pick<Facts, 'tokenizer' | 'model'>): Tokenizer | null =>
  facts.tokenizer.phase === 'ready'
    ? ofLength(facts.tokenizer.tokenizer, shownConfig(facts).maxPositionEmbeddings)
    : null;

/** Labels of tokens, [L]: BOS, EOS, PAD, a text with its bytes decoded, or a textual inversion and its vector's number. */
export const tokenLabels = memoised((tokens: readonly PromptToken[], tokenizer: Tokenizer): readonly string[] =>
  tokens.map((token) => tokenLabel(token, tokenizer)),
);

/** The label of one token, as `tokenLabels` has it. */
export function tokenLabel({ kind, id, text, vector }: PromptToken, tokenizer: Tokenizer): string {
  if (vector) return `${vector.name}·${vector.index + 1}`;
  if (kind !== 'text') return kind.toUpperCase();
  // Part of a character has no text of its own; the vocabulary's stand-ins for its bytes are all there is to show.
  const decoded = tokenizer.decode([id]).trim();
  return decoded === '' || decoded.includes('\ufffd') ? text.replace('</w>', '') : decoded;
}
