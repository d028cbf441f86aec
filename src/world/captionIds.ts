import type { Random } from '../models/seededRandom.ts';
import { sourceText } from '../prompt/sourceText.ts';
import { bosTokenId, contextLength, eosTokenId, padTokenId } from '../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import {
  colours,
  fillings,
  grades,
  grounds,
  openings,
  qualityTags,
  relations,
  shapes,
  sizes,
  synonyms,
  tones,
  verySizes,
} from './worldWords.ts';

/** Words that join the others in captions, and the marks that part them. */
const joiningWords = 'a an the and with of to on against its it shape background , .';

/** Every word and mark of the world's captions, once. */
export const worldWords: readonly string[] = [
  ...new Set(
    [
      ...[shapes, colours, sizes, tones, fillings, grounds, relations, grades, openings, qualityTags].flat(),
      ...Object.values(synonyms).flat(),
      ...Object.values(verySizes),
      joiningWords,
    ].flatMap((words) => words.split(' ')),
  ),
];

const textIds = (tokenizer: Tokenizer, text: string) => tokenizer.tokenize(sourceText(text)).map(({ id }) => id);

/** CLIP's ids of all the world's words, in ascending order, BOS and EOS (which pads) included. */
export function worldTokenIds(tokenizer: Tokenizer): Uint32Array {
  const ids = new Set(worldWords.flatMap((word) => textIds(tokenizer, word)));
  return Uint32Array.from([...ids, bosTokenId, eosTokenId]).sort();
}

/** Share of captions that have unknown words in them, and how many tokens these are at most. */
export const unknownShare = 0.1;
const mostUnknown = 4;

/**
 * Draws an id that stands for a word which the world has not: any other id of the vocabulary. Training meets them as words that
 * change nothing, so that a prompt's unknown words do no harm. `known` is what `worldTokenIds` gives.
 */
export function unknownTokenId(random: Random, tokenizer: Tokenizer, known: ReadonlySet<number>): number {
  let id = random.below(tokenizer.vocabSize);
  while (known.has(id)) id = random.below(tokenizer.vocabSize);
  return id;
}

/** Puts 1 to 4 unknown tokens, next to each other, somewhere between a caption's tokens. */
export function withUnknownTokens(
  random: Random,
  ids: readonly number[],
  tokenizer: Tokenizer,
  known: ReadonlySet<number>,
): number[] {
  const unknown = Array.from({ length: 1 + random.below(mostUnknown) }, () => unknownTokenId(random, tokenizer, known));
  return ids.toSpliced(random.below(ids.length + 1), 0, ...unknown);
}

/** Ids of a caption without BOS and EOS. */
export const captionTokens = (tokenizer: Tokenizer, caption: string): number[] => textIds(tokenizer, caption);

/**
 * Writes BOS, the ids, EOS and PAD (which is EOS) into `inputIds` [B, L] at row `row`. Ids that do not fit are left out, as
 * Stable Diffusion leaves them out past the 75th.
 */
export function writeInputIds(ids: readonly number[], inputIds: Uint32Array, row = 0, L = contextLength): void {
  const from = row * L;
  inputIds.fill(padTokenId, from, from + L);
  inputIds[from] = bosTokenId;
  inputIds.set(ids.slice(0, L - 2), from + 1);
}
