import type { CrossAttentionLayer } from '../models/unetFile.ts';
import { rowDistance } from '../weighting/study/rowSums.ts';
import { rowLength } from './rowMeasures.ts';

/** Rows of a conditioning, [L, d], without weights and as they are weighted. */
export interface WeightedRows {
  readonly before: Float32Array;
  readonly after: Float32Array;
}

/** Multiplies rows x [R, d] by the transpose of a weight [C, d]: [R, C], which is good until the next call. */
export type RowProduct = (x: Float32Array, weight: Float32Array, channels: number) => ArrayLike<number>;

/** Lengths of the rows of K, or of V, in one layer: [L] each. */
export interface ProjectedLengths {
  readonly before: Float64Array;
  readonly after: Float64Array;
  /** ‖after − before‖ / ‖before‖; exactly 0 where no weight changes the row, and infinite where only `before` is 0. */
  readonly moved: Float64Array;
}

/** The K and V of one cross-attention layer. */
export interface LayerReads extends Pick<CrossAttentionLayer, 'name' | 'block' | 'channels'> {
  readonly keys: ProjectedLengths;
  readonly values: ProjectedLengths;
}

function projectedLengths(product: ArrayLike<number>, L: number, C: number): ProjectedLengths {
  // The product has the rows once where no weight changes anything.
  const afterAt = product.length > L * C ? L : 0;
  const rows = Array.from({ length: L }, (_, row) => row);
  const before = Float64Array.from(rows, (row) => rowLength(product, row, C));
  return {
    before,
    after: afterAt ? Float64Array.from(rows, (row) => rowLength(product, row + L, C)) : before,
    moved: Float64Array.from(rows, (row) => {
      const distance = rowDistance(product, row, product, row + afterAt, C);
      return distance === 0 ? 0 : distance / before[row];
    }),
  };
}

/**
 * Measures what each cross-attention layer makes of a conditioning: ‖K‖ and ‖V‖ of each row, before and after weights. One weight is
 * read at a time. Rejects with what reading throws, or with the signal's reason.
 */
export async function unetReads(
  layers: readonly CrossAttentionLayer[],
  { before, after }: WeightedRows,
  d: number,
  multiply: RowProduct,
  signal?: AbortSignal,
): Promise<LayerReads[]> {
  const L = before.length / d;
  const isWeighted = before.some((value, i) => value !== after[i]);
  const x = new Float32Array(isWeighted ? 2 * before.length : before.length);
  x.set(before);
  if (isWeighted) x.set(after, before.length);
  const found: LayerReads[] = [];
  for (const { name, block, channels, key, value } of layers) {
    const lengthsOf = async (read: CrossAttentionLayer['key']) => {
      const weight = await read(signal);
      signal?.throwIfAborted();
      return projectedLengths(multiply(x, weight, channels), L, channels);
    };
    found.push({ name, block, channels, keys: await lengthsOf(key), values: await lengthsOf(value) });
  }
  return found;
}
