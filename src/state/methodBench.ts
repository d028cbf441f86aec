/** All weighting methods at once, on the text on show: the bench and the sweep. */

import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import { type ReadingDifference, readingDifferences } from '../prompt/across/readings.ts';
import { holdPasses, holdStudied, PromptBoundError } from '../prompt/bounds.ts';
import type { Side } from '../prompt/side.ts';
import type { Slices } from '../prompt/slices.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import { pageChooser } from '../road/comfyRoad.ts';
import { conditioningPlace } from '../road/conditioningPlace.ts';
import type { PromptOptions } from '../road/options.ts';
import { preparingPrompt } from '../road/pipeline.ts';
import type { PreparedChunk, PreparedPrompt, PreparedText } from '../road/preparedPrompt.ts';
import { readingWays } from '../road/readingWays.ts';
import { fragmentRows, typedWithWeight, withFragmentWeight } from '../road/study/fragmentWeight.ts';
import { listingSweepPasses, type Sweep, sweep, sweeping } from '../road/study/sweep.ts';
import { convertingPrompt } from '../tokens/convertPrompt.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { passBound } from '../weighting/apply.ts';
import type { WeightedPrompt, ZOf } from '../weighting/method.ts';
import { methodNames, methods } from '../weighting/methods.ts';
import {
  benchPasses,
  type Comparison,
  comparingMethods,
  findingDisagreement,
  type MethodDisagreement,
} from '../weighting/study/compareMethods.ts';
import { encodedZ } from './encoded.ts';
import type { Facts } from './facts.ts';
import { mostChunksAtOnce, type SlicedWork } from './inSlices.ts';
import { memoised } from './memoised.ts';
import { prepared, shownChunk, usedEmbeddings } from './reading.ts';
import { tokenizerOf } from './tokenLabels.ts';

/** How a language reads the prompt, and what to type there for the weights that it has here. */
export interface Reading {
  readonly syntax: Syntax;
  readonly differences: readonly ReadingDifference[];
  /** The prompt as it is typed in this language; null for the language that it is written in. */
  readonly converted: { readonly text: string; readonly isSame: boolean } | null;
}

/** How the languages read a prompt, and its reading in its own. */
export interface Readings {
  readonly shown: PreparedPrompt;
  readonly readings: readonly Reading[];
}

function* readingLanguages(
  shown: PreparedPrompt,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side,
  embeddings: readonly Embedding[],
): Slices<Readings> {
  const { source } = shown;
  const fragmentsOf = ({ texts }: PreparedPrompt) => texts.flatMap(({ fragments }) => fragments);
  const readings: Reading[] = [];
  for (const syntax of syntaxes) {
    if (syntax === options.syntax) {
      readings.push({ syntax, differences: [], converted: null });
      continue;
    }
    const there = yield* preparingPrompt(source, { ...options, syntax }, tokenizer, side, embeddings);
    yield;
    const ofText = readingDifferences(source, fragmentsOf(shown), fragmentsOf(there));
    yield;
    const differences = [...ofText, ...embeddingDifferences(shown, there)].sort((a, b) => a.start - b.start);
    yield;
    const converted = yield* convertingPrompt(
      source,
      options.syntax,
      syntax,
      tokenizer,
      options.tokenizer,
      side,
      embeddings,
      pageChooser(options, side),
      readingWays(options),
    );
    readings.push({ syntax, differences, converted });
  }
  return { shown, readings };
}

const readingsWorkOf = memoised(
  (...read: Parameters<typeof readingLanguages>) =>
    () =>
      readingLanguages(...read),
);

/** Stretches that one reading takes for text and the other for an embedding, or for another one; a weight of null stands for an embedding. */
function embeddingDifferences(shown: PreparedPrompt, there: PreparedPrompt): ReadingDifference[] {
  const { source } = shown;
  const [own, others] = [placesOf(shown), placesOf(there)];
  const found: { start: number; end: number; here: number | null; there: number | null }[] = [];
  for (let at = 0; at < source.length; at++) {
    const [a, b] = [own[at], others[at]];
    // The comparison of weights has reported what either does not encode.
    if (!a || !b || a.vector === b.vector) continue;
    const [weightHere, weightThere] = [a.vector ? null : a.weight, b.vector ? null : b.weight];
    const last = found.at(-1);
    if (last?.end === at && last.here === weightHere && last.there === weightThere) last.end = at + 1;
    else found.push({ start: at, end: at + 1, here: weightHere, there: weightThere });
  }
  return found.map((difference) => ({ ...difference, text: source.slice(difference.start, difference.end) }));
}

interface Place {
  readonly weight: number;
  /** The first of those that stand for it; null of text. */
  readonly vector: Float32Array | null;
}

/** The place of each UTF-16 unit that was typed, [source.length]; undefined where it is not encoded. */
function placesOf({ source, texts }: PreparedPrompt): (Place | undefined)[] {
  const places: (Place | undefined)[] = Array(source.length).fill(undefined);
  for (const { chunks } of texts)
    for (const { tokens, vectors } of chunks)
      tokens.forEach(({ range, weight, vector }, row) => {
        if (range && !vector?.index) places.fill({ weight, vector: vectors?.get(row) ?? null }, range.start, range.end);
      });
  return places;
}

/** The work of reading the prompt on show in each language; null until it is read in its own. */
export function readingsWork(facts: Facts): (() => Slices<Readings>) | null {
  const shown = prepared(facts, facts.side);
  const tokenizer = tokenizerOf(facts);
  if (!shown || !tokenizer) return null;
  return readingsWorkOf(shown, facts.options, tokenizer, facts.side, usedEmbeddings(facts));
}

/** The text that the chunk on show is part of. */
export function shownText(facts: Facts): PreparedText | undefined {
  const chunk = shownChunk(facts);
  return chunk && prepared(facts, facts.side)?.texts[chunk.text];
}

/** Says why the methods are not compared on a text: the sentence of a bound that it exceeds. Null where they are. */
const refusalOf = memoised(({ weighted }: PreparedText): string | null => {
  try {
    holdStudied(weighted.chunks.length);
    for (const name of methodNames) holdPasses(passBound(methods[name], weighted), methods[name].label);
    return null;
  } catch (error) {
    if (error instanceof PromptBoundError) return error.message;
    throw error;
  }
});

/** Says why the methods are not compared, nor a weight swept, on the text on show; null where they are. */
export function benchRefusal(facts: Facts): string | null {
  const text = shownText(facts);
  return text ? refusalOf(text) : null;
}

const passesOfBench = memoised(({ weighted }: PreparedText) => benchPasses(weighted, methodNames));

/** The passes that the bench has to have encoded. */
export function shownBenchPasses(facts: Facts): readonly EncoderPass[] {
  const text = shownText(facts);
  return text && !refusalOf(text) ? passesOfBench(text) : none;
}
const none: readonly EncoderPass[] = [];

/** Everything that the bench is computed from. */
export interface Bench {
  readonly chunk: PreparedChunk;
  /** The text that the chunk is part of: what the methods weigh. */
  readonly text: PreparedText;
  /** Whether Compel blends the text with others or weighs it as a whole, which the bench leaves out. */
  readonly isPart: boolean;
  readonly zOf: ZOf;
}

const benchOf = memoised(
  (shown: PreparedPrompt, chunk: PreparedChunk, zOf: ZOf): Bench => ({
    chunk,
    text: shown.texts[chunk.text],
    isPart: conditioningPlace(shown, chunk.text, chunk.index).isComposed,
    zOf,
  }),
);

/** Undefined while not all that it takes is encoded, and where `benchRefusal` says why it is left out. */
export function shownBench(facts: Facts): Bench | undefined {
  const shown = prepared(facts, facts.side);
  const chunk = shownChunk(facts);
  if (!shown || !chunk || benchRefusal(facts)) return undefined;
  const zOf = encodedZ(facts, passesOfBench(shown.texts[chunk.text]));
  return zOf && benchOf(shown, chunk, zOf);
}

/** All methods on a text, and in which order they stand: the one furthest from the others first. */
export interface MethodsCompared extends Pick<Bench, 'text' | 'zOf'> {
  readonly comparison: Comparison;
  readonly order: readonly MethodDisagreement[];
}

const comparisonOf = memoised((text: PreparedText, zOf: ZOf): SlicedWork<MethodsCompared> => {
  function* comparing() {
    const comparison = yield* comparingMethods(text.weighted, zOf, methodNames);
    yield;
    const { methods: order } = yield* findingDisagreement(comparison);
    return { text, zOf, comparison, order };
  }
  return Object.assign(comparing, { isLong: text.chunks.length > mostChunksAtOnce });
});

/** The work of comparing the methods on a text. */
export const methodsWork = ({ text, zOf }: Bench): SlicedWork<MethodsCompared> => comparisonOf(text, zOf);

/** [81] From −1 to 3. */
export const sweptWeights: readonly number[] = Array.from({ length: 81 }, (_, i) => (i - 20) / 20);

/** The fragment that is swept, and the work of listing the passes that its sweep takes. */
export interface SweepPlan {
  /** Index into the text's fragments. */
  readonly fragment: number;
  /** Its rows, among those of all chunks of the text. */
  readonly rows: readonly number[];
  readonly promptAt: (weight: number) => WeightedPrompt;
  /** Lists them once: whenever it is done again, its result is the same object. */
  readonly listPasses: SlicedWork<readonly EncoderPass[]>;
}

let lastPlan: { readonly key: string; readonly plan: SweepPlan } | undefined;

const planOf = memoised(
  (
    text: PreparedText,
    fragment: number,
    options: PromptOptions,
    tokenizer: Tokenizer,
    embeddings: readonly Embedding[],
  ): SweepPlan => {
    const promptAt = (weight: number) => withFragmentWeight(text, fragment, weight, options, tokenizer, embeddings);
    // Another weight of what is swept leaves the sweep as it is.
    const rows = fragmentRows(text, fragment);
    const weights = decisiveWeights(text, fragment, options);
    const key = JSON.stringify([fragment, keyOfText(text, fragment), options, weights]);
    if (lastPlan?.key === key) return lastPlan.plan;
    let passes: readonly EncoderPass[] | undefined;
    function* listing() {
      passes ??= yield* listingSweepPasses(promptAt, weights, methodNames);
      return passes;
    }
    const listPasses = Object.assign(listing, { isLong: text.chunks.length > mostChunksAtOnce });
    const plan = { fragment, rows, promptAt, listPasses };
    lastPlan = { key, plan };
    return plan;
  },
);

/** Makes a plan; it is the same object for texts that differ in the weight of the fragment alone. */
function keyOfText({ fragments, weighted: { chunks, batch = [] } }: PreparedText, fragment: number) {
  const typed = fragments.map(({ kind, text, weight }, i) => [kind, text, i === fragment ? null : weight]);
  const others = batch.map((text) => text.map(({ pass, perTokenWeights }) => `${passKey(pass)} ${perTokenWeights}`));
  return [typed, chunks.map(({ pass }) => passKey(pass)), others];
}

/** The weights that need passes of their own: it is their order among the others that counts. */
function decisiveWeights(text: PreparedText, fragment: number, { normalisation }: PromptOptions): readonly number[] {
  // Normalised, the weights of the others move with it.
  if (normalisation !== 'none') return [...sweptWeights, sweepable(text.fragments[fragment].weight)];
  const [first, last] = [sweptWeights[0], sweptWeights[sweptWeights.length - 1]];
  const others = text.chunks.flatMap(({ tokens }) =>
    tokens.filter((token) => token.fragment !== fragment).map(({ weight }) => weight),
  );
  const ends = [...new Set([first, 0, 1, last, ...others])]
    .filter((weight) => first <= weight && weight <= last)
    .sort((a, b) => a - b);
  return ends.flatMap((weight, i) => (i === 0 ? [weight] : [(ends[i - 1] + weight) / 2, weight]));
}

/** A weight within those that are swept. */
export function sweepable(weight: number): number {
  const [first, last] = [sweptWeights[0], sweptWeights[sweptWeights.length - 1]];
  return weight >= first ? Math.min(weight, last) : first;
}

/** Finds the fragment to sweep where nobody chose one: the first that weighs other than 1, else the first with tokens. */
function firstFragment({ chunks }: PreparedText): number | null {
  const tokens = chunks.flatMap((chunk) => chunk.tokens.filter(({ fragment }) => fragment !== null));
  return (tokens.find(({ weight }) => weight !== 1) ?? tokens[0])?.fragment ?? null;
}

/** A fragment that a person chose: it is found again by its text, also where others have come before it. */
export interface ChosenFragment {
  readonly side: Side;
  readonly text: string;
  /** How many fragments of the same text are before it. */
  readonly nth: number;
}

/** The fragments of a text that have tokens and read like this. */
const fragmentsLike = (shown: PreparedText, text: string): number[] =>
  [...shown.fragments.keys()].filter((i) => shown.fragments[i].text === text && fragmentRows(shown, i).length > 0);

/** Describes a fragment of a text, so that it is found again. */
export function chosenFragment(shown: PreparedText, fragment: number, side: Side): ChosenFragment {
  const { text } = shown.fragments[fragment];
  return { side, text, nth: fragmentsLike(shown, text).indexOf(fragment) };
}

/** Finds the chosen fragment in a text; undefined where it is there no more, or has no tokens. */
function indexOfChosen({ nth, text }: ChosenFragment, shown: PreparedText): number | undefined {
  const alike = fragmentsLike(shown, text);
  return alike[nth] ?? alike.at(-1);
}

/** The plan of the chosen fragment in the text on show, or of another where it is not there; undefined where no text is encoded, and where `benchRefusal` says why it is left out. */
export function shownSweepPlan(facts: Facts, chosen: ChosenFragment | null): SweepPlan | undefined {
  const text = shownText(facts);
  const tokenizer = tokenizerOf(facts);
  if (!text || refusalOf(text) || !tokenizer) return undefined;
  const own = chosen?.side === facts.side ? indexOfChosen(chosen, text) : undefined;
  const swept = own ?? firstFragment(text);
  return swept === null ? undefined : planOf(text, swept, facts.options, tokenizer, usedEmbeddings(facts));
}

/** A plan with what it takes. */
export interface ReadySweep {
  readonly plan: SweepPlan;
  readonly passes: readonly EncoderPass[];
  readonly zOf: ZOf;
}

const readySweep = memoised(
  (plan: SweepPlan, passes: readonly EncoderPass[], zOf: ZOf): ReadySweep => ({ plan, passes, zOf }),
);

/** The sweep of a plan with its passes; undefined while they are not listed, or not all encoded. */
export function shownSweep(
  facts: Facts,
  plan: SweepPlan | undefined,
  passes: readonly EncoderPass[] | undefined,
): ReadySweep | undefined {
  const zOf = passes && encodedZ(facts, passes);
  return plan && zOf && readySweep(plan, passes, zOf);
}

/** All methods at all weights, and what they are computed from. */
export interface AllSwept {
  readonly ready: ReadySweep;
  readonly swept: Sweep;
}

/** A sweep of more passes is computed in slices: of one chunk it takes some frames. */
const mostSweptAtOnce = 16;

/** The work of computing all methods at all weights. */
export const sweepWork = memoised((ready: ReadySweep): SlicedWork<AllSwept> => {
  const { plan, passes, zOf } = ready;
  function* computing() {
    return { ready, swept: yield* sweeping(plan.promptAt, plan.rows, zOf, sweptWeights, methodNames) };
  }
  return Object.assign(computing, { isLong: passes.length > mostSweptAtOnce });
});

/** All methods at one weight: one of `sweptWeights`, or that of the prompt. */
export const sweepAt = memoised(
  ({ plan, zOf }: ReadySweep, weight: number): Sweep => sweep(plan.promptAt, plan.rows, zOf, [weight], methodNames),
);

const typedOf = memoised(typedWithWeight);

/** The prompt on show with this weight typed where the plan's is; null where that cannot be. */
export function typedSwept(facts: Facts, plan: SweepPlan, weight: number): string | null {
  const shown = prepared(facts, facts.side);
  const chunk = shownChunk(facts);
  const tokenizer = tokenizerOf(facts);
  if (!shown || !chunk || !tokenizer) return null;
  return typedOf(shown, chunk.text, plan.fragment, weight, facts.options, tokenizer, facts.side);
}
