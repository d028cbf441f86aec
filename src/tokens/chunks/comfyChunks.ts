import type { Diagnostic, Range, SourceText } from '../../prompt/ast.ts';
import { holdChunks } from '../../prompt/bounds.ts';
import { pythonSpace, withoutOuter } from '../../prompt/pythonText.ts';
import { joinSources, replacement, sliceSource } from '../../prompt/sourceText.ts';
import { embeddingByName, type FindEmbedding } from '../embeddingByName.ts';
import {
  type Chunker,
  normaliseLength,
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

/** Units that ComfyUI tokenises at once: texts of one weight since December 2024, words between spaces before. */
export const comfyUnits = ['segments', 'words'] as const;
export type ComfyUnit = (typeof comfyUnits)[number];

export interface ComfyChunkOptions {
  readonly unit?: ComfyUnit;
  readonly flavour?: TokenizerFlavour;
  /** The most chunks: PromptBoundError is thrown where there are more. */
  readonly mostChunks?: number;
}

const identifier = 'embedding:';
const nonSpace = new RegExp(`[^${pythonSpace}]+`, 'g');
/** Units of fewer tokens are not split between chunks. */
const keptWhole = 8;

/** Packs the tokens of a prompt as ComfyUI does, in rows of 77, or as many as the encoder takes (`max_length`). */
export const chunkComfy: Chunker<ComfyChunkOptions> = (
  fragments,
  tokenizer,
  embeddings = [],
  { unit = 'segments', flavour, mostChunks = Number.POSITIVE_INFINITY } = {},
) => {
  const find = embeddingByName(embeddings);
  const byName = new Map(embeddings.map((one) => [one.name, one.vectors]));
  const diagnostics: Diagnostic[] = [];
  const placeholder = tokenizer.entry(placeholderId);
  const units: PromptToken[][] = [];
  for (const [index, fragment] of fragments.entries()) {
    const { weight } = fragment;
    for (const { source, embedding } of comfyPieces(fragment, unit, find)) {
      if (embedding === null) {
        units.push(tokenizer.tokenize(source, flavour).map((token) => typedToken(token, weight, index)));
        continue;
      }
      const { name, vectors, range } = embedding;
      if (name === null || vectors === undefined) diagnostics.push(unknownEmbedding(name, range, unit));
      else units.push(vectors.map((_, i) => vectorToken(placeholder, weight, range, index, { name, index: i })));
    }
  }
  const chunks = packComfy(units, tokenizer, mostChunks).map((chunk) => withVectors(chunk, (name) => byName.get(name)));
  return { chunks, cut: [], ...tokenCounts(chunks, []), diagnostics };
};

/** A text that is tokenised at once, or `embedding:` with a name. */
export interface ComfyPiece {
  /** Empty of an embedding. */
  readonly source: SourceText;
  /** Null of text. `name` is null where none follows, `vectors` undefined where there is no such file. */
  readonly embedding: {
    readonly name: string | null;
    readonly vectors: readonly Float32Array[] | undefined;
    readonly range: Range;
  } | null;
}

/** A text cut where ComfyUI cuts it, before it is tokenised. */
export function comfyPieces(source: SourceText, unit: ComfyUnit, find: FindEmbedding): ComfyPiece[] {
  return (unit === 'words' ? wordsOf(source) : segmentsOf(source)).flatMap((piece): ComfyPiece[] => {
    if (!piece.text.startsWith(identifier)) return [{ source: piece, embedding: null }];
    const { name, range, rest } = nameOf(piece, unit, find);
    const found = name === null ? undefined : find(name);
    const embedding = { name: found?.name ?? name, vectors: found?.vectors, range };
    const named = { source: sliceSource(piece, 0, 0), embedding };
    return rest.text === '' ? [named] : [named, { source: rest, embedding: null }];
  });
}

function packComfy(units: readonly (readonly PromptToken[])[], tokenizer: Tokenizer, mostChunks: number): TokenChunk[] {
  const room = tokenizer.modelMaxLength - 2;
  const chunks: { readonly tokens: PromptToken[]; readonly wordIds: number[] }[] = [{ tokens: [], wordIds: [] }];
  for (const [index, unit] of units.entries()) {
    const isLarge = unit.length >= keptWhole;
    for (let from = 0; from < unit.length; ) {
      const { tokens, wordIds } = chunks[chunks.length - 1];
      const fits = unit.length - from <= room - tokens.length;
      const to = fits ? unit.length : isLarge ? from + room - tokens.length : from;
      for (; from < to; from++) {
        tokens.push(unit[from]);
        wordIds.push(index + 1);
      }
      if (!fits) holdChunks(chunks.push({ tokens: [], wordIds: [] }), mostChunks);
    }
  }
  return chunks.map(({ tokens, wordIds }) => {
    const ids = new Uint32Array(tokenizer.modelMaxLength);
    ids.set(wordIds, 1);
    return { ...normaliseLength(tokens, tokenizer).chunk, wordIds: ids };
  });
}

/** Between spaces and line feeds. */
function wordsOf(source: SourceText): SourceText[] {
  return Array.from(source.text.matchAll(/[^ \n]+/g), ({ 0: word, index }) =>
    sliceSource(source, index, index + word.length),
  );
}

/** The whole, but for what `embedding:` begins after a space or line feed. */
function segmentsOf(source: SourceText): SourceText[] {
  const starts = Array.from(source.text.matchAll(/[ \n](?=embedding:)/g), ({ index }) => index);
  const pieces = [0, ...starts.map((at) => at + 1)].map((from, i) =>
    sliceSource(source, from, starts[i] ?? source.text.length),
  );
  return pieces.filter(({ text }) => text !== '');
}

/**
 * The name after `embedding:`, without commas where only that is a file, and the text that is left; null where there is no
 * name.
 */
function nameOf(
  piece: SourceText,
  unit: ComfyUnit,
  find: FindEmbedding,
): { readonly name: string | null; readonly range: Range; readonly rest: SourceText } {
  const from = identifier.length;
  const words = Array.from(piece.text.slice(from).matchAll(nonSpace), ({ 0: word, index }) =>
    sliceSource(piece, from + index, from + index + word.length),
  );
  const [first, ...others] = unit === 'words' ? [sliceSource(piece, from)] : words;
  const start = piece.starts[0];
  const nowhere = { start, end: piece.ends[from - 1] };
  if (!first || first.text === '') return { name: null, range: nowhere, rest: sliceSource(piece, 0, 0) };
  const stripped = withoutOuter(first.text, ',');
  const bare = first.text.slice(stripped.start, stripped.end);
  const name = find(first.text) ? first.text : bare;
  const to = name === bare && bare !== '' ? stripped.end : first.text.length;
  // The original counts the commas from the end, those in front as well.
  const left = name === first.text ? [] : [sliceSource(first, name.length)];
  const rest = [...left, ...others].flatMap((word, i) => {
    const between = { start: word.starts[0], end: word.starts[0] };
    return i === 0 ? [word] : [replacement(' ', between), word];
  });
  return { name, range: { start, end: to > 0 ? first.ends[to - 1] : nowhere.end }, rest: joinSources(rest) };
}

function unknownEmbedding(name: string | null, range: Range, unit: ComfyUnit): Diagnostic {
  const diagnostic = { code: 'unknown-embedding', ...range };
  if (name === null) {
    const consequence = unit === 'words' ? 'is left out' : 'stops ComfyUI with an error; here it is left out';
    const message = `No name follows this “embedding:”, which ${consequence}: write one, or remove the word.`;
    return { ...diagnostic, severity: unit === 'words' ? 'warning' : 'error', message };
  }
  const message = `There is no embedding “${name}”, and ComfyUI leaves it out: load its file, or remove the word.`;
  return { ...diagnostic, severity: 'warning', message };
}
