import type { ClipTextConfig } from '../clip/config.ts';
import type { Schedule, Step, TensorSpec } from '../engine/schedule.ts';
import type { WeightSpec } from '../engine/weightReading.ts';
import { weightBytes } from '../files/dtypes.ts';
import { panelBytes, panelColumns } from './kernels.ts';

/** From, and to (exclusive). */
export type Span = readonly [from: number, to: number];
const length = ([from, to]: Span) => to - from;

/** One share of the encoder's work. Share 0 adds what the others compute. */
export interface Share {
  readonly index: number;
  readonly heads: Span;
  /** Columns of the MLP's inner matrix, in whole panels. */
  readonly columns: Span;
}

/** Divides heads and columns as evenly as they go. `shares` is at most the number of heads. */
export function divideWork(config: ClipTextConfig, shares: number): Share[] {
  const { numAttentionHeads: h, intermediateSize: m } = config;
  const panels = Math.ceil(m / panelColumns);
  return Array.from({ length: shares }, (_, index) => {
    const part = (count: number, at: number) => Math.round((count * at) / shares);
    const column = (at: number) => Math.min(m, part(panels, at) * panelColumns);
    return { index, heads: [part(h, index), part(h, index + 1)], columns: [column(index), column(index + 1)] };
  });
}

/** Multiplications and additions of a pass that make a further thread worth its messages: some milliseconds of work. */
const flopsOfThread = 5e8;

/** Threads that a pass is worth, on so many cores: never more than heads. */
export function usefulThreads(config: ClipTextConfig, cores: number): number {
  const { maxPositionEmbeddings: L, hiddenSize: d, intermediateSize: m, numHiddenLayers: N } = config;
  const flops = 2 * L * N * (4 * d * d + 2 * d * m);
  return Math.max(1, Math.min(cores, config.numAttentionHeads, Math.floor(flops / flopsOfThread)));
}

/**
 * How the shares divide a linear layer. `out`: each computes some columns of y. `in`: each reads some columns of x, and their
 * products are summed.
 */
const divisions = {
  'self_attn.qkv_proj': { side: 'out', by: 'heads' },
  'self_attn.out_proj': { side: 'in', by: 'heads' },
  'mlp.fc1': { side: 'out', by: 'columns' },
  'mlp.fc2': { side: 'in', by: 'columns' },
} as const;

function divisionOf(label: string): (typeof divisions)[keyof typeof divisions] | undefined {
  return divisions[label.replace(/^layers\.\d+\./, '') as keyof typeof divisions];
}

/** Whether the shares' results of a step are parts of a sum. */
export const isPartial = ({ label }: Step): boolean => divisionOf(label)?.side === 'in';

/** Whether all shares take part in a step: embeddings and the final LayerNorm are computed by share 0 alone. */
export const isShared = ({ label }: Step): boolean => label.startsWith('layers.');

/** Columns that a share has of a matrix as wide as all heads, or as the MLP. */
const spanOf = ({ headDim }: ClipTextConfig, { heads, columns }: Share, by: 'heads' | 'columns'): Span =>
  by === 'heads' ? [heads[0] * headDim, heads[1] * headDim] : columns;

/** A share's piece of a weight. */
export interface WeightPiece {
  /** Rows of each of the parts that the weight consists of; elements of a vector. */
  readonly rows: Span;
  /** Columns of a matrix; the one of a vector. */
  readonly columns: Span;
  /** Columns of a whole part. */
  readonly width: number;
  /** Number of the parts. */
  readonly parts: number;
  /** [N, K] of all parts together. */
  readonly N: number;
  readonly K: number;
  readonly bytes: number;
}

/** A share's piece of the weight `name`; undefined where it needs none. */
export function pieceOf(
  config: ClipTextConfig,
  share: Share,
  name: string,
  { kind, shape, from, dtype }: WeightSpec,
): WeightPiece | undefined {
  const label = name.replace(/\.(weight|bias)$/, '');
  const division = divisionOf(label);
  const only0 = !label.startsWith('layers.') || (kind === 'vector' && division?.side === 'in');
  if (share.index > 0 && only0) return undefined;
  let rows: Span = [0, shape[0] / from.length];
  const width = shape[1] ?? 1;
  let columns: Span = [0, width];
  if (division?.side === 'out') rows = spanOf(config, share, division.by);
  else if (division && kind === 'matrix') columns = spanOf(config, share, division.by);
  const [N, K] = [length(rows) * from.length, length(columns)];
  const bytes = kind === 'matrix' ? panelBytes(N, K, dtype) : N * K * weightBytes[dtype];
  return { rows, columns, width, parts: from.length, N, K, bytes };
}

/**
 * Cuts rows and columns out of a matrix of `width` columns of `elementBytes`; shares memory with it where columns are whole, and
 * writes them into `room`, or else into new memory, where they are not.
 */
export function cut(
  data: Uint8Array<ArrayBuffer>,
  width: number,
  elementBytes: number,
  { rows, columns }: Pick<WeightPiece, 'rows' | 'columns'>,
  room?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const rowBytes = width * elementBytes;
  if (length(columns) === width) return data.subarray(rows[0] * rowBytes, rows[1] * rowBytes);
  const pieceBytes = length(columns) * elementBytes;
  const piece = room ?? new Uint8Array(length(rows) * pieceBytes);
  for (let row = rows[0]; row < rows[1]; row++) {
    const from = row * rowBytes + columns[0] * elementBytes;
    piece.set(data.subarray(from, from + pieceBytes), (row - rows[0]) * pieceBytes);
  }
  return piece;
}

/**
 * How the shares have a tensor. `whole`: share 0 has all of it. `own`: every share computes all of it. Of the others each has
 * its part: `heads` [L, heads · dh], `qkv` three of these a row, `columns` [L, columns], `probabilities` [heads, L, L].
 */
export type Held = 'whole' | 'own' | 'heads' | 'qkv' | 'columns' | 'probabilities';

/** Says how the shares have each of the tensors that a schedule's steps write; others are whole, unless they are read in parts. */
export function heldTensors({ steps }: Schedule): ReadonlyMap<string, Held> {
  const held = new Map<string, Held>();
  for (const step of steps) {
    const { operation, label, tensors } = step;
    const y = tensors[tensors.length - 1];
    const division = divisionOf(label);
    if (division?.side === 'in' && !held.has(tensors[0])) held.set(tensors[0], division.by);
    if (operation === 'attention') held.set(tensors[3], 'probabilities').set(y, 'heads');
    else if (division?.side === 'out') held.set(y, division.by === 'heads' ? 'qkv' : 'columns');
    else held.set(y, operation === 'layer_norm' && isShared(step) ? 'own' : 'whole');
  }
  return held;
}

/** A share's part of a tensor of one pass: `chunks` times `width` elements. The parts of a chunk lie side by side in the tensor. */
export function chunksOf(
  config: ClipTextConfig,
  share: Share,
  held: Held,
  { shape }: TensorSpec,
): { readonly chunks: number; readonly width: number } {
  const L = config.maxPositionEmbeddings;
  switch (held) {
    case 'whole':
    case 'own':
      return { chunks: L, width: shape[shape.length - 1] };
    case 'heads':
    case 'columns':
      return { chunks: L, width: length(spanOf(config, share, held)) };
    case 'qkv':
      return { chunks: 3 * L, width: length(spanOf(config, share, 'heads')) };
    case 'probabilities':
      return { chunks: 1, width: length(share.heads) * L * L };
    default:
      return held satisfies never;
  }
}
