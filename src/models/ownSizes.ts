/**
 * A file that says the sizes of its own text encoder, in its metadata: one that clipscope trained. Of a token table that has not a row
 * for every id of CLIP's, it says the ids, too.
 */

import type { ClipTextConfig } from '../clip/config.ts';
import type { CompactTable } from '../clip/weights.ts';
import { jsonObject } from '../files/jsonObject.ts';
import { excerpt, type TensorFile } from '../files/tensorFile.ts';
import { bosTokenId, eosTokenId, vocabSize } from '../tokens/clipVocabulary.ts';
import { createCompactTable } from './tokenTable.ts';

/** Name of the metadata with the text of config.json. */
export const ownConfigName = 'clip_config';
/** Name of the metadata with CLIP's ids of the token table's rows, a JSON list; absent from a file with the full table. */
export const tokenIdsName = 'token_ids';

/** The sizes that a file says of its text encoder. */
export interface OwnSizes {
  readonly config: ClipTextConfig;
  /** Absent where the table has a row for every id. */
  readonly compactTable?: CompactTable;
}

/**
 * The fewest and the most positions of an encoder that is used. ComfyUI splits no word of fewer than 8 tokens, so a chunk has to hold
 * that many; an encode takes memory by the square of the positions.
 */
export const positionBounds = { least: 16, most: 512 } as const;

/** The numbers of `text_config` that decide the encoder's shapes, and the most of each that is taken for a size. */
const mostOf = {
  hidden_size: 1024,
  num_attention_heads: 32,
  intermediate_size: 8192,
  num_hidden_layers: 48,
  max_position_embeddings: positionBounds.most,
} as const;

/** Widths of a head that every engine computes. */
const headDims = [8, 16, 32, 64];
/** Rows are read in blocks of so many numbers. */
const blockWidth = 32;

/** Completes the sentence about a file whose encoder has too few positions, or too many. */
export function wrongPositions(positions: number): string {
  const { least, most } = positionBounds;
  return `has a text encoder of ${positions} positions; expected ${least} to ${most}: Stable Diffusion 1's has 77, and Long-CLIP's 248`;
}

/** Completes the sentence about a file: "does not …". Never returns. */
type Fail = (why: string) => never;

/**
 * Reads CLIP's ids of the token table's rows from a file's metadata. Calls `fail` where the file does not say them, or not as a list
 * of different ids with BOS and EOS among them.
 */
export function readTokenIds({ metadata }: Pick<TensorFile, 'metadata'>, fail: Fail): Uint32Array {
  const ids = jsonObject(`{"ids":${metadata.get(tokenIdsName) ?? 'null'}}`)?.ids;
  const isId = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  if (!Array.isArray(ids) || !ids.every(isId) || new Set(ids).size < ids.length)
    return fail(
      `does not say in its metadata ${tokenIdsName} which words the rows of its token table are: expected a list of different ids from 0 to ${vocabSize - 1}`,
    );
  for (const [id, what] of [
    [bosTokenId, 'BOS'],
    [eosTokenId, 'EOS'],
  ] as const)
    if (!ids.includes(id)) fail(`has no row for ${what} in its token table: ${tokenIdsName} lacks the id ${id}`);
  return Uint32Array.from(ids);
}

/** The sizes that a file's metadata says; undefined where it says none. Calls `fail` for sizes that no engine here computes. */
export function ownSizes(file: Pick<TensorFile, 'metadata'>, fail: Fail): OwnSizes | undefined {
  const { metadata } = file;
  const isCompact = metadata.has(tokenIdsName);
  if (!isCompact && !metadata.has(ownConfigName)) return undefined;
  const json = jsonObject(metadata.get(ownConfigName));
  const text = json?.text_config as Readonly<Record<string, unknown>> | null | undefined;
  if (!text || typeof text !== 'object')
    return fail(
      `does not say the sizes of its text encoder, which its shapes alone do not tell: expected the text of config.json in its metadata ${ownConfigName}`,
    );
  const sizeOf = (name: keyof typeof mostOf) => {
    const value = text[name];
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= mostOf[name]) return value as number;
    return fail(
      `says in its metadata ${ownConfigName} that ${name} is ${excerpt(value)}; expected a whole number from 1 to ${mostOf[name]}`,
    );
  };
  const hiddenSize = sizeOf('hidden_size');
  const numAttentionHeads = sizeOf('num_attention_heads');
  const intermediateSize = sizeOf('intermediate_size');
  const headDim = hiddenSize / numAttentionHeads;
  if (!headDims.includes(headDim))
    fail(`has ${numAttentionHeads} heads in rows of ${hiddenSize} numbers; expected heads of ${headDims.join(', ')}`);
  for (const width of [hiddenSize, intermediateSize])
    if (width % blockWidth) fail(`has rows of ${width} numbers; expected a multiple of ${blockWidth}`);
  const maxPositionEmbeddings = sizeOf('max_position_embeddings');
  if (maxPositionEmbeddings < positionBounds.least) fail(wrongPositions(maxPositionEmbeddings));
  const { hidden_act: activation = 'quick_gelu', layer_norm_eps: layerNormEps = 1e-5 } = text;
  if (activation !== 'quick_gelu') fail(`needs the activation ${excerpt(activation)}; only quick_gelu is known here`);
  if (!(typeof layerNormEps === 'number' && layerNormEps > 0 && layerNormEps <= 1e-3))
    return fail(`says that layer_norm_eps is ${excerpt(layerNormEps)}; expected a number above 0 and up to 0.001`);
  const tokenIds = isCompact ? readTokenIds(file, fail) : undefined;
  const config: ClipTextConfig = {
    vocabSize: tokenIds?.length ?? vocabSize,
    maxPositionEmbeddings,
    hiddenSize,
    numAttentionHeads,
    headDim,
    intermediateSize,
    numHiddenLayers: sizeOf('num_hidden_layers'),
    layerNormEps,
  };
  return { config, ...(tokenIds && { compactTable: createCompactTable(tokenIds, hiddenSize) }) };
}

/** The metadata that a copy of an encoder's tensors needs, to be opened as the encoder that it is. */
export function copiedMetadata({ metadata }: Pick<TensorFile, 'metadata'>): Readonly<Record<string, string>> {
  const own = [ownConfigName, tokenIdsName].flatMap((name) => {
    const text = metadata.get(name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return { format: 'pt', ...Object.fromEntries(own) };
}
