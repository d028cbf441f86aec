/** Means over whole chunks, which A1111 restores after weighting. */
import type { EncoderPass } from '../clip/encoderPass.ts';
import { outputOf } from './derivedPass.ts';
import { isWeighted, type RestoredMean, type WeightedChunk, type ZOf } from './method.ts';

/** Gives the row sums of a pass's output, [L], in float64: a mean needs no more of it. */
export type RowSumsOf = (pass: EncoderPass) => Float64Array;

export function rowSumsOf(zOf: ZOf): RowSumsOf {
  return (pass) => {
    const z = outputOf(pass, zOf);
    const sums = new Float64Array(pass.inputIds.length);
    const d = z.length / sums.length;
    for (let i = 0; i < sums.length; i++) for (let c = 0; c < d; c++) sums[i] += z[i * d + c];
    return sums;
  };
}

export interface Means {
  /** Σ z and Σ w · z over all elements; the means are these by the number of elements. */
  readonly before: number;
  readonly after: number;
  /**
   * before / after; exactly 1 where all weights are 1. Negative where the weights turn the sign of the mean, huge where it
   * comes near 0; ±Infinity where it is 0, NaN where both are, as in the original: a caller that shows it checks it.
   */
  readonly ratio: number;
}

/** Takes the means of some chunks together. */
export function sharedMeans(chunks: readonly WeightedChunk[], sumsOf: RowSumsOf): Means {
  let before = 0;
  let after = 0;
  for (const { pass, perTokenWeights } of chunks) {
    const sums = sumsOf(pass);
    for (let i = 0; i < perTokenWeights.length; i++) {
      before += sums[i];
      const weighted = perTokenWeights[i] * sums[i];
      // An infinite weight makes elements of both signs infinite, which have no sum.
      after += Number.isFinite(weighted) ? weighted : Number.NaN;
    }
  }
  return { before, after, ratio: chunks.some(isWeighted) ? before / after : 1 };
}

/** Names the chunks that a mean is taken over: where nothing weighs, the ratio is 1 and other texts are not read. */
export function meanChunks({ at, chunks }: RestoredMean): readonly WeightedChunk[] {
  return at === null || chunks.some(isWeighted) ? chunks : chunks.slice(0, 1);
}

/** Finds the mean that chunk `at` of a conditioning is multiplied by. */
export function meanAt(means: readonly RestoredMean[], at: number): RestoredMean | undefined {
  return means.find((mean) => mean.at === null || mean.at === at);
}

/** A restored mean before and after weighting. */
export interface MeanChange {
  /** mean(z) and mean(w · z). */
  readonly before: number;
  readonly after: number;
  readonly ratio: number;
  /** Says what they are taken over. */
  readonly over: string;
}

/** Takes the means behind the ratio that chunk `at` of a conditioning is multiplied by; null where none is restored. */
export function meanChange(means: readonly RestoredMean[], at: number, zOf: ZOf): MeanChange | null {
  const mean = meanAt(means, at);
  if (!mean) return null;
  const chunks = meanChunks(mean);
  const count = chunks.reduce((sum, { pass }) => sum + outputOf(pass, zOf).length, 0);
  const { before, after, ratio } = sharedMeans(chunks, rowSumsOf(zOf));
  const ofOne = chunks.length > 1 ? 'this chunk of all texts of the batch' : 'this chunk';
  return {
    before: before / count,
    after: after / count,
    ratio,
    over: mean.at === null ? 'all chunks together' : ofOne,
  };
}
