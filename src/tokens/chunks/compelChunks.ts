import type { Diagnostic, Fragment, Range } from '../../prompt/ast.ts';
import { holdChunks } from '../../prompt/bounds.ts';
import { type AddedTokens, addedTokenCutter, addedTokens } from '../addedTokens.ts';
import { bosTokenId, eosTokenId } from '../clipVocabulary.ts';
import {
  type ChunkedPrompt,
  type Chunker,
  normaliseLength,
  type PromptEmbedding,
  type PromptToken,
  placeholderId,
  type TokenChunk,
  tokenCounts,
  typedToken,
  vectorToken,
  withVectors,
} from '../promptTokens.ts';
import type { Tokenizer } from '../tokenizer.ts';
import type { TokenizerFlavour } from '../tokenizerFlavours.ts';

/** Places to split a long prompt at, by Compel's names: a mode that finds none falls back to the next. */
export const splitModes = ['SENTENCES', 'PHRASES', 'WORDS', 'BRUTAL'] as const;
export type SplitMode = (typeof splitModes)[number];

export interface CompelChunkOptions {
  /** Whether what does not fit one chunk is cut off: yes with `Compel(…)`, no with `CompelForSD(…)`. */
  readonly truncate: boolean;
  readonly split: SplitMode;
  readonly flavour?: TokenizerFlavour;
  /** The most chunks: PromptBoundError is thrown where there are more. */
  readonly mostChunks?: number;
}

export const compelChunkDefaults: CompelChunkOptions = { truncate: true, split: 'SENTENCES' };

export interface CompelChunks extends ChunkedPrompt {
  /**
   * Rows of each fragment among the rows of all chunks, as Compel finds them to weigh the fragment down: BOS and EOS between
   * its tokens are included. Null if it has no tokens, or all are cut off.
   */
  readonly fragmentRanges: readonly (Range | null)[];
}

/** Packs the tokens of a prompt as Compel 2.4 does, in rows of 77, or as many as the encoder takes (`model_max_length`). */
export const chunkCompel: Chunker<CompelChunkOptions, CompelChunks> = (
  fragments,
  tokenizer,
  embeddings = [],
  options = compelChunkDefaults,
) => {
  const { truncate, flavour } = options;
  const added = addedTokens(embeddings);
  const units = fragmentUnits(fragments, tokenizer, added, flavour);
  const { chunks, cut } = packCompel(units.flat(2), tokenizer, embeddings, options);
  const rows = chunks.flatMap((chunk) => chunk.tokens);
  const idOf = addedIds(added, tokenizer);
  const room = tokenizer.modelMaxLength - 2;
  // Compel cuts each fragment off before it expands its added tokens, and all of them together again afterwards.
  const ids = units.map((all) => (truncate ? all.slice(0, room) : all).flat().map(idOf));
  const search = findFragments(rows.map(idOf), ids, truncate);
  return {
    chunks,
    cut,
    ...tokenCounts(chunks, cut),
    fragmentRanges: search.ranges ?? actualRanges(rows, fragments.length),
    diagnostics: search.ranges ? [] : [lostFragment(fragments[search.lost])],
  };
};

/** Tokens of each fragment, those of one vector each together where an added token stands. */
function fragmentUnits(
  fragments: readonly Fragment[],
  tokenizer: Tokenizer,
  added: AddedTokens,
  flavour: TokenizerFlavour | undefined,
): PromptToken[][][] {
  const cutOut = addedTokenCutter(added, flavour);
  const placeholder = tokenizer.entry(placeholderId);
  return fragments.map((fragment, index) => {
    const { weight } = fragment;
    return cutOut(fragment).flatMap(({ source, vectors }): PromptToken[][] => {
      if (vectors.length === 0)
        return tokenizer.tokenize(source, flavour).map((token) => [typedToken(token, weight, index)]);
      const range = { start: source.starts[0], end: source.ends[source.ends.length - 1] };
      return [vectors.map((vector) => vectorToken(placeholder, weight, range, index, vector))];
    });
  });
}

/** A token's id, of added ones as they are numbered after the vocabulary. */
function addedIds(added: AddedTokens, tokenizer: Tokenizer): (token: PromptToken) => number {
  const first = new Map<string, number>();
  let next = tokenizer.vocabSize;
  for (const [name, { length }] of added) {
    first.set(name, next);
    next += length;
  }
  return ({ id, vector }) => (vector ? first.get(vector.name)! + vector.index : id);
}

/** Packs tokens that are there already, whether of a whole prompt or of a part of one. */
export function packCompel(
  tokens: readonly PromptToken[],
  tokenizer: Tokenizer,
  embeddings: readonly PromptEmbedding[],
  { truncate, split, mostChunks = Number.POSITIVE_INFINITY }: CompelChunkOptions,
): Pick<CompelChunks, 'chunks' | 'cut'> {
  const added = addedTokens(embeddings);
  const room = tokenizer.modelMaxLength - 2;
  const chunks: TokenChunk[] = [];
  let from = 0;
  do {
    const length = truncate ? room : splitPoint(tokens.slice(from, from + room + 1), split, room);
    const { chunk } = normaliseLength(tokens.slice(from, from + length), tokenizer);
    holdChunks(chunks.push(withVectors(chunk, (name) => added.get(name))), mostChunks);
    from = Math.min(from + length, tokens.length);
  } while (!truncate && from < tokens.length);
  return { chunks, cut: tokens.slice(from) };
}

const endings: Record<SplitMode, (entry: string) => boolean> = {
  SENTENCES: (entry) => entry === '.</w>',
  PHRASES: (entry) => ['.</w>', ',</w>', ';</w>', ':</w>'].includes(entry),
  WORDS: (entry) => entry.endsWith('</w>'),
  BRUTAL: () => true,
};

/** How many of the tokens, which are more than fit if there is anything to split, go into this chunk. */
function splitPoint(tokens: readonly PromptToken[], split: SplitMode, room: number): number {
  if (tokens.length <= room) return tokens.length;
  const fitting = tokens.slice(0, room);
  for (const mode of splitModes.slice(splitModes.indexOf(split))) {
    const last = fitting.findLastIndex((token) => endings[mode](token.text));
    if (last >= 0) return last + 1;
  }
  return room;
}

/**
 * Compel looks for the first token of each fragment from where the one before ended, and steps on from there. It gives up
 * where another token comes up than the fragment has: `lost` is that fragment.
 */
function findFragments(
  ids: readonly number[],
  fragmentIds: readonly (readonly number[])[],
  truncate: boolean,
): { readonly ranges: (Range | null)[] } | { readonly ranges: null; readonly lost: number } {
  const last = ids.length - 1;
  const ranges: (Range | null)[] = [];
  let start = 0;
  for (const [index, wanted] of fragmentIds.entries()) {
    if (wanted.length === 0 || (truncate && start >= last)) {
      ranges.push(null);
      continue;
    }
    while (start < last && ids[start] !== wanted[0]) start++;
    let end = start;
    for (let matched = 0; matched < wanted.length; ) {
      if (end >= last) {
        if (!truncate) return { ranges: null, lost: index };
        break;
      }
      const isBoundary = !truncate && (ids[end] === eosTokenId || ids[end] === bosTokenId);
      // A special token that is typed is one that is wanted.
      if (ids[end] === wanted[matched]) matched++;
      else if (!isBoundary) return { ranges: null, lost: index };
      if (matched < wanted.length) end++;
    }
    ranges.push({ start, end: Math.min(end, last) + 1 });
    start = end + 1;
  }
  return { ranges };
}

function actualRanges(rows: readonly PromptToken[], count: number): (Range | null)[] {
  const ranges: (Range | null)[] = Array.from({ length: count }, () => null);
  for (const [row, { fragment }] of rows.entries())
    if (fragment !== null) ranges[fragment] = { start: ranges[fragment]?.start ?? row, end: row + 1 };
  return ranges;
}

function lostFragment({ start, end }: Fragment): Diagnostic {
  return {
    code: 'lost-fragment',
    severity: 'error',
    start,
    end: Math.max(end, start + 1),
    message:
      'Compel mistakes the special token in this text for the end of a chunk and stops with an error; here it is encoded: remove it.',
  };
}
