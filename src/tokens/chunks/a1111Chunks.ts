import type { Fragment, Range } from '../../prompt/ast.ts';
import { sourceText } from '../../prompt/sourceText.ts';
import { contextLength } from '../clipVocabulary.ts';
import { fragmentTokens, normaliseLength, type PromptToken, type TokenChunk } from '../promptTokens.ts';
import type { Tokenizer } from '../tokenizer.ts';
import type { TokenizerFlavour } from '../tokenizerFlavours.ts';

/** A textual inversion embedding. */
export interface Embedding {
  /** What it is called in a prompt; its tokens are looked for. */
  readonly name: string;
  /** How many rows of the token embeddings it replaces. */
  readonly vectors: number;
}

/** Where the vectors of an embedding go. */
export interface EmbeddingFix<E extends Embedding = Embedding> {
  readonly embedding: E;
  readonly chunk: number;
  /** Place in the chunk before BOS is put in front: the vectors replace rows `offset + 1` and on. */
  readonly offset: number;
  /** Where the name was typed. */
  readonly range: Range;
}

export interface ChunkOptions<E extends Embedding = Embedding> {
  readonly flavour?: TokenizerFlavour;
  /** Tokens after the last comma that may move to the next chunk rather than be parted from the rest; 0 moves none. */
  readonly commaPaddingBacktrack?: number;
  readonly embeddings?: readonly E[];
}

export interface Chunks<E extends Embedding = Embedding> {
  readonly chunks: readonly TokenChunk[];
  /** 75 for each chunk but the last, whether full or not, and what is in the last. */
  readonly tokenCount: number;
  /** The multiple of 75 that the count is shown against. */
  readonly target: number;
  readonly fixes: readonly EmbeddingFix<E>[];
}

/** Tokens of a chunk between BOS and EOS. */
export const chunkLength = contextLength - 2;
/** `,</w>`: no other comma counts. */
const commaTokenId = 267;
/** `!`: what stands where vectors will. */
const placeholderId = 0;

/**
 * Any number of tokens in chunks of 77 ids, as `tokenize_line` of stable-diffusion-webui 1.10 packs them: a BREAK fragment
 * ends a chunk, a full one is parted at its last comma where that is near, and the names of embeddings become their
 * vectors. Two of its faults are kept: tokens that move after a comma leave their fixes in the old chunk, and an embedding
 * of more than 75 vectors makes a chunk longer than the encoder takes.
 */
export function chunkTokens<E extends Embedding = Embedding>(
  fragments: readonly Fragment[],
  tokenizer: Tokenizer,
  { flavour, commaPaddingBacktrack = 20, embeddings = [] }: ChunkOptions<E> = {},
): Chunks<E> {
  const findEmbedding = embeddingFinder(embeddings, tokenizer, flavour);
  const chunks: TokenChunk[] = [];
  const fixes: EmbeddingFix<E>[] = [];
  let tokens: PromptToken[] = [];
  let lastComma = -1;
  let tokenCount = 0;

  function flush(): void {
    tokenCount += chunkLength;
    chunks.push(chunkOf(tokens, tokenizer));
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

  fragments.forEach((fragment, index) => {
    if (fragment.kind === 'break') {
      flush();
      return;
    }
    const typed = fragmentTokens([fragment], tokenizer, flavour).map((token) => ({ ...token, fragment: index }));
    for (let place = 0; place < typed.length; ) {
      makeRoom(typed[place]);
      const match = findEmbedding(typed, place);
      if (!match) {
        tokens.push(typed[place++]);
        continue;
      }
      const { embedding, length } = match;
      if (tokens.length + embedding.vectors > chunkLength) flush();
      const range = { start: typed[place].range!.start, end: typed[place + length - 1].range!.end };
      fixes.push({ embedding, chunk: chunks.length, offset: tokens.length, range });
      const vector = { ...typed[place], id: placeholderId, text: tokenizer.entry(placeholderId), range };
      for (let i = 0; i < embedding.vectors; i++) tokens.push(vector);
      place += length;
    }
  });
  if (tokens.length > 0 || chunks.length === 0) {
    tokenCount += tokens.length;
    chunks.push(chunkOf(tokens, tokenizer));
  }
  return { chunks, tokenCount, target: Math.ceil(Math.max(tokenCount, 1) / chunkLength) * chunkLength, fixes };
}

/** What completes a prompt in a batch with one of more chunks. */
export function emptyChunk(tokenizer: Tokenizer): TokenChunk {
  return chunkOf([], tokenizer);
}

/** As long as its content where that is too long. */
function chunkOf(content: readonly PromptToken[], tokenizer: Tokenizer): TokenChunk {
  return normaliseLength(content, tokenizer, Math.max(chunkLength, content.length) + 2).chunk;
}

/** Finds the longest name whose tokens stand at a place; of names with the same tokens the first. */
export function embeddingFinder<E extends Embedding>(
  embeddings: readonly E[],
  tokenizer: Tokenizer,
  flavour: TokenizerFlavour | undefined,
): (tokens: readonly PromptToken[], place: number) => { readonly embedding: E; readonly length: number } | undefined {
  const byFirstId = new Map<number, { readonly ids: readonly number[]; readonly embedding: E }[]>();
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
