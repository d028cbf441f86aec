/** Sweeps the weight of one span of a prompt, and compares what the methods make of its rows. */
import { type EncoderPass, passKey } from '../../clip/encoderPass.ts';
import { type Slices, whole } from '../../prompt/slices.ts';
import { methodSummands, type Summand } from '../../weighting/apply.ts';
import { outputOf } from '../../weighting/derivedPass.ts';
import { meanChunks, type RowSumsOf, rowSumsOf, sharedMeans } from '../../weighting/means.ts';
import {
  type Downweighted,
  distinct,
  maskedRows,
  type WeightedChunk,
  type WeightedPrompt,
  type ZOf,
} from '../../weighting/method.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { none } from '../../weighting/none.ts';
import { listingBenchPasses } from '../../weighting/study/compareMethods.ts';
import { clamped } from '../../weighting/study/rowSums.ts';
import { withoutKeys, withoutRows } from '../weightedPrompt.ts';

/**
 * The prompt with another weight on some of its rows (among those of all chunks). Below 1 they are one fragment that Compel's
 * methods mask or remove within its chunk; other light fragments stay light. The result equals that of `weightedPrompt`. A
 * prompt of `compelPrompt` is better made anew, because Compel splits and cuts the prompt again without the fragment.
 */
export function withSpanWeight(prompt: WeightedPrompt, rows: readonly number[], weight: number): WeightedPrompt {
  const L = prompt.empty.inputIds.length;
  const count = L * prompt.chunks.length;
  for (const row of rows)
    if (!Number.isInteger(row) || row < 0 || row >= count)
      throw new RangeError(`The prompt has no row ${row} to weigh: take rows from 0 to ${count - 1}.`);
  const span = new Set(rows);
  const chunks = prompt.chunks.map((chunk, at) => ({
    ...chunk,
    perTokenWeights: chunk.perTokenWeights.map((own, row) => (span.has(at * L + row) ? weight : own)),
  }));
  const without = (part: ReadonlySet<number>, partWeight: number): Downweighted => {
    const taken = (change: (chunk: WeightedChunk, isTaken: (row: number) => boolean) => WeightedChunk) =>
      chunks.map((chunk, at) => change(chunk, (row) => part.has(at * L + row)));
    return {
      weight: partWeight,
      masked: taken(withoutKeys),
      removed: taken((chunk, isTaken) => withoutRows(chunk, isTaken, prompt.empty)),
    };
  };
  const others = prompt.downweighted.map((fragment) => ({
    weight: fragment.weight,
    rows: new Set(maskedRows(prompt, fragment).filter((row) => !span.has(row))),
  }));
  const light = [...others, ...(weight < 1 ? [{ weight, rows: span }] : [])]
    .filter((part) => part.rows.size > 0)
    .sort((a, b) => Math.min(...a.rows) - Math.min(...b.rows));
  return { ...prompt, chunks, downweighted: light.map((part) => without(part.rows, part.weight)) };
}

/** Everything that has to be encoded for all the weights together: only the order of the weights counts, not their values. */
export function sweepPasses(
  promptAt: (weight: number) => WeightedPrompt,
  weights: readonly number[],
  names: readonly MethodName[],
): EncoderPass[] {
  return whole(listingSweepPasses(promptAt, weights, names));
}

/** Does the work of `sweepPasses` in slices, of which each makes the prompt at one weight or asks one method. */
export function* listingSweepPasses(
  promptAt: (weight: number) => WeightedPrompt,
  weights: readonly number[],
  names: readonly MethodName[],
): Slices<EncoderPass[]> {
  const passes: EncoderPass[] = [];
  for (const weight of weights) {
    const prompt = promptAt(weight);
    yield;
    passes.push(...(yield* listingBenchPasses(prompt, names)));
    yield;
  }
  return distinct(passes);
}

export interface MeanRatios {
  /** The chunk whose mean is restored; null for one mean over all chunks. */
  readonly chunk: number | null;
  /** [weights] mean(z) / mean(z'). */
  readonly ratios: Float64Array;
  /** The weight at which mean(z') is 0 and the ratio infinite; null if there is none, or if nothing is weighted at any weight. */
  readonly meanRoot: number | null;
}

export interface MethodSweep {
  readonly name: MethodName;
  /** [weights] Mean norm of the span's rows; not finite where one is not. */
  readonly norms: Float64Array;
  /** [weights] Mean cosine of the span's rows to the unweighted ones; NaN where a row is 0 or not finite. */
  readonly cosines: Float64Array;
  /** Mean ratios of the span's chunks; empty for methods that restore no mean. */
  readonly means: readonly MeanRatios[];
}

export interface Sweep {
  readonly weights: readonly number[];
  /** Mean norm of the span's rows as the encoder gives them. */
  readonly unweightedNorm: number;
  readonly methods: readonly MethodSweep[];
}

/**
 * Computes norms and cosines of a span's rows by each method at each weight. `promptAt` gives the prompt with the span at a
 * weight, with the same tokens in the same rows (`withSpanWeight`, or a prompt made anew). `zOf` is asked for `sweepPasses`
 * only. A row of a method is a sum over passes (`methodSummands`), so norms and cosines follow from scalar products of the
 * passes' rows, and each product is computed once. Throws RangeError without a row or a weight.
 */
export function sweep(...of: Parameters<typeof sweeping>): Sweep {
  return whole(sweeping(...of));
}

/** Does the work of `sweep` in slices. */
export function* sweeping(
  promptAt: (weight: number) => WeightedPrompt,
  rows: readonly number[],
  zOf: ZOf,
  weights: readonly number[],
  names: readonly MethodName[],
): Slices<Sweep> {
  if (rows.length === 0 || weights.length === 0)
    throw new RangeError('A sweep needs one row and one weight at least: choose some text of the prompt.');
  const prompts: WeightedPrompt[] = [];
  for (const weight of weights) {
    prompts.push(promptAt(weight));
    yield;
  }
  const L = prompts[0].empty.inputIds.length;
  const sumsOf = remembered(rowSumsOf(zOf));
  const products = rowProducts(rows, L, zOf);
  const bare = products.sumsAt(methodSummands(none, prompts[0], sumsOf));
  const bareNorms = bare.map((sum, i) => Math.sqrt(products.product(sum, sum, i)));
  const swept: MethodSweep[] = [];
  for (const name of names) {
    const norms = new Float64Array(weights.length);
    const cosines = new Float64Array(weights.length);
    for (const [at, prompt] of prompts.entries()) {
      yield;
      const sums = products.sumsAt(methodSummands(methods[name], prompt, sumsOf));
      // Rounding can leave a sum that cancels below 0.
      const ofRows = sums.map((sum, i) => Math.sqrt(Math.max(0, products.product(sum, sum, i))));
      norms[at] = mean(ofRows);
      cosines[at] = mean(sums.map((sum, i) => clamped(products.product(sum, bare[i], i) / (ofRows[i] * bareNorms[i]))));
    }
    swept.push({ name, norms, cosines, means: yield* findingMeanRatios(name, promptAt, prompts, rows, sumsOf) });
  }
  return { weights, unweightedNorm: mean(bareNorms), methods: swept };
}

/** A row as a sum of passes' rows: number of the pass → factor. */
type RowSum = ReadonlyMap<number, number>;

/** The rows of sums of passes, and the scalar products of such rows. Each pass is looked up once, each product taken once. */
function rowProducts(rows: readonly number[], L: number, zOf: ZOf) {
  const numberOf = new Map<string, number>();
  const known = new Map<EncoderPass, number>();
  const outputs: Float32Array[] = [];
  const taken = rows.map(() => new Map<number, Map<number, number>>());

  function numbered(pass: EncoderPass): number {
    const before = known.get(pass) ?? numberOf.get(passKey(pass));
    const number = before ?? outputs.push(outputOf(pass, zOf)) - 1;
    known.set(pass, number);
    if (before === undefined) numberOf.set(passKey(pass), number);
    return number;
  }

  function productOf(a: number, b: number, i: number): number {
    if (a > b) return productOf(b, a, i);
    const ofA = taken[i].get(a) ?? new Map<number, number>();
    taken[i].set(a, ofA);
    const before = ofA.get(b);
    if (before !== undefined) return before;
    const [u, v] = [outputs[a], outputs[b]];
    const d = u.length / L;
    const from = (rows[i] % L) * d;
    let sum = 0;
    for (let c = from; c < from + d; c++) sum += u[c] * v[c];
    ofA.set(b, sum);
    return sum;
  }

  return {
    /** [rows] */
    sumsAt: (all: readonly Summand[]): RowSum[] =>
      rows.map((row) => {
        const sum = new Map<number, number>();
        for (const { passes, factors } of all) {
          if (factors[row] === 0) continue;
          const pass = numbered(passes[Math.floor(row / L)]);
          sum.set(pass, (sum.get(pass) ?? 0) + factors[row]);
        }
        return sum;
      }),
    /** a · b at the ith of the rows. */
    product: (a: RowSum, b: RowSum, i: number): number => {
      let sum = 0;
      for (const [p, u] of a) for (const [q, v] of b) sum += u * v * productOf(p, q, i);
      return sum;
    },
  };
}

function remembered<T>(read: (pass: EncoderPass) => T): (pass: EncoderPass) => T {
  const values = new Map<string, T>();
  return (pass) => {
    const key = passKey(pass);
    const value = values.get(key) ?? read(pass);
    values.set(key, value);
    return value;
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function* findingMeanRatios(
  name: MethodName,
  promptAt: (weight: number) => WeightedPrompt,
  prompts: readonly WeightedPrompt[],
  rows: readonly number[],
  sumsOf: RowSumsOf,
): Slices<MeanRatios[]> {
  const { means: meansOf } = methods[name];
  if (!meansOf) return [];
  const L = prompts[0].empty.inputIds.length;
  const spanChunks = new Set(rows.map((row) => Math.floor(row / L)));
  const all = prompts.map(meansOf);
  const found: MeanRatios[] = [];
  for (const [i, { at }] of all[0].entries()) {
    if (at !== null && !spanChunks.has(at)) continue;
    const chunks = all.map((means) => meanChunks(means[i]));
    const isRead = chunks.some(({ length }) => length === all[0][i].chunks.length);
    const ratios = new Float64Array(chunks.length);
    for (const [weight, read] of chunks.entries()) {
      yield;
      ratios[weight] = sharedMeans(read, sumsOf).ratio;
    }
    yield;
    const root = isRead ? meanRoot((weight) => meansOf(promptAt(weight))[i].chunks, sumsOf) : null;
    found.push({ chunk: at, ratios, meanRoot: root });
  }
  return found;
}

/**
 * The weights between which mean(z') is less than a tenth of mean(z), so that rows grow more than tenfold; null if there are
 * none. mean(z') is linear in the weight, so any one ratio tells how wide this band is.
 */
export function meanBand(
  { ratios, meanRoot }: MeanRatios,
  weights: readonly number[],
): { readonly from: number; readonly to: number } | null {
  if (meanRoot === null) return null;
  const at = weights.findIndex((weight, i) => weight !== meanRoot && Number.isFinite(ratios[i]));
  if (at < 0 || ratios[at] === 0) return null;
  const half = Math.abs(ratios[at] * (weights[at] - meanRoot)) / 10;
  return { from: meanRoot - half, to: meanRoot + half };
}

/**
 * The weight at which Σ wᵢ zᵢ over all elements of some chunks is 0; null if the sum does not depend on the weight. Each wᵢ is
 * linear in the weight and so is the sum: its values at 0 and 1 give its root.
 */
function meanRoot(chunksAt: (weight: number) => readonly WeightedChunk[], sumsOf: RowSumsOf): number | null {
  const { after: constant } = sharedMeans(chunksAt(0), sumsOf);
  const ones = chunksAt(1);
  const slope = sharedMeans(
    chunksAt(0).map((chunk, at) => ({
      ...chunk,
      perTokenWeights: ones[at].perTokenWeights.map((weight, row) => weight - chunk.perTokenWeights[row]),
    })),
    sumsOf,
  ).after;
  return slope === 0 ? null : -constant / slope;
}
