import type { Diagnostic, Fragment, Range } from '../prompt/ast.ts';
import { bosTokenId, eosTokenId, padTokenId } from './clipVocabulary.ts';
import type { Token, Tokenizer } from './tokenizer.ts';
import type { TokenizerFlavour } from './tokenizerFlavours.ts';

/** `!` stands where a vector will. */
export const placeholderId = 0;

export type TokenKind = 'bos' | 'text' | 'eos' | 'pad';

export interface PromptToken {
  readonly kind: TokenKind;
  readonly id: number;
  /** Vocabulary entry: `cat</w>`. */
  readonly text: string;
  readonly weight: number;
  /** Range of the prompt it was typed in; null for BOS, EOS and PAD. */
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
  /** [L] ComfyUI: counts units and embeddings through all chunks, from 1; 0 for BOS, EOS and PAD. */
  readonly wordIds?: Uint32Array;
  /** Row → [d]: vectors of textual inversions, which replace the token embeddings there. */
  readonly vectors?: ReadonlyMap<number, Float32Array>;
}

/** A textual inversion: its names, and the vectors that stand for them, each [d]. */
export interface PromptEmbedding {
  /** Its file's name, without the ending. */
  readonly name: string;
  /** Its file's name with the ending; undefined of one that has no file of its own. */
  readonly file?: string;
  /** The name that is written in the file. */
  readonly trainedAs?: string;
  readonly vectors: readonly Float32Array[];
}

/** A prompt's fragments in chunks. */
export interface ChunkedPrompt {
  /** At least one. */
  readonly chunks: readonly TokenChunk[];
  /** Tokens past the last chunk: they have no effect. */
  readonly cut: readonly PromptToken[];
  /** Tokens as the program counts them, against `target`, a multiple of those that a chunk holds: 75. */
  readonly tokenCount: number;
  readonly target: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** One for each program; all three take and give the same. */
export type Chunker<Options, Chunked extends ChunkedPrompt = ChunkedPrompt> = (
  fragments: readonly Fragment[],
  tokenizer: Tokenizer,
  embeddings?: readonly PromptEmbedding[],
  options?: Options,
) => Chunked;

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
    fragment.kind === 'break' ? [] : textTokens(fragment, index, tokenizer, flavour),
  );
}

/** Tokenises a fragment that is no BREAK; `index` is its index among the prompt's. */
export function textTokens(
  fragment: Fragment,
  index: number,
  tokenizer: Tokenizer,
  flavour?: TokenizerFlavour,
): PromptToken[] {
  return tokenizer.tokenize(fragment, flavour).map((token) => typedToken(token, fragment.weight, index));
}

/**
 * Gives a token its weight and fragment. Each property is written out: an object that is spread first makes a slow one of the
 * new object in some engines, and there may be as many tokens as characters.
 */
export function typedToken({ id, text, start, end }: Token, weight: number, fragment: number): PromptToken {
  return { kind: 'text', id, text, weight, range: { start, end }, fragment };
}

/** The token that stands where a vector of an embedding will. */
export function vectorToken(
  text: string,
  weight: number,
  range: Range,
  fragment: number,
  vector: PromptToken['vector'],
): PromptToken {
  return { kind: 'text', id: placeholderId, text, weight, range, fragment, vector };
}

/**
 * Eq. (7): BOS, the first L − 2 tokens, EOS, then PAD (the same id as EOS) up to L. What did not fit is `cut`.
 * BOS, EOS and PAD weigh 1.
 */
export function normaliseLength(
  tokens: readonly PromptToken[],
  tokenizer: Tokenizer,
  L = tokenizer.modelMaxLength,
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
  const pad = special('pad', padTokenId);
  while (row.length < L) row.push(pad);
  return {
    chunk: {
      tokens: row,
      inputIds: Uint32Array.from(row, (token) => token.id),
      perTokenWeights: Float64Array.from(row, (token) => token.weight),
    },
    cut: tokens.slice(L - 2),
  };
}

/** Puts the vectors that the chunk's tokens name into their rows. `vectorsOf` gives those of a name. */
export function withVectors(
  chunk: TokenChunk,
  vectorsOf: (name: string) => readonly Float32Array[] | undefined,
): TokenChunk {
  const vectors = new Map(
    chunk.tokens.flatMap(({ vector }, row): [number, Float32Array][] =>
      vector ? [[row, vectorsOf(vector.name)![vector.index]]] : [],
    ),
  );
  return vectors.size > 0 ? { ...chunk, vectors } : chunk;
}

/** Counts the typed tokens, against what the chunks hold. */
export function tokenCounts(
  chunks: readonly TokenChunk[],
  cut: readonly PromptToken[],
): Pick<ChunkedPrompt, 'tokenCount' | 'target'> {
  const typed = chunks.map(({ tokens }) => tokens.filter(({ kind }) => kind === 'text').length);
  return {
    tokenCount: typed.reduce((sum, count) => sum + count, cut.length),
    target: chunks.length * (chunks[0].tokens.length - 2),
  };
}
