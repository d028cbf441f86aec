/** Compares the methods on one prompt, with the prompt without weights and with each other. */
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { type Slices, whole } from '../../prompt/slices.ts';
import { applyingMethod, methodPasses, methodRows } from '../apply.ts';
import { distinct, type WeightedPrompt, type ZOf } from '../method.ts';
import { type MethodName, methods } from '../methods.ts';
import { none } from '../none.ts';
import { padded, stackingRows } from '../rows.ts';
import { cosineOf, type RowSums, rowDistance, rowSums } from './rowSums.ts';

/** The distinct passes that the methods and the unweighted conditioning need. */
export function benchPasses(prompt: WeightedPrompt, names: readonly MethodName[]): EncoderPass[] {
  return whole(listingBenchPasses(prompt, names));
}

/** Does the work of `benchPasses` in slices, one for each method. */
export function* listingBenchPasses(prompt: WeightedPrompt, names: readonly MethodName[]): Slices<EncoderPass[]> {
  const passes = methodPasses(none, prompt);
  for (const name of names) {
    yield;
    passes.push(...methodPasses(methods[name], prompt));
  }
  return distinct(passes);
}

/** Changes of the rows of a conditioning, against the same rows without weights. */
export interface RowChanges {
  /** [rows] ‖z‖₂ and ‖z'‖₂. */
  readonly unweightedNorms: Float64Array;
  readonly norms: Float64Array;
  /** [rows] ‖z' − z‖₂. */
  readonly distances: Float64Array;
  /** [rows] NaN if either row is 0. */
  readonly cosines: Float64Array;
  /** [rows] ‖z'‖ / ‖z‖; NaN if both are 0. */
  readonly normRatios: Float64Array;
  /** Rows that differ from the unweighted ones, including those that are not finite. */
  readonly changedRows: readonly number[];
  /** Rows with a value that is not finite: their distances, cosines and ratios are NaN, and no total counts them. */
  readonly nonFiniteRows: readonly number[];
  /** Totals over the finite rows; NaN if there is none. */
  readonly totals: {
    /** ‖Δ‖_F */
    readonly distance: number;
    /** Mean over the rows that have a cosine; NaN if there is none. */
    readonly meanCosine: number;
    /** Ratio of the Frobenius norms. */
    readonly normRatio: number;
  };
}

export interface MethodComparison extends RowChanges {
  readonly name: MethodName;
  /** [rows, d] */
  readonly conditioning: Float32Array;
}

export interface Comparison {
  readonly d: number;
  /** Rows of the longest conditioning, L·n. */
  readonly rows: number;
  /** [rows, d] The encoder's output without weights. */
  readonly unweighted: Float32Array;
  readonly methods: readonly MethodComparison[];
}

/**
 * Compares in float64 the conditionings that the methods return in float32. If a method's has more chunks than the prompt, the
 * others are completed with the empty prompt, as A1111 and Compel do. `zOf` is asked for `benchPasses` only.
 */
export function compareMethods(prompt: WeightedPrompt, zOf: ZOf, names: readonly MethodName[]): Comparison {
  return whole(comparingMethods(prompt, zOf, names));
}

/** Does the work of `compareMethods` in slices. */
export function* comparingMethods(prompt: WeightedPrompt, zOf: ZOf, names: readonly MethodName[]): Slices<Comparison> {
  const { n, rowsOf } = methodRows(none, prompt, zOf);
  const bare = yield* stackingRows(n, (at) => rowsOf(at));
  const L = prompt.empty.inputIds.length;
  const d = bare.length / (L * n);
  const conditionings: Float32Array[] = [];
  for (const name of names) {
    yield;
    conditionings.push(yield* applyingMethod(methods[name], prompt, zOf));
  }
  const length = Math.max(bare.length, ...conditionings.map((z) => z.length));
  const completed = (z: Float32Array) =>
    z.length < length ? Float32Array.from(padded(z, length, zOf(prompt.empty))) : z;
  const unweighted = completed(bare);
  const chunk = (z: Float32Array, at: number) => z.subarray(at * L * d, (at + 1) * L * d);
  const compared: MethodComparison[] = [];
  for (const [i, name] of names.entries()) {
    yield;
    const conditioning = completed(conditionings[i]);
    const pair = (at: number) => [chunk(conditioning, at), chunk(unweighted, at)] as const;
    compared.push({ name, conditioning, ...(yield* comparingRows(length / (L * d), pair, d)) });
  }
  return { d, rows: length / d, unweighted, methods: compared };
}

/** Compares conditionings of as many rows, both [rows, d], in float64. */
export function rowChanges(conditioning: Float32Array, unweighted: Float32Array, d: number): RowChanges {
  return whole(comparingRows(1, () => [conditioning, unweighted], d));
}

/**
 * Does the work of `rowChanges` where the rows of both come in `n` blocks of one size, [rows / n, d]; a slice of the work is a
 * block.
 */
export function* comparingRows(
  n: number,
  blockOf: (at: number) => readonly [conditioning: Float32Array, unweighted: Float32Array],
  d: number,
): Slices<RowChanges> {
  const first = blockOf(0);
  const rows = (n * first[0].length) / d;
  const unweightedNorms = new Float64Array(rows);
  const norms = new Float64Array(rows);
  const distances = new Float64Array(rows);
  const cosines = new Float64Array(rows);
  const normRatios = new Float64Array(rows);
  const changedRows: number[] = [];
  const nonFiniteRows: number[] = [];
  const sums = { rows: 0, change: 0, after: 0, before: 0, cosine: 0, cosines: 0 };
  const compare = (row: number, pair: RowSums) => {
    const { change, a: after, b: before } = pair;
    if (change !== 0) changedRows.push(row);
    unweightedNorms[row] = Math.sqrt(before);
    norms[row] = Math.sqrt(after);
    if (!Number.isFinite(after + before)) {
      nonFiniteRows.push(row);
      distances[row] = cosines[row] = normRatios[row] = Number.NaN;
      return;
    }
    distances[row] = Math.sqrt(change);
    cosines[row] = cosineOf(pair);
    normRatios[row] = Math.sqrt(after / before);
    sums.rows++;
    sums.change += change;
    sums.after += after;
    sums.before += before;
    if (!Number.isNaN(cosines[row])) {
      sums.cosine += cosines[row];
      sums.cosines++;
    }
  };
  for (let at = 0; at < n; at++) {
    if (at > 0) yield;
    const [conditioning, unweighted] = at === 0 ? first : blockOf(at);
    const start = (at * rows) / n;
    for (let row = 0; row < rows / n; row++) compare(start + row, rowSums(conditioning, row, unweighted, row, d));
  }
  return {
    unweightedNorms,
    norms,
    distances,
    cosines,
    normRatios,
    changedRows,
    nonFiniteRows,
    totals: {
      distance: sums.rows > 0 ? Math.sqrt(sums.change) : Number.NaN,
      meanCosine: sums.cosine / sums.cosines,
      normRatio: Math.sqrt(sums.after / sums.before),
    },
  };
}

export interface DifferenceMap {
  /** [rows, d] a − b; not finite where one of them is not. */
  readonly difference: Float32Array;
  /** [rows] ‖a − b‖₂, NaN where the row is not finite. */
  readonly distances: Float64Array;
  readonly nonFiniteRows: readonly number[];
}

/** One conditioning minus another. a, b [rows, d]. */
export function differenceMap(a: Float32Array, b: Float32Array, d: number): DifferenceMap {
  if (a.length !== b.length)
    throw new RangeError(
      `Conditionings of ${a.length / d} and ${b.length / d} rows have no difference: take two of one comparison.`,
    );
  const difference = a.map((value, i) => value - b[i]);
  const distances = new Float64Array(a.length / d);
  const nonFiniteRows: number[] = [];
  for (let row = 0; row < distances.length; row++) {
    distances[row] = rowDistance(a, row, b, row, d);
    if (Number.isNaN(distances[row])) nonFiniteRows.push(row);
  }
  return { difference, distances, nonFiniteRows };
}

export interface RowDisagreement {
  readonly row: number;
  /** The largest distance between two methods whose rows are finite; NaN if there are no two. */
  readonly distance: number;
  /** The two methods at that distance. */
  readonly between: readonly [MethodName, MethodName] | null;
  /** The methods whose row is not finite. */
  readonly nonFinite: readonly MethodName[];
}

export interface MethodDisagreement {
  readonly name: MethodName;
  /** The mean ‖a − b‖_F to each of the other methods, over the rows that are finite in both; NaN if there is none. */
  readonly distance: number;
  readonly nonFiniteRows: number;
}

export interface Disagreement {
  readonly rows: readonly RowDisagreement[];
  readonly methods: readonly MethodDisagreement[];
}

/**
 * Sorts rows by how far the methods disagree in them, and methods by how far they stand from the others, the largest distance
 * first. Rows and methods with values that are not finite come before all others; equals keep their order.
 */
export function disagreement(comparison: Comparison): Disagreement {
  return whole(findingDisagreement(comparison));
}

/** Does the work of `disagreement` in slices. */
export function* findingDisagreement({ methods: compared, rows, d }: Comparison): Slices<Disagreement> {
  const largest = new Float64Array(rows).fill(Number.NaN);
  const between: (readonly [MethodName, MethodName] | null)[] = Array(rows).fill(null);
  const apart = compared.map(() => ({ sum: 0, pairs: 0 }));
  for (let i = 0; i < compared.length; i++)
    for (let j = i + 1; j < compared.length; j++) {
      yield;
      let sum = 0;
      let finite = 0;
      for (let row = 0; row < rows; row++) {
        const gap = rowDistance(compared[i].conditioning, row, compared[j].conditioning, row, d);
        if (Number.isNaN(gap)) continue;
        finite++;
        sum += gap ** 2;
        if (gap <= largest[row]) continue;
        largest[row] = gap;
        between[row] = [compared[i].name, compared[j].name];
      }
      if (finite === 0) continue;
      for (const at of [i, j]) {
        apart[at].sum += Math.sqrt(sum);
        apart[at].pairs++;
      }
    }
  const nonFinite: MethodName[][] = Array.from({ length: rows }, () => []);
  for (const { name, nonFiniteRows } of compared) for (const row of nonFiniteRows) nonFinite[row].push(name);
  return {
    rows: Array.from(largest, (distance, row) => ({
      row,
      distance,
      between: between[row],
      nonFinite: nonFinite[row],
    })).sort((a, b) => b.nonFinite.length - a.nonFinite.length || descending(a.distance, b.distance)),
    methods: compared
      .map(({ name, nonFiniteRows }, i) => ({
        name,
        distance: apart[i].sum / apart[i].pairs,
        nonFiniteRows: nonFiniteRows.length,
      }))
      .sort((a, b) => b.nonFiniteRows - a.nonFiniteRows || descending(a.distance, b.distance)),
  };
}

/** Compares for a descending order with NaN last. */
function descending(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return b - a;
}
