/** The step from tokens to weighted prompts, which the methods take. */

import type { EncoderPass } from '../clip/encoderPass.ts';
import { encoderPass, type MaskMode } from '../clip/masks.ts';
import type { Fragment } from '../prompt/ast.ts';
import {
  type CompelChunkOptions,
  type CompelChunks,
  chunkCompel,
  compelChunkDefaults,
  packCompel,
} from '../tokens/chunks/compelChunks.ts';
import { bosTokenId, eosTokenId, padTokenId } from '../tokens/clipVocabulary.ts';
import type { PromptEmbedding, PromptToken, TokenChunk } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { flavourOf } from '../tokens/tokenizerFlavours.ts';
import type { Downweighted, WeightedChunk, WeightedPrompt } from '../weighting/method.ts';
import { methods } from '../weighting/methods.ts';
import { normaliseTokens } from '../weighting/normalise.ts';
import type { PromptOptions } from './options.ts';

/**
 * A prompt as A1111 or ComfyUI chunks it. A fragment that weighs less than 1 is masked, or removed within its chunk, so
 * that Compel's methods can be tried on it too.
 */
export function weightedPrompt(chunks: readonly TokenChunk[], mask: MaskMode): WeightedPrompt {
  const weighted = chunks.map((chunk) => weightedChunk(chunk, mask));
  const empty = encoderPass(emptyIds(chunks), mask);
  const light = new Map<number, number>();
  for (const { tokens } of chunks)
    for (const { fragment, weight } of tokens) if (fragment !== null && weight < 1) light.set(fragment, weight);
  return {
    chunks: weighted,
    empty,
    downweighted: Array.from(light, ([fragment, weight]) => {
      const isIn = (i: number) => (row: number) => chunks[i].tokens[row].fragment === fragment;
      return whenRead(
        weight,
        () => weighted.map((chunk, i) => withoutKeys(chunk, isIn(i))),
        () => weighted.map((chunk, i) => withoutRows(chunk, isIn(i), empty)),
      );
    }),
  };
}

/**
 * Makes the chunks with a fragment masked or removed when they are first read. Most methods read neither, and a long prompt
 * may have hundreds of light fragments.
 */
function whenRead(
  weight: number,
  makeMasked: () => readonly WeightedChunk[],
  makeRemoved: () => readonly WeightedChunk[],
): Downweighted {
  let masked: readonly WeightedChunk[] | undefined;
  let removed: readonly WeightedChunk[] | undefined;
  return {
    weight,
    get masked() {
      masked ??= makeMasked();
      return masked;
    },
    get removed() {
      removed ??= makeRemoved();
      return removed;
    },
  };
}

export interface CompelPromptOptions extends CompelChunkOptions {
  /** `causal` is Compel's `padding_attention_mask_value` 1, the default, and `hf` is 0. */
  readonly mask: MaskMode;
}

export const compelPromptDefaults: CompelPromptOptions = { ...compelChunkDefaults, mask: 'causal' };

/**
 * A prompt as Compel 2.4 chunks it and takes it apart. The empty prompt and those with a fragment removed are encoded
 * without a mask of keys. If nothing is cut off (`truncate` false), the first and last row of every chunk stay visible
 * when a fragment is masked, even if they are padding that the key mask hides.
 */
export function compelPrompt(
  fragments: readonly Fragment[],
  tokenizer: Tokenizer,
  options: CompelPromptOptions = compelPromptDefaults,
  embeddings: readonly PromptEmbedding[] = [],
): WeightedPrompt {
  const chunked = chunkCompel(fragments, tokenizer, embeddings, options);
  return weightedCompel(fragments, chunked, tokenizer, options, embeddings);
}

/** Takes apart a prompt that is chunked already; `chunked` are the chunks of `fragments` by these options. */
export function weightedCompel(
  fragments: readonly Fragment[],
  { chunks, cut, fragmentRanges }: CompelChunks,
  tokenizer: Tokenizer,
  options: CompelPromptOptions,
  embeddings: readonly PromptEmbedding[] = [],
): WeightedPrompt {
  const { mask, truncate } = options;
  const unmasked = mask === 'none' ? 'none' : 'causal';
  const tokens = [...chunks.flatMap((chunk) => chunk.tokens.filter(({ kind }) => kind === 'text')), ...cut];
  const weighted = chunks.map((chunk) => weightedChunk(chunk, mask));
  const L = chunks[0].tokens.length;
  const downweighted = fragments.flatMap(({ weight }, index): Downweighted[] => {
    const range = fragmentRanges[index];
    if (!(weight < 1) || !range) return [];
    const isIn = (at: number) => range.start <= at && at < range.end;
    return [
      whenRead(
        weight,
        () =>
          weighted.map((chunk, i) => {
            const masked = withoutKeys(chunk, (row) => isIn(i * L + row));
            return truncate ? masked : withBoundaries(masked);
          }),
        () =>
          packCompel(tokensWithout(tokens, index), tokenizer, embeddings, options).chunks.map((chunk) =>
            weightedChunk(chunk, unmasked),
          ),
      ),
    ];
  });
  return { chunks: weighted, empty: encoderPass(emptyIds(chunks), unmasked), downweighted };
}

/** The tokens without fragment `index`; later fragments are numbered as if it had not been typed. */
function tokensWithout(tokens: readonly PromptToken[], index: number): PromptToken[] {
  return tokens.flatMap((token) => {
    if (token.fragment === index) return [];
    return token.fragment !== null && token.fragment > index ? [{ ...token, fragment: token.fragment - 1 }] : [token];
  });
}

/** Normalises the weights as ADV_CLIP_emb does, if the options ask for it. */
export function normalised(prompt: WeightedPrompt, { weighting, normalisation }: PromptOptions): WeightedPrompt {
  return methods[weighting].normalises ? normaliseTokens(prompt, normalisation) : prompt;
}

export function compelPromptOptions(options: PromptOptions): CompelPromptOptions {
  const { mask, split } = options;
  const flavour = flavourOf(options);
  return { mask, truncate: split === 'cut', split: split === 'cut' ? 'SENTENCES' : split, flavour };
}

function weightedChunk(
  { tokens, inputIds, perTokenWeights, wordIds, vectors }: TokenChunk,
  mask: MaskMode,
): WeightedChunk {
  const eos = tokens.findIndex(({ kind }) => kind === 'eos');
  const pass = encoderPass(inputIds, mask, eos);
  return {
    pass: vectors?.size ? { ...pass, vectors } : pass,
    perTokenWeights,
    wordIds: wordIds ?? Uint32Array.from(tokens, ({ fragment }) => (fragment === null ? 0 : fragment + 1)),
  };
}

function withKeyMask(chunk: WeightedChunk, keyMask: Uint8Array): WeightedChunk {
  return { ...chunk, pass: { ...chunk.pass, keyMask } };
}

/** The chunk with the key mask at 0 in some rows, so that nothing attends to them; the chunk itself where there are none. */
export function withoutKeys(chunk: WeightedChunk, isMasked: (row: number) => boolean): WeightedChunk {
  const keyMask = chunk.pass.keyMask.map((visible, row) => (isMasked(row) ? 0 : visible));
  return chunk.pass.keyMask.every((visible, row) => visible === keyMask[row]) ? chunk : withKeyMask(chunk, keyMask);
}

function withBoundaries(chunk: WeightedChunk): WeightedChunk {
  return withKeyMask(chunk, chunk.pass.keyMask.with(0, 1).with(-1, 1));
}

/**
 * The chunk without some rows. The rows after them move up, with their weights, key masks and vectors; the rows that become
 * free at the end are padding, with the key mask of the last row of `empty`. Gives the chunk itself where no row is removed.
 */
export function withoutRows(
  chunk: WeightedChunk,
  isRemoved: (row: number) => boolean,
  empty: EncoderPass,
): WeightedChunk {
  const { pass, perTokenWeights, wordIds } = chunk;
  const { vectors, ...bare } = pass;
  const from = Array.from(perTokenWeights.keys()).filter((row) => !isRemoved(row));
  if (from.length === perTokenWeights.length) return chunk;
  const moved = [...(vectors ?? [])].flatMap(([row, v]): [number, Float32Array][] =>
    from.includes(row) ? [[from.indexOf(row), v]] : [],
  );
  const inputIds = pass.inputIds.map((_, row) => pass.inputIds[from[row]] ?? padTokenId);
  const keyMask = pass.keyMask.map((_, row) => pass.keyMask[from[row]] ?? empty.keyMask.at(-1)!);
  return {
    pass: { ...bare, inputIds, keyMask, ...(moved.length > 0 && { vectors: new Map(moved) }) },
    perTokenWeights: perTokenWeights.map((_, row) => perTokenWeights[from[row]] ?? 1),
    wordIds: wordIds.map((_, row) => wordIds[from[row]] ?? 0),
  };
}

/** The ids of the empty prompt, as many as a chunk has. */
function emptyIds([{ inputIds }]: readonly TokenChunk[]): Uint32Array {
  return new Uint32Array(inputIds.length).fill(padTokenId).fill(bosTokenId, 0, 1).fill(eosTokenId, 1, 2);
}
