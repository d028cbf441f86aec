import type { Range } from '../../prompt/ast.ts';
import { holdChunks } from '../../prompt/bounds.ts';
import { sourceText } from '../../prompt/sourceText.ts';
import {
  type ChunkedPrompt,
  type Chunker,
  normaliseLength,
  type PromptEmbedding,
  type PromptToken,
  placeholderId,
  type TokenChunk,
  textTokens,
  withVectors,
} from '../promptTokens.ts';
import type { Tokenizer } from '../tokenizer.ts';
import type { TokenizerFlavour } from '../tokenizerFlavours.ts';

export interface A1111ChunkOptions {
  readonly flavour?: TokenizerFlavour;
  /** Tokens after the last comma that may move to the next chunk rather than be parted from the rest; 0 moves none. */
  readonly commaPaddingBacktrack?: number;
  /** The most chunks: PromptBoundError is thrown where there are more. */
  readonly mostChunks?: number;
}

export interface A1111Chunks extends ChunkedPrompt {
  /** Each textual inversion that the prompt names, and where. */
  readonly named: readonly NamedPlace[];
}

export interface NamedPlace {
  readonly name: string;
  readonly range: Range;
}

/** The place of an embedding's vectors in a chunk. */
interface Placement {
  readonly embedding: PromptEmbedding;
  /** The first row that they replace. */
  readonly row: number;
}

/** Tokens of a chunk between BOS and EOS. */
export const chunkRoom = ({ modelMaxLength }: Pick<Tokenizer, 'modelMaxLength'>): number => modelMaxLength - 2;

/** Leaves out embeddings of more vectors than a chunk holds, which stop A1111. */
export function fittingEmbeddings(
  embeddings: readonly PromptEmbedding[],
  tokenizer: Pick<Tokenizer, 'modelMaxLength'>,
): readonly PromptEmbedding[] {
  return embeddings.filter(({ vectors }) => vectors.length <= chunkRoom(tokenizer));
}

/** `,</w>`: no other comma counts. */
const commaTokenId = 267;

/**
 * Packs any number of tokens into chunks of 77 ids, or as many as the encoder takes, as `tokenize_line` of stable-diffusion-webui 1.10 does: a BREAK fragment
 * ends a chunk, a full chunk is parted at its last comma if that is near, and the names of embeddings become their vectors.
 * Two faults of the original are kept: tokens that move after a comma leave their vectors behind in the old chunk, and an
 * embedding of more vectors than a chunk holds makes one that is longer than the encoder takes.
 */
export const chunkA1111: Chunker<A1111ChunkOptions, A1111Chunks> = (
  fragments,
  tokenizer,
  embeddings = [],
  { flavour, commaPaddingBacktrack = 20, mostChunks = Number.POSITIVE_INFINITY } = {},
) => {
  const findEmbedding = embeddingFinder(embeddings, tokenizer, flavour);
  const packer = createPacker(tokenizer, commaPaddingBacktrack, mostChunks);
  const named: NamedPlace[] = [];
  fragments.forEach((fragment, index) => {
    if (fragment.kind === 'break') {
      packer.flush();
      return;
    }
    const typed = textTokens(fragment, index, tokenizer, flavour);
    for (let place = 0; place < typed.length; ) {
      packer.makeRoom(typed[place]);
      const match = findEmbedding(typed, place);
      if (!match) {
        packer.push(typed[place++]);
        continue;
      }
      const { embedding, length } = match;
      const range = { start: typed[place].range!.start, end: typed[place + length - 1].range!.end };
      packer.place(embedding, { ...typed[place], id: placeholderId, text: tokenizer.entry(placeholderId), range });
      named.push({ name: embedding.name, range });
      place += length;
    }
  });
  const { chunks, tokenCount } = packer.finish();
  const chunkLength = chunkRoom(tokenizer);
  const target = Math.ceil(Math.max(tokenCount, 1) / chunkLength) * chunkLength;
  return { chunks, cut: [], tokenCount, target, named, diagnostics: [] };
};

/** Collects tokens into chunks. */
function createPacker(tokenizer: Tokenizer, commaPaddingBacktrack: number, mostChunks: number) {
  const chunkLength = chunkRoom(tokenizer);
  const chunks: TokenChunk[] = [];
  /** By the chunk. */
  const placements = new Map<number, Placement[]>();
  let tokens: PromptToken[] = [];
  let lastComma = -1;
  /** The length of a chunk for each but the last, whether full or not. */
  let tokenCount = 0;

  function flush(): void {
    tokenCount += chunkLength;
    chunks.push(chunkOf(tokens, tokenizer));
    holdChunks(chunks.length, mostChunks);
    tokens = [];
    lastComma = -1;
  }
  function makeRoom(token: PromptToken): void {
    if (token.id === commaTokenId) lastComma = tokens.length;
    else if (tokens.length === chunkLength && lastComma !== -1 && tokens.length - lastComma <= commaPaddingBacktrack) {
      const moved = tokens.splice(lastComma + 1);
      flush();
      tokens = moved;
    }
    if (tokens.length === chunkLength) flush();
  }
  function place(embedding: PromptEmbedding, placeholder: PromptToken): void {
    const { length } = embedding.vectors;
    if (tokens.length + length > chunkLength) flush();
    const placed = placements.get(chunks.length) ?? [];
    placements.set(chunks.length, placed);
    placed.push({ embedding, row: tokens.length + 1 });
    for (let i = 0; i < length; i++) tokens.push(placeholder);
  }
  return {
    flush,
    makeRoom,
    place,
    push: (token: PromptToken) => {
      tokens.push(token);
    },
    finish() {
      if (tokens.length > 0 || chunks.length === 0) {
        tokenCount += tokens.length;
        chunks.push(chunkOf(tokens, tokenizer));
        holdChunks(chunks.length, mostChunks);
      }
      return { chunks: chunks.map((chunk, i) => withPlacements(chunk, placements.get(i) ?? [])), tokenCount };
    },
  };
}

/** Names the vectors in their rows, whichever tokens stand there: where a comma moved tokens on, they are EOS and PAD. */
function withPlacements(chunk: TokenChunk, placements: readonly Placement[]): TokenChunk {
  if (placements.length === 0) return chunk;
  const byName = new Map(placements.map(({ embedding: { name, vectors } }) => [name, vectors]));
  const labels = new Map(
    placements.flatMap(({ embedding: { name, vectors }, row }) =>
      vectors.map((_, index) => [row + index, { name, index }] as const),
    ),
  );
  const tokens = chunk.tokens.map((token, row): PromptToken => {
    const vector = labels.get(row);
    if (!vector) return token;
    const { kind, id, text, weight, range, fragment } = token;
    return { kind, id, text, weight, range, fragment, vector };
  });
  return withVectors({ ...chunk, tokens }, (name) => byName.get(name));
}

/** The chunk that completes a prompt in a batch with longer ones. */
export function emptyChunk(tokenizer: Tokenizer): TokenChunk {
  return chunkOf([], tokenizer);
}

/** Grows with content that is too long. */
function chunkOf(content: readonly PromptToken[], tokenizer: Tokenizer): TokenChunk {
  return normaliseLength(content, tokenizer, Math.max(tokenizer.modelMaxLength, content.length + 2)).chunk;
}

interface EmbeddingMatch {
  readonly embedding: PromptEmbedding;
  /** Tokens of its name. */
  readonly length: number;
}

/** Finds the longest name whose tokens stand at a place; of names with the same tokens the first. */
export function embeddingFinder(
  embeddings: readonly PromptEmbedding[],
  tokenizer: Tokenizer,
  flavour: TokenizerFlavour | undefined,
): (tokens: readonly PromptToken[], place: number) => EmbeddingMatch | undefined {
  const byFirstId = new Map<number, { readonly ids: readonly number[]; readonly embedding: PromptEmbedding }[]>();
  for (const embedding of embeddings) {
    const ids = tokenizer.tokenize(sourceText(embedding.name), flavour).map(({ id }) => id);
    const sharing = byFirstId.get(ids[0]) ?? [];
    byFirstId.set(ids[0], sharing);
    sharing.push({ ids, embedding });
    sharing.sort((a, b) => b.ids.length - a.ids.length);
  }
  return (tokens, place) => {
    const found = byFirstId
      .get(tokens[place].id)
      ?.find(({ ids }) => ids.every((id, i) => tokens[place + i]?.id === id));
    return found && { embedding: found.embedding, length: found.ids.length };
  };
}
