import type { TokenKind } from '../tokens/promptTokens.ts';
import { rowDistance } from '../weighting/study/rowSums.ts';
import { rowLength, rowTurn } from './rowMeasures.ts';

/** The part of ‖C − C_empty‖² that lies in the rows of each kind, and the rows that it is made of. */
export interface ConditioningShares {
  /** Sum to 1, up to rounding; all 0 where nothing differs from the empty prompt. BOS has exactly 0 under a causal mask. */
  readonly shares: Readonly<Record<TokenKind, number>>;
  /** ‖C − C_empty‖ of all rows. */
  readonly total: number;
  /** [L] ‖Cᵢ − C_emptyᵢ‖ */
  readonly distances: Float64Array;
  /** [L] ‖Cᵢ‖, and 1 − cos of Cᵢ with C_emptyᵢ. */
  readonly lengths: Float64Array;
  readonly turns: Float64Array;
}

/** Compares a chunk's rows with those of the empty prompt at the same places. z, empty [L, d]; kinds [L]. */
export function conditioningShares(
  z: ArrayLike<number>,
  empty: ArrayLike<number>,
  kinds: readonly TokenKind[],
): ConditioningShares {
  const d = z.length / kinds.length;
  const ofRows = (measure: (row: number) => number) => Float64Array.from(kinds, (_, row) => measure(row));
  const distances = ofRows((row) => rowDistance(z, row, empty, row, d));
  const squares: Record<TokenKind, number> = { bos: 0, text: 0, eos: 0, pad: 0 };
  kinds.forEach((kind, row) => {
    squares[kind] += distances[row] ** 2;
  });
  const total = squares.bos + squares.text + squares.eos + squares.pad;
  const share = (kind: TokenKind) => (total > 0 ? squares[kind] / total : 0);
  return {
    shares: { bos: share('bos'), text: share('text'), eos: share('eos'), pad: share('pad') },
    total: Math.sqrt(total),
    distances,
    lengths: ofRows((row) => rowLength(z, row, d)),
    turns: ofRows((row) => rowTurn(z, row, empty, row, d)),
  };
}
