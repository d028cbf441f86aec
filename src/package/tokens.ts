/**
 * `clipscope/tokens`: CLIP's tokenizers, the chunks that each program makes, and prompts rewritten for another program. CLIP's
 * vocabulary comes with the package and is loaded when a tokenizer is opened.
 */
import { type Piece, printPrompt } from '../prompt/across/translate.ts';
import type { Fragment } from '../prompt/ast.ts';
import { seededChooser } from '../prompt/comfy/dynamicPrompt.ts';
import type { Side } from '../prompt/side.ts';
import { sourceText } from '../prompt/sourceText.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { chunkA1111, fittingEmbeddings } from '../tokens/chunks/a1111Chunks.ts';
import { type ComfyUnit, chunkComfy } from '../tokens/chunks/comfyChunks.ts';
import { chunkCompel, compelChunkDefaults, type SplitMode } from '../tokens/chunks/compelChunks.ts';
import { type Conversion, type ConversionRow, convertPrompt, type Loss } from '../tokens/convertPrompt.ts';
import type { ChunkedPrompt, PromptEmbedding, PromptToken, TokenChunk } from '../tokens/promptTokens.ts';
import { createTokenizer, type Token, type Tokenizer } from '../tokens/tokenizer.ts';
import { ownFlavour, type TokenizerFlavour } from '../tokens/tokenizerFlavours.ts';
import { checkedSyntax } from './checkedSyntax.ts';

export { bosTokenId, contextLength, eosTokenId, padTokenId, vocabSize } from '../tokens/clipVocabulary.ts';
export { withMaxLength } from '../tokens/maxLength.ts';
export { ownFlavour, type TokenizerFlavour, tokenizerFlavours } from '../tokens/tokenizerFlavours.ts';
export type {
  ChunkedPrompt,
  Conversion,
  ConversionRow,
  Loss,
  Piece,
  PromptEmbedding,
  PromptToken,
  Token,
  TokenChunk,
  Tokenizer,
};

let ownTokenizer: Promise<Tokenizer> | undefined;

async function createOwnTokenizer(): Promise<Tokenizer> {
  try {
    return createTokenizer((await import('../../public/clip-merges.txt?raw')).default);
  } catch (error) {
    // A module that could not be loaded may be there the next time.
    ownTokenizer = undefined;
    throw error;
  }
}

/**
 * Opens CLIP's tokenizer. The vocabulary (208 kB compressed) is loaded with the first call; later ones give the same tokenizer.
 * `merges` are others than CLIP's own copy: 48,894 lines `left right` in rank order. Rejects with an Error where these are not CLIP's.
 */
export async function openTokenizer(merges?: string): Promise<Tokenizer> {
  if (merges !== undefined) return createTokenizer(merges);
  ownTokenizer ??= createOwnTokenizer();
  return ownTokenizer;
}

/**
 * Tokenises a text, which is no prompt: brackets are characters. Each id has the range of the text that it was typed at; there is
 * no BOS, EOS or limit. By default as A1111 tokenises.
 */
export function tokenize(text: string, tokenizer: Tokenizer, flavour?: TokenizerFlavour): Token[] {
  return tokenizer.tokenize(sourceText(text), flavour);
}

export interface ChunkOptions {
  /** By default the tokenizer that the language's program comes with. */
  readonly flavour?: TokenizerFlavour;
  /** A1111: tokens that may move to the next chunk with a comma. By default 20. */
  readonly commaPaddingBacktrack?: number;
  /** Compel: where a long prompt is split. By default `cut`: what does not fit one chunk has no effect. */
  readonly split?: SplitMode | 'cut';
  /** ComfyUI: what is tokenised at a time. By default `segments`, as since December 2024. */
  readonly comfyUnit?: ComfyUnit;
  /** Textual inversions that the prompt may name. */
  readonly embeddings?: readonly PromptEmbedding[];
}

/**
 * Puts the fragments of one text (`parse(…).texts[i].fragments` of `clipscope/prompt`) into chunks of 77 tokens, or as many as `withMaxLength`
 * says, as the program of the language does. Throws RangeError for a `syntax` that there is not.
 */
export function chunk(
  fragments: readonly Fragment[],
  syntax: Syntax,
  tokenizer: Tokenizer,
  { flavour = ownFlavour[syntax], embeddings = [], ...options }: ChunkOptions = {},
): ChunkedPrompt {
  checkedSyntax(syntax);
  switch (syntax) {
    case 'a1111':
      return chunkA1111(fragments, tokenizer, fittingEmbeddings(embeddings, tokenizer), { ...options, flavour });
    case 'compel': {
      const split = options.split ?? 'cut';
      const how = split === 'cut' ? compelChunkDefaults : { truncate: false, split };
      return chunkCompel(fragments, tokenizer, embeddings, { ...how, flavour });
    }
    case 'comfy':
      return chunkComfy(fragments, tokenizer, embeddings, { unit: options.comfyUnit, flavour });
    default:
      return syntax satisfies never;
  }
}

export interface ConvertOptions {
  readonly from: Syntax;
  readonly to: Syntax;
  /** By default `positive`. */
  readonly side?: Side;
  /** By default each program's own tokenizer. */
  readonly flavour?: TokenizerFlavour;
  readonly embeddings?: readonly PromptEmbedding[];
  /** ComfyUI's page: the seed of its choices. By default 0. */
  readonly choiceSeed?: number;
}

/**
 * Rewrites a prompt for another program, reads the result there, and compares both token by token: `isSame` says whether all
 * tokens and weights are there, `lost` why not. Compel is taken to cut a prompt after its first 75 tokens, as it does by default.
 * Throws RangeError for a language that there is not.
 */
export function convert(
  source: string,
  { from, to, side, flavour, embeddings, choiceSeed = 0 }: ConvertOptions,
  tokenizer: Tokenizer,
): Conversion {
  const chooser = seededChooser(2 * choiceSeed + (side === 'negative' ? 1 : 0));
  const choice = flavour ?? 'program';
  return convertPrompt(source, checkedSyntax(from), checkedSyntax(to), tokenizer, choice, side, embeddings, chooser);
}

/**
 * Writes fragments, or any pieces of text with weights, in a language. What that cannot say is left out (`convert`
 * compares the tokens and lists the losses). Throws RangeError for a `syntax` that there is not.
 */
export function print(pieces: readonly Piece[], syntax: Syntax): string {
  return printPrompt(pieces, checkedSyntax(syntax));
}
