/** Textual inversions as diffusers has them: tokens added to the tokenizer. */
import type { SourceText } from '../prompt/ast.ts';
import { sliceSource, sourceText } from '../prompt/sourceText.ts';
import { composeNfc, lowerCase } from './clean/textForms.ts';
import { diffusersToken } from './diffusersToken.ts';
import type { PromptEmbedding, PromptToken } from './promptTokens.ts';
import type { TokenizerFlavour } from './tokenizerFlavours.ts';

/** Token → its vectors, each [d]. */
export type AddedTokens = ReadonlyMap<string, readonly Float32Array[]>;

/** The first of two embeddings with one token counts: diffusers refuses the second. */
export function addedTokens(embeddings: readonly PromptEmbedding[]): AddedTokens {
  return new Map(embeddings.toReversed().map((embedding) => [diffusersToken(embedding), embedding.vectors]));
}

/** Names a vector by its added token and its number among that token's, from 0. */
type AddedVector = NonNullable<PromptToken['vector']>;

export interface AddedPiece {
  readonly source: SourceText;
  /** Vectors that stand for an added token; none for text. */
  readonly vectors: readonly AddedVector[];
}

const specials = ['<|startoftext|>', '<|endoftext|>'];

/** Flavours that normalise added tokens and find them in the normalised text, so that case does not count. */
const rustFlavours: readonly TokenizerFlavour[] = ['hf-fast', 'hf-v5'];

/**
 * Cuts the added tokens out of a text before it is split into words, as transformers does: the first that begins, and of
 * those the longest, also within a word, and without the space around it. Of one with n vectors there are n tokens, `t`,
 * `t_1`, …; the first is expanded to all of them. Compel's manager does so by writing the fragment out as text and reading it
 * anew; what that changes besides is not imitated, nor that with tokenizers 0.23 it does not know those with capitals again.
 */
export function addedTokenCutter(
  added: AddedTokens,
  flavour: TokenizerFlavour = 'hf-slow-ftfy',
): (source: SourceText) => AddedPiece[] {
  const isRust = rustFlavours.includes(flavour);
  const clean = (source: SourceText) => (isRust ? lowerCase(composeNfc(source), true) : source);
  const spaced = (text: string) => (isRust ? text.replace(/\p{White_Space}+/gu, ' ') : text);
  const known = new Map<string, readonly AddedVector[]>(specials.map((special) => [special, []]));
  const add = (token: string, vectors: readonly AddedVector[]) => {
    const text = spaced(clean(sourceText(token)).text);
    if (text !== '' && !known.has(text)) known.set(text, vectors);
  };
  for (const [name, { length }] of added) {
    const vectors = Array.from({ length }, (_, index): AddedVector => ({ name, index }));
    add(name, vectors);
    for (const { index } of vectors.slice(1)) add(`${name}_${index}`, [vectors[index]]);
  }
  if (known.size === specials.length) return (source) => [{ source, vectors: [] }];
  const longestFirst = [...known.keys()].sort((a, b) => b.length - a.length);
  const patterns = longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  const pattern = new RegExp(
    patterns.map((text) => (isRust ? text.replaceAll(' ', '\\p{White_Space}+') : text)).join('|'),
    'gu',
  );

  return (source) => {
    // Places in `source.text`, which its pieces are cut from: the tokenizer cleans those by itself.
    const cleaned = clean(sourceText(source.text));
    const pieces: AddedPiece[] = [];
    let end = 0;
    for (const { 0: found, index } of cleaned.text.matchAll(pattern)) {
      const vectors = known.get(spaced(found)) ?? [];
      const from = cleaned.starts[index];
      if (vectors.length === 0 || from < end) continue;
      if (from > end) pieces.push({ source: sliceSource(source, end, from), vectors: [] });
      end = cleaned.ends[index + found.length - 1];
      pieces.push({ source: sliceSource(source, from, end), vectors });
    }
    if (end < source.text.length || pieces.length === 0) pieces.push({ source: sliceSource(source, end), vectors: [] });
    return pieces;
  };
}
