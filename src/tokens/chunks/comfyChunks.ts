import type { Diagnostic, Fragment, Range, SourceText } from '../../prompt/ast.ts';
import { pythonSpace } from '../../prompt/pythonText.ts';
import { joinSources, replacement, sliceSource } from '../../prompt/sourceText.ts';
import { contextLength } from '../clipVocabulary.ts';
import { normaliseLength, type PromptToken, type TokenChunk } from '../promptTokens.ts';
import type { Tokenizer } from '../tokenizer.ts';
import type { TokenizerFlavour } from '../tokenizerFlavours.ts';

/** What ComfyUI tokenises at once: text of one weight since December 2024, words between spaces before. */
export const comfyUnits = ['segments', 'words'] as const;
export type ComfyUnit = (typeof comfyUnits)[number];

export interface ComfyTokenOptions {
  readonly unit: ComfyUnit;
  /** Vectors in each file that `embedding:name` can name; without it that is text. */
  readonly embeddings?: ReadonlyMap<string, number>;
}

export const comfyTokenDefaults: ComfyTokenOptions = { unit: 'segments' };

/** A row of the encoder's input in which a vector stands for the token embedding, whose id is 0. */
export interface EmbeddedRow {
  readonly row: number;
  readonly name: string;
  /** Which of the file's vectors. */
  readonly index: number;
}

export interface ComfyChunk extends TokenChunk {
  /** [L] Counts units and embeddings through all chunks, from 1; 0 for BOS, EOS and PAD. */
  readonly wordIds: Uint32Array;
  readonly embedded: readonly EmbeddedRow[];
}

export interface ComfyTokens {
  readonly chunks: readonly ComfyChunk[];
  readonly diagnostics: readonly Diagnostic[];
}

/** A token before it has a row, or a vector. */
interface Unplaced {
  readonly token: PromptToken;
  readonly vector: Omit<EmbeddedRow, 'row'> | null;
}

const identifier = 'embedding:';
const nonSpace = new RegExp(`[^${pythonSpace}]+`, 'g');
/** Units of fewer tokens are not split between chunks. */
const keptWhole = 8;

/** The tokens of a prompt as ComfyUI chunks them, in rows of 77. */
export function comfyTokens(
  fragments: readonly Fragment[],
  tokenizer: Tokenizer,
  { unit, embeddings }: ComfyTokenOptions = comfyTokenDefaults,
  flavour?: TokenizerFlavour,
): ComfyTokens {
  const diagnostics: Diagnostic[] = [];
  const units: Unplaced[][] = [];
  for (const [index, fragment] of fragments.entries()) {
    const unplaced = (id: number, text: string, range: Range, vector: Unplaced['vector']): Unplaced => ({
      token: { kind: 'text', id, text, weight: fragment.weight, range, fragment: index },
      vector,
    });
    for (const { source, embedding } of comfyPieces(fragment, { unit, embeddings })) {
      if (embedding === null) {
        const tokens = tokenizer.tokenize(source, flavour);
        units.push(tokens.map(({ id, text, start, end }) => unplaced(id, text, { start, end }, null)));
        continue;
      }
      const { name, vectors, range } = embedding;
      if (name === null || vectors === undefined) diagnostics.push(unknownEmbedding(name, range, unit));
      else
        units.push(
          Array.from({ length: vectors }, (_, i) => unplaced(0, tokenizer.entry(0), range, { name, index: i })),
        );
    }
  }
  return { chunks: chunksOf(units, tokenizer), diagnostics };
}

/** What is tokenised at once, or `embedding:` with a name. */
export interface ComfyPiece {
  /** Empty of an embedding. */
  readonly source: SourceText;
  /** Null of text. `name` is null where none follows, `vectors` undefined where there is no such file. */
  readonly embedding: {
    readonly name: string | null;
    readonly vectors: number | undefined;
    readonly range: Range;
  } | null;
}

/** A text cut where ComfyUI cuts it, before it is tokenised. */
export function comfyPieces(source: SourceText, { unit, embeddings }: ComfyTokenOptions): ComfyPiece[] {
  return (unit === 'words' ? wordsOf(source) : segmentsOf(source)).flatMap((piece): ComfyPiece[] => {
    if (!embeddings || !piece.text.startsWith(identifier)) return [{ source: piece, embedding: null }];
    const { name, range, rest } = nameOf(piece, unit, embeddings);
    const vectors = name === null ? undefined : embeddings.get(name);
    const named = { source: sliceSource(piece, 0, 0), embedding: { name, vectors, range } };
    return rest.text === '' ? [named] : [named, { source: rest, embedding: null }];
  });
}

function chunksOf(units: readonly (readonly Unplaced[])[], tokenizer: Tokenizer): ComfyChunk[] {
  const length = contextLength;
  const room = length - 2;
  const chunks: { readonly tokens: Unplaced[]; readonly wordIds: number[] }[] = [{ tokens: [], wordIds: [] }];
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
      if (!fits) chunks.push({ tokens: [], wordIds: [] });
    }
  }
  return chunks.map(({ tokens, wordIds }) => {
    const ids = new Uint32Array(length);
    ids.set(wordIds, 1);
    return {
      ...normaliseLength(
        tokens.map(({ token }) => token),
        tokenizer,
      ).chunk,
      wordIds: ids,
      embedded: tokens.flatMap(({ vector }, i) => (vector ? { row: i + 1, ...vector } : [])),
    };
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
  embeddings: ReadonlyMap<string, number>,
): { readonly name: string | null; readonly range: Range; readonly rest: SourceText } {
  const from = identifier.length;
  const words = Array.from(piece.text.slice(from).matchAll(nonSpace), ({ 0: word, index }) =>
    sliceSource(piece, from + index, from + index + word.length),
  );
  const [first, ...others] = unit === 'words' ? [sliceSource(piece, from)] : words;
  const start = piece.starts[0];
  const nowhere = { start, end: piece.ends[from - 1] };
  if (!first || first.text === '') return { name: null, range: nowhere, rest: sliceSource(piece, 0, 0) };
  const stripped = first.text.replace(/^,+|,+$/g, '');
  const name = embeddings.has(first.text) ? first.text : stripped;
  const to = first.text.lastIndexOf(name) + name.length;
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
