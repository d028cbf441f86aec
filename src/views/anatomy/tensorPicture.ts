import type { LayerTensors } from '../../clip/layerTensors.ts';
import { attentionMask } from '../../clip/masks.ts';
import { attentionScores, maskScores } from '../../clip/reference.ts';
import { type Operation, sizeOf, type TensorKey } from '../../clip/stages.ts';
import type { Inspection } from '../../state/facts.ts';

/** The matrices of a layer by key: those read back, and the scores, which are computed from Q and K in float64. */
export type Matrices = (key: TensorKey) => ArrayLike<number>;

/** Computes the scores when they are first asked for, and keeps them. */
export function matricesOf(tensors: LayerTensors, { pass, config }: Inspection): Matrices {
  let scores: Float64Array | undefined;
  let masked: Float64Array | undefined;
  const before = () => {
    scores ??= attentionScores(
      Float64Array.from(tensors.get('q')!),
      Float64Array.from(tensors.get('k')!),
      config.maxPositionEmbeddings,
      config.numAttentionHeads,
      config.headDim,
    );
    return scores;
  };
  return (key) => {
    if (key === 'scores') return before();
    if (key === 'masked_scores') {
      masked ??= maskScores(before(), attentionMask(pass));
      return masked;
    }
    return tensors.get(key)!;
  };
}

/** A matrix of an operation for one prompt's chunk, and the names of its rows. */
export interface MatrixProps {
  readonly inspection: Inspection;
  readonly matrices: Matrices;
  /** [L] */
  readonly labels: readonly string[];
  readonly kinds: readonly string[];
  readonly operation: Operation;
  /** Shows what goes into the operation, the residual stream, and not what comes out. */
  readonly isInput: boolean;
  readonly head: number;
}

/** One matrix of a tensor: all of it, or one head's. */
export interface MatrixView {
  readonly values: ArrayLike<number>;
  /** Index in `values` at which the matrix begins. */
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
}

/** The matrix that an operation makes, of this head where each has its own. */
export function matrixOf(
  { tensor, shape }: Pick<Operation, 'tensor' | 'shape'>,
  matrices: Matrices,
  { config }: Inspection,
  head: number,
): MatrixView {
  const [rows, columns] = shape.slice(-2).map((size) => sizeOf(size, config));
  const isPerHead = shape.length === 3;
  return { values: matrices(tensor), offset: isPerHead ? head * rows * columns : 0, rows, columns };
}

export interface MatrixNumbers {
  readonly least: number;
  readonly most: number;
  readonly mean: number;
  /** [rows] Euclidean norms, of finite entries alone. */
  readonly norms: readonly number[];
}

/** Range, mean and row norms of a matrix, its entries of −∞ aside. */
export function numbersOf({ values, offset, rows, columns }: MatrixView): MatrixNumbers {
  let [least, most, sum, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  const norms = Array.from({ length: rows }, (_, row) => {
    let squares = 0;
    for (let i = offset + row * columns; i < offset + (row + 1) * columns; i++) {
      const value = values[i];
      if (value === Number.NEGATIVE_INFINITY) continue;
      least = Math.min(least, value);
      most = Math.max(most, value);
      sum += value;
      count++;
      squares += value * value;
    }
    return Math.sqrt(squares);
  });
  return { least, most, mean: sum / count, norms };
}
