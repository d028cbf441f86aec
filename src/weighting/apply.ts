/** Everything that follows from a method's value: its passes, its conditioning, each row of it, and its rows as sums. */
import type { EncoderPass } from '../clip/encoderPass.ts';
import { type Slices, whole } from '../prompt/slices.ts';
import { outputOf } from './derivedPass.ts';
import { meanAt, meanChunks, type RowSumsOf, rowSumsOf, sharedMeans } from './means.ts';
import {
  batchLength,
  completed,
  isWeighted,
  type Method,
  passesRead,
  type RestoredMean,
  unweighted,
  type Version,
  type WeightedChunk,
  type WeightedPrompt,
  type WordChange,
  type ZOf,
} from './method.ts';
import { concatenate, moved, stackingRows, weightedSum } from './rows.ts';

/** A method with a prompt in it. */
export interface Weighing {
  /** Each with all n chunks. */
  readonly versions: readonly Version[];
  readonly means: readonly RestoredMean[];
  readonly wordChanges: readonly WordChange[];
  readonly empty: EncoderPass;
  /** The number of chunks of the conditioning. */
  readonly n: number;
}

export function weighing(method: Method, prompt: WeightedPrompt): Weighing {
  const versions = method.versions(prompt);
  const n = Math.max(batchLength(prompt), ...versions.map(({ chunks }) => chunks.length));
  return {
    versions: versions.map((version) => ({ ...version, chunks: completed(version.chunks, n, prompt) })),
    means: method.means?.(prompt) ?? [],
    wordChanges: method.wordChanges?.(prompt) ?? [],
    empty: prompt.empty,
    n,
  };
}

/** A prompt of two words, of which the first weighs 2: what a method makes of it tells whether it applies weights. */
const weightedWord: WeightedPrompt = (() => {
  const pass: EncoderPass = { inputIds: new Uint32Array(4), causal: true, keyMask: new Uint8Array(4).fill(1) };
  const chunk = { pass, perTokenWeights: Float64Array.of(1, 2, 1, 1), wordIds: Uint32Array.of(0, 1, 2, 0) };
  return { chunks: [chunk], empty: pass, downweighted: [] };
})();

/** Says whether no weight of a prompt changes a row by a method. */
export function leavesRows(method: Method, prompt: WeightedPrompt): boolean {
  const versions = method.versions(prompt);
  // Most methods are told by this alone, before the chunks of other versions are made.
  if (versions.length > 1 || versions[0].share !== 1 || versions[0].chunks.some(isWeighted)) return false;
  const means = method.means?.(prompt) ?? [];
  return (method.wordChanges?.(prompt) ?? []).length === 0 && !means.some(({ chunks }) => chunks.some(isWeighted));
}

/** Says whether a method does anything with weights at all. */
export function appliesWeights(method: Method): boolean {
  return !leavesRows(method, weightedWord);
}

/** [chunks][L] Gives the weights of a prompt that a method applies: 1 throughout where it leaves every row as it is. */
export function appliedWeights(prompt: WeightedPrompt, method: Method): readonly Float64Array[] {
  const { chunks } = prompt;
  const applied = chunks.some(isWeighted) && leavesRows(method, prompt) ? chunks.map(unweighted) : chunks;
  return applied.map(({ perTokenWeights }) => perTokenWeights);
}

/** Lists what has to be encoded for a method: what `applyMethod` reads. */
export function methodPasses(method: Method, prompt: WeightedPrompt): EncoderPass[] {
  return passesRead((zOf) => applyMethod(method, prompt, zOf));
}

/** Counts the passes that a method may read at most, without making what it reads them for. */
export function passBound(method: Method, prompt: WeightedPrompt): number {
  const others = (method.means?.(prompt) ?? []).reduce((sum, { chunks }) => sum + chunks.length - 1, 0);
  const words = method.wordChanges?.(prompt) ?? [];
  // Made of other passes, an output takes no more of them than it has rows.
  const ofChunks = prompt.chunks.reduce((sum, { pass }) => sum + (pass.derived ? pass.inputIds.length : 1), 0);
  return method.versions(prompt).length * ofChunks + others + words.length + 1;
}

function readsEmpty({ base }: Version, chunk: WeightedChunk): boolean {
  return base === 'empty' && isWeighted(chunk);
}

/** A prompt's rows by a method, of which no more are computed than are asked for. */
export interface MethodRows {
  /** The number of chunks. */
  readonly n: number;
  /** Computes rows of a chunk in float64, [to − from, d]; all of them where no range is given. */
  rowsOf(at: number, from?: number, to?: number): Float64Array;
}

/** Weighs a prompt from the outputs for `methodPasses` alone. */
export function methodRows(method: Method, prompt: WeightedPrompt, zOf: ZOf): MethodRows {
  const made = weighing(method, prompt);
  const L = prompt.empty.inputIds.length;
  const ratioAt = meanRatios(made, rowSumsOf(zOf));
  return { n: made.n, rowsOf: (at, from = 0, to = L) => weighedRows(made, { at, from, to }, ratioAt(at), zOf) };
}

/** Computes the conditioning [L·n, d] in float64, from the outputs for `methodPasses` alone. */
export function applyMethod(method: Method, prompt: WeightedPrompt, zOf: ZOf): Float32Array {
  return whole(applyingMethod(method, prompt, zOf));
}

/** Does the work of `applyMethod` in slices. */
export function applyingMethod(method: Method, prompt: WeightedPrompt, zOf: ZOf): Slices<Float32Array> {
  const { n, rowsOf } = methodRows(method, prompt, zOf);
  return stackingRows(n, (at) => rowsOf(at));
}

/** Rows of chunk `at` of a conditioning: from `from` up to `to`. */
export interface RowRange {
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/** Gives the ratio that a chunk is multiplied by, computed when it is asked for; undefined where no mean is restored. */
function meanRatios({ means }: Weighing, sumsOf: RowSumsOf): (at: number) => number | undefined {
  const ratios = new Map<RestoredMean, number>();
  return (at) => {
    const mean = meanAt(means, at);
    if (!mean) return undefined;
    const ratio = ratios.get(mean) ?? sharedMeans(meanChunks(mean), sumsOf).ratio;
    ratios.set(mean, ratio);
    return ratio;
  };
}

/** Computes some rows of a conditioning, [to − from, d]. */
export function weighedRows(made: Weighing, range: RowRange, ratio: number | undefined, zOf: ZOf): Float64Array {
  const { versions, wordChanges, empty } = made;
  const rows = versions.map((version) => versionRows(version, range, empty, zOf));
  const isWhole = versions.length === 1 && versions[0].share === 1;
  const sum = isWhole ? rows[0] : weightedSum(rows.map((z, i) => ({ factor: versions[i].share, z })));
  for (const change of wordChanges) if (change.at === range.at) addWordChange(sum, change, range, zOf);
  return ratio === undefined ? sum : sum.map((value) => value * ratio);
}

/** Computes some rows of a version, [to − from, d], before they are multiplied by its share. */
export function versionRows(version: Version, range: RowRange, empty: EncoderPass, zOf: ZOf): Float64Array {
  const chunk = version.chunks[range.at];
  const weights = chunk.perTokenWeights.subarray(range.from, range.to);
  const isMoved = version.base === 'empty' && weights.some((weight) => weight !== 1);
  return moved(outputRows(chunk.pass, range, zOf), isMoved ? outputRows(empty, range, zOf) : null, weights);
}

/** Takes some rows of a pass's output, [to − from, d]. */
export function outputRows(pass: EncoderPass, { from, to }: RowRange, zOf: ZOf): Float32Array {
  const z = outputOf(pass, zOf);
  const d = z.length / pass.inputIds.length;
  return z.subarray(from * d, to * d);
}

/** Adds the change to the rows of its word in `sum` [to − from, d]. */
function addWordChange(
  sum: Float64Array,
  { word, chunk, without, factors }: WordChange,
  range: RowRange,
  zOf: ZOf,
): void {
  const z = outputRows(chunk.pass, range, zOf);
  const v = outputRows(without.pass, range, zOf);
  const d = sum.length / (range.to - range.from);
  for (let row = range.from; row < range.to; row++) {
    if (chunk.wordIds[row] !== word) continue;
    const start = (row - range.from) * d;
    for (let i = start; i < start + d; i++) sum[i] += factors[row] * (z[i] - v[i]);
  }
}

/** Row i of a conditioning is Σ factors[i] · z[i mod L] over its summands, z the output for `passes[⌊i / L⌋]`. */
export interface Summand {
  /** [n] */
  readonly passes: readonly EncoderPass[];
  /** [L·n] A factor of 0 needs no z. */
  readonly factors: Float64Array;
}

/**
 * Writes a method as a sum of encoder outputs, which comes to `applyMethod` up to rounding. Asks for row sums only where a
 * mean is restored; the summands whose factors are not 0 need no pass but `methodPasses`.
 */
export function methodSummands(method: Method, prompt: WeightedPrompt, sumsOf: RowSumsOf): Summand[] {
  const made = weighing(method, prompt);
  const ratioAt = meanRatios(made, sumsOf);
  const ratios = Array.from({ length: made.n }, (_, at) => ratioAt(at) ?? 1);
  const { empty } = made;
  const moves = made.versions.flatMap((version): Summand[] => {
    const { share, chunks } = version;
    const own = times(chunks, (weight, at) => share * weight * ratios[at]);
    if (!chunks.some((chunk) => readsEmpty(version, chunk))) return [own];
    const rest = times(chunks, (weight, at) => share * (1 - weight) * ratios[at]);
    return [own, { ...rest, passes: chunks.map(() => empty) }];
  });
  const [{ chunks }] = made.versions;
  return [...moves, ...made.wordChanges.flatMap((change) => wordSummands(change, chunks))];
}

/** Multiplies each chunk by a factor made of a row's weight and the chunk's place. */
function times(chunks: readonly WeightedChunk[], factorOf: (weight: number, at: number) => number): Summand {
  return {
    passes: chunks.map(({ pass }) => pass),
    factors: concatenate(
      chunks.map(({ perTokenWeights }, at) => perTokenWeights.map((weight) => factorOf(weight, at))),
    ),
  };
}

/** Writes a change as factor · z and −factor · v, at the rows of its word among those of all chunks. */
function wordSummands({ word, chunk, at, without, factors }: WordChange, chunks: readonly WeightedChunk[]): Summand[] {
  const own = factors.map((factor, row) => (chunk.wordIds[row] === word ? factor : 0));
  const all = concatenate(chunks.map(({ perTokenWeights }, i) => (i === at ? own : perTokenWeights.map(() => 0))));
  return [
    { passes: chunks.map(() => chunk.pass), factors: all },
    { passes: chunks.map(() => without.pass), factors: all.map((factor) => -factor) },
  ];
}
