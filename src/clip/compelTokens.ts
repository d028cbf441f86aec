import type { Diagnostic, Fragment, Range } from '../prompt/ast.ts';
import { bosTokenId, clipVitL14, eosTokenId } from './config.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { TokenizerFlavour } from './tokenizerFlavours.ts';
import { fragmentTokens, normaliseLength, type PromptToken, type TokenChunk } from './tokens.ts';

/** Where a long prompt is split, by Compel's names: each mode falls back to the next where it finds no place. */
export const splitModes = ['SENTENCES', 'PHRASES', 'WORDS', 'BRUTAL'] as const;
export type SplitMode = (typeof splitModes)[number];

export interface CompelTokenOptions {
  /** Whether what does not fit one chunk is cut off: yes with `Compel(…)`, no with `CompelForSD(…)`. */
  readonly truncate: boolean;
  readonly split: SplitMode;
}

/** Tokens of a chunk between BOS and EOS. */
const room = clipVitL14.maxPositionEmbeddings - 2;

export const compelTokenDefaults: CompelTokenOptions = { truncate: true, split: 'SENTENCES' };

export interface CompelTokens {
  readonly chunks: readonly TokenChunk[];
  readonly cut: readonly PromptToken[];
  /**
   * Where each fragment is among the rows of all chunks, as Compel finds it to weigh it down, BOS and EOS between its tokens
   * included; null where it has no tokens or all are cut off.
   */
  readonly fragmentRanges: readonly (Range | null)[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The tokens of a prompt as Compel 2.4 chunks them, in rows of 77. */
export function compelTokens(
  fragments: readonly Fragment[],
  tokenizer: Tokenizer,
  options: CompelTokenOptions = compelTokenDefaults,
  flavour?: TokenizerFlavour,
): CompelTokens {
  const tokens = fragmentTokens(fragments, tokenizer, flavour);
  const { chunks, cut } = compelChunks(tokens, tokenizer, options);
  const rows = chunks.flatMap((chunk) => chunk.tokens);
  const ids: number[][] = fragments.map(() => []);
  for (const { fragment, id } of tokens) if (fragment !== null) ids[fragment].push(id);
  const found = findFragments(
    rows.map((token) => token.id),
    options.truncate ? ids.map((all) => all.slice(0, room)) : ids,
    options.truncate,
  );
  return {
    chunks,
    cut,
    fragmentRanges: found.ranges ?? actualRanges(rows, fragments.length),
    diagnostics: found.ranges ? [] : [lostFragment(fragments[found.lost])],
  };
}

/** The same of tokens, wherever they are from. */
export function compelChunks(
  tokens: readonly PromptToken[],
  tokenizer: Tokenizer,
  { truncate, split }: CompelTokenOptions,
): Pick<CompelTokens, 'chunks' | 'cut'> {
  const chunks: TokenChunk[] = [];
  let from = 0;
  do {
    const length = truncate ? room : splitPoint(tokens.slice(from, from + room + 1), split);
    chunks.push(normaliseLength(tokens.slice(from, from + length), tokenizer).chunk);
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
function splitPoint(tokens: readonly PromptToken[], split: SplitMode): number {
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
      if (!isBoundary && ids[end] !== wanted[matched]) return { ranges: null, lost: index };
      if (!isBoundary) matched++;
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
