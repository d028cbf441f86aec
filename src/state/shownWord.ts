import type { PromptToken } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { wordsOf } from '../tokens/words.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { shownChunk } from './reading.ts';
import { tokenizerOf } from './tokenLabels.ts';

/** Finds the word that there is most to see of: the one of most tokens, and of these the longest. */
const richestWord = memoised((tokens: readonly PromptToken[], tokenizer: Tokenizer): string => {
  const words = wordsOf(tokens.filter(({ kind, vector }) => kind === 'text' && !vector)).map((word) => ({
    tokens: word.length,
    text: tokenizer.decode(word.map(({ id }) => id)).trim(),
  }));
  const [richest] = words.toSorted((a, b) => b.tokens - a.tokens || b.text.length - a.text.length);
  return richest?.text ?? '';
});

/** The word whose merges are shown: the one that was chosen, or else one of the chunk on show; empty where it has none. */
export function shownWord(facts: Facts): string {
  if (facts.word !== null) return facts.word;
  const chunk = shownChunk(facts);
  const tokenizer = tokenizerOf(facts);
  return chunk && tokenizer ? richestWord(chunk.chunk.tokens, tokenizer) : '';
}
