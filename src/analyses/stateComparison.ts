import { commonPlaces } from '../tokens/align.ts';
import { rowDistance } from '../weighting/study/rowSums.ts';
import { rowLength } from './rowMeasures.ts';

/** A chunk with all that the encoder and a weighting method made of it. */
export interface EncodedState {
  /** Says what it is: prompt, method, model. */
  readonly name: string;
  /** [L] */
  readonly ids: ArrayLike<number>;
  readonly labels: readonly string[];
  /** The width of a row. */
  readonly d: number;
  /** N + 1 of [L, d] */
  readonly states: readonly ArrayLike<number>[];
  /** [L, d] After the final LayerNorm and clip skip, and after weighting. */
  readonly rows: ArrayLike<number>;
  readonly weighted: ArrayLike<number>;
}

/** Two states, row by row. */
export interface StateComparison {
  /** Rows of `a` and of `b` with the same token, in order. */
  readonly pairs: readonly (readonly [a: number, b: number])[];
  /** How many rows of each have no partner. */
  readonly without: readonly [a: number, b: number];
  /** [N + 3] of [pairs]: ‖Δ‖ over the length of a's row, after each layer, then after the final LayerNorm, then after weighting; exactly 0 where rows are equal. */
  readonly stages: readonly (readonly number[])[];
  /** [pairs] The first stage in which the rows differ; null where none does. */
  readonly bornAt: readonly (number | null)[];
}

/** Compares two states of one width and depth. Throws RangeError for others. */
export function compareStates(a: EncodedState, b: EncodedState): StateComparison {
  if (a.d !== b.d || a.states.length !== b.states.length)
    throw new RangeError(
      `Rows of ${a.d} numbers after ${a.states.length - 1} layers do not compare with rows of ${b.d} after ${b.states.length - 1}: choose two models of one size.`,
    );
  const tokens = ({ ids }: EncodedState) => Array.from(ids, (id) => ({ id }));
  const pairs = commonPlaces(tokens(a), tokens(b));
  const stagesOf = ({ states, rows, weighted }: EncodedState) => [...states, rows, weighted];
  const ofB = stagesOf(b);
  const stages = stagesOf(a).map((rows, stage) =>
    pairs.map(([i, j]) => {
      const distance = rowDistance(rows, i, ofB[stage], j, a.d);
      return distance === 0 ? 0 : distance / rowLength(rows, i, a.d);
    }),
  );
  const bornAt = pairs.map((_, pair) => {
    const first = stages.findIndex((changes) => changes[pair] !== 0);
    return first < 0 ? null : first;
  });
  return { pairs, without: [a.ids.length - pairs.length, b.ids.length - pairs.length], stages, bornAt };
}
