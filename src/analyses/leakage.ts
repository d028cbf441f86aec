import type { EncoderPass } from '../clip/encoderPass.ts';
import { withRowsAlone, withRowsHidden } from '../clip/maskEffects.ts';
import { rowDistance } from '../weighting/study/rowSums.ts';
import type { AnalysisEncoder } from './analysisEncoder.ts';
import { rowLength, rowTurn, together } from './rowMeasures.ts';
import type { ItemsOfPass } from './wordEffects.ts';

/** The part of a word’s rows that comes from the other words. */
export interface TakenContext {
  /** ‖z‖ of its rows. */
  readonly length: number;
  /** ‖z − z_alone‖ of its rows, z_alone what they are at the same places without any other word; exactly 0 for the first word under a causal mask. */
  readonly distance: number;
  /** The largest 1 − cos of one of its rows with that row alone. */
  readonly turn: number;
  /** [items] ‖Δz‖ of its rows where nothing attends to the other word; 0 of itself, and of every later word under a causal mask. */
  readonly from: readonly number[];
}

/** The passes that `leakage` asks for. */
export const leakagePasses = ({ pass, items }: ItemsOfPass): EncoderPass[] => [
  pass,
  ...items.map(({ rows }) => withRowsHidden(pass, rows)),
  ...items.map(({ rows }) => withRowsAlone(pass, rows)),
];

/** Finds what each word takes from each other one. */
export async function leakage(of: ItemsOfPass, encoder: AnalysisEncoder): Promise<readonly TakenContext[]> {
  const { items } = of;
  const { hiddenSize: d } = encoder.config;
  const [z, ...others] = await encoder.rows(leakagePasses(of));
  return items.map(({ rows }, taker) => {
    const alone = others[items.length + taker];
    const change = (other: ArrayLike<number>) => together(rows.map((row) => rowDistance(z, row, other, row, d)));
    return {
      length: together(rows.map((row) => rowLength(z, row, d))),
      distance: change(alone),
      turn: Math.max(...rows.map((row) => rowTurn(z, row, alone, row, d))),
      from: items.map((_, giver) => (giver === taker ? 0 : change(others[giver]))),
    };
  });
}

/** One word that gives to another. */
export interface Leak {
  readonly giver: number;
  readonly taker: number;
  readonly distance: number;
  /** The distance as a share of the taker's length. */
  readonly share: number;
}

/** Lists the pairs of words in which something is taken, the largest share first. */
export function leaks(taken: readonly TakenContext[]): Leak[] {
  return taken
    .flatMap(({ from, length }, taker) =>
      from.map((distance, giver): Leak => ({ giver, taker, distance, share: distance / length })),
    )
    .filter(({ distance }) => distance > 0)
    .sort((a, b) => b.share - a.share);
}
