/** The words of a prompt that a model of a small world has never learnt. */
import { sourceText } from '../../prompt/sourceText.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { wordsOf } from '../../tokens/words.ts';
import type { PreparedPrompt } from '../preparedPrompt.ts';
import { listed, quoted } from './sentence.ts';

/** Whether a token is one that the model has no row for; `knownIds` is undefined for a model that has all. */
export const isUnknown = (
  { kind, id, vector }: { readonly kind: string; readonly id: number; readonly vector?: unknown },
  knownIds: ReadonlySet<number> | undefined,
): boolean => knownIds !== undefined && kind === 'text' && !vector && !knownIds.has(id);

type WordToken = Parameters<typeof isUnknown>[0] & { readonly text: string };

function unknownAmong(
  words: readonly (readonly WordToken[])[],
  knownIds: ReadonlySet<number>,
  tokenizer: Pick<Tokenizer, 'decode'>,
): string[] {
  const unknown = words.filter((word) => word.some((token) => isUnknown(token, knownIds)));
  return [...new Set(unknown.map((word) => tokenizer.decode(word.map(({ id }) => id)).trim()))];
}

/** Each word of the prompt with a token that the model has no row for, once, in their order. */
export const unknownWords = (
  { chunks }: Pick<PreparedPrompt, 'chunks'>,
  knownIds: ReadonlySet<number>,
  tokenizer: Pick<Tokenizer, 'decode'>,
): string[] =>
  unknownAmong(
    chunks.flatMap(({ chunk }) => wordsOf(chunk.tokens)),
    knownIds,
    tokenizer,
  );

/** Each such word of a text that is no prompt: without weights, and not cut. */
export function unknownTextWords(
  text: string,
  knownIds: ReadonlySet<number>,
  tokenizer: Pick<Tokenizer, 'decode' | 'tokenize'>,
): string[] {
  const tokens = tokenizer.tokenize(sourceText(text)).map((token) => ({ ...token, kind: 'text' }));
  return unknownAmong(wordsOf(tokens), knownIds, tokenizer);
}

/** Says how many tokens the model knows, and which words of the prompt are not among them. */
export function knownWordsText(knownIds: ReadonlySet<number>, unknown: readonly string[]): string {
  const knows = `This model knows ${knownIds.size} tokens, those of its world of coloured shapes`;
  if (unknown.length === 0) return `${knows}, and every word here is in its world.`;
  const [are, stand] = unknown.length === 1 ? ['is', 'it stands'] : ['are', 'they stand'];
  return `${knows}; ${listed(unknown.map(quoted), 6)} ${are} not in its world: ${stand} for some word that it never learnt.`;
}
