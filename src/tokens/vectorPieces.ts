/** Finds the names of textual inversions in a text, as each program does. */
import type { SourceText } from '../prompt/ast.ts';
import { sliceSource } from '../prompt/sourceText.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { addedTokenCutter, addedTokens } from './addedTokens.ts';
import { embeddingFinder, fittingEmbeddings } from './chunks/a1111Chunks.ts';
import { comfyPieces } from './chunks/comfyChunks.ts';
import { diffusersToken } from './diffusersToken.ts';
import { embeddingByName } from './embeddingByName.ts';
import { fragmentTokens, type PromptEmbedding } from './promptTokens.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { TokenizerFlavour } from './tokenizerFlavours.ts';

/** Text, or what stands for vectors. */
export interface VectorPiece {
  readonly source: SourceText;
  /** Vectors that the program puts in its place; none for text. */
  readonly vectors: readonly Float32Array[];
  /** The name after ComfyUI's `embedding:` if no such file is open; the piece is then left out. */
  readonly unknown?: string;
}

/** Cuts a fragment's text into pieces, none of which is empty. */
export type VectorCutter = (source: SourceText) => VectorPiece[];

export function vectorCutter(
  embeddings: readonly PromptEmbedding[],
  syntax: Syntax,
  tokenizer: Tokenizer,
  flavour?: TokenizerFlavour,
): VectorCutter {
  switch (syntax) {
    case 'a1111':
      return a1111Cutter(embeddings, tokenizer, flavour);
    case 'compel': {
      const added = addedTokens(embeddings);
      const cut = addedTokenCutter(added, flavour);
      return (source) =>
        cut(source).map((piece) => ({
          source: piece.source,
          vectors: piece.vectors.map(({ name, index }) => added.get(name)![index]),
        }));
    }
    case 'comfy':
      return comfyCutter(embeddings);
    default:
      return syntax satisfies never;
  }
}

function a1111Cutter(
  embeddings: readonly PromptEmbedding[],
  tokenizer: Tokenizer,
  flavour: TokenizerFlavour | undefined,
): VectorCutter {
  const fitting = fittingEmbeddings(embeddings, tokenizer);
  if (fitting.length === 0) return (source) => [{ source, vectors: [] }];
  const find = embeddingFinder(fitting, tokenizer, flavour);
  return (source) => {
    const fragment = { kind: 'text', weight: 1, start: 0, end: 0, ...source } as const;
    const tokens = fragmentTokens([fragment], tokenizer, flavour);
    const pieces: VectorPiece[] = [];
    let from = 0;
    for (let place = 0; place < tokens.length; ) {
      const match = find(tokens, place);
      if (!match) {
        place++;
        continue;
      }
      const [first, last] = [tokens[place].range!, tokens[place + match.length - 1].range!];
      const start = Math.max(from, unitAt(source, first.start));
      const end = Math.max(start, unitAt(source, last.end));
      if (start > from) pieces.push({ source: sliceSource(source, from, start), vectors: [] });
      pieces.push({ source: sliceSource(source, start, end), vectors: match.embedding.vectors });
      from = end;
      place += match.length;
    }
    if (from < source.text.length || pieces.length === 0)
      pieces.push({ source: sliceSource(source, from), vectors: [] });
    return pieces;
  };
}

/** The first unit that was typed there or later. */
function unitAt({ starts }: SourceText, typed: number): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] < typed) low = middle + 1;
    else high = middle;
  }
  return low;
}

function comfyCutter(embeddings: readonly PromptEmbedding[]): VectorCutter {
  const find = embeddingByName(embeddings);
  return (source) =>
    comfyPieces(source, 'segments', find).flatMap((piece): VectorPiece[] => {
      if (piece.embedding === null) return [{ source: piece.source, vectors: [] }];
      const { name, vectors, range } = piece.embedding;
      if (name === null) return [];
      const typed = sliceSource(source, unitAt(source, range.start), unitAt(source, range.end));
      return [vectors ? { source: typed, vectors } : { source: typed, vectors: [], unknown: name }];
    });
}

/** The name by which a prompt of that language calls an embedding. */
export function nameIn(embedding: PromptEmbedding, syntax: Syntax): string {
  if (syntax === 'compel') return diffusersToken(embedding);
  return syntax === 'comfy' ? `embedding:${embedding.name}` : embedding.name;
}
