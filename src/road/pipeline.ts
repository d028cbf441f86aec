/**
 * The road, the file to read first:
 *
 *   prompt → fragments → tokens → chunks of ids and weights → masks → passes → *encode* → weighting → promptEmbeds
 *
 * `preparePrompt` goes from the prompt to its passes, by the road of its language ({a1111,compel,comfy}Road.ts).
 * `promptPasses` lists what has to be encoded. Whatever runs the encoder (clip/encoderPass.ts) encodes it. `promptEmbeds`
 * weighs and composes the encoder's output to what the U-Net gets. All but *encode* is pure and synchronous, and a prompt is
 * read once: the linter takes what its language's road has read. The reading of a long prompt may be cut between its stages.
 */

import { basePass, type EncoderPass } from '../clip/encoderPass.ts';
import { promptLoras } from '../prompt/a1111/extraNetworks.ts';
import type { Diagnostic } from '../prompt/ast.ts';
import { holdLength, holdPasses, PromptBoundError } from '../prompt/bounds.ts';
import { byPlace } from '../prompt/diagnostics.ts';
import type { Side } from '../prompt/side.ts';
import { type Slices, whole } from '../prompt/slices.ts';
import type { Syntax } from '../prompt/syntax.ts';
import type { PromptEmbedding } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { appliedWeights, passBound } from '../weighting/apply.ts';
import { distinct, type ZOf } from '../weighting/method.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import { a1111Road } from './a1111Road.ts';
import { comfyRoad } from './comfyRoad.ts';
import { compelRoad } from './compelRoad.ts';
import { composed, compositionPasses, type LazyConditioning, stacking } from './composition.ts';
import type { PromptOptions } from './options.ts';
import { otherTokenizer } from './otherTokenizer.ts';
import type { LanguageRoad, PreparedPrompt, RoadInput, RoadPrompt } from './preparedPrompt.ts';
import { unappliedWeights } from './unappliedWeights.ts';

const roads: Readonly<Record<Syntax, LanguageRoad>> = { a1111: a1111Road, compel: compelRoad, comfy: comfyRoad };

/**
 * Reads, chunks and weighs a prompt. `embeddings` are the textual inversions that it may name. Never throws: what exceeds the
 * bounds is read as the empty prompt, with a diagnostic and a `refusal` that say so.
 */
export function preparePrompt(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side = 'positive',
  embeddings: readonly PromptEmbedding[] = [],
): PreparedPrompt {
  return whole(preparingPrompt(prompt, options, tokenizer, side, embeddings));
}

/** Does the work of `preparePrompt` in slices. */
export function* preparingPrompt(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side,
  embeddings: readonly PromptEmbedding[],
): Slices<PreparedPrompt> {
  const input = { options, tokenizer, side, embeddings };
  return yield* completed(prompt, input, yield* readWithin(prompt, input));
}

/** Prepares the empty prompt in the place of one that could not be read; `refusal` is the sentence that says why. */
export function unreadPrompt(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side,
  refusal: string,
): PreparedPrompt {
  const input = { options, tokenizer, side, embeddings: [] };
  return whole(completed(prompt, input, notRead(prompt, input, refusal)));
}

/** A road's reading, and the sentence that says why it is that of the empty prompt; null where it is the prompt's own. */
interface Reading {
  readonly read: RoadPrompt;
  readonly refusal: string | null;
}

/** Adds what follows from a road's reading of a prompt. */
function* completed(
  prompt: string,
  { options, tokenizer }: RoadInput,
  { read, refusal }: Reading,
): Slices<PreparedPrompt> {
  yield;
  const texts = read.texts.map((text) => ({
    ...text,
    applied: appliedWeights(text.weighted, methods[options.weighting]),
  }));
  yield;
  const unapplied = unappliedWeights(texts, options);
  yield;
  const unlike = otherTokenizer(texts, options, tokenizer);
  yield;
  return {
    ...read,
    source: prompt,
    refusal,
    texts,
    loras: promptLoras(read.networks),
    chunks: read.texts.flatMap(({ chunks, weighted }, text) =>
      chunks.map((chunk, index) => ({ chunk, pass: basePass(weighted.chunks[index].pass), text, index })),
    ),
    diagnostics: [...read.diagnostics, ...unapplied, ...unlike].sort(byPlace),
  };
}

/** Reads a prompt by the road of its language, and the empty prompt in its place where it exceeds a bound. */
function* readWithin(prompt: string, input: RoadInput): Slices<Reading> {
  const { syntax, weighting } = input.options;
  try {
    holdLength(prompt);
    const read = yield* roads[syntax](prompt, input);
    yield;
    const method = methods[weighting];
    holdPasses(
      read.texts.reduce((sum, { weighted }) => sum + passBound(method, weighted), 0),
      method.label,
    );
    return { read, refusal: null };
  } catch (error) {
    if (!(error instanceof PromptBoundError)) throw error;
    return notRead(prompt, input, error.message);
  }
}

/** Reads the empty prompt in the place of one, with the sentence that says why that is not read. */
function notRead(prompt: string, input: RoadInput, message: string): Reading {
  const told: Diagnostic = { code: 'not-read', severity: 'error', start: 0, end: prompt.length, message };
  return { read: { ...whole(roads[input.options.syntax]('', input)), diagnostics: [told] }, refusal: message };
}

/** Lists the passes that a method's conditioning reads. */
export function promptPasses({ conditionings }: PreparedPrompt, method: MethodName): EncoderPass[] {
  return distinct(conditionings.flatMap(({ composition }) => compositionPasses(methods[method], composition)));
}

/**
 * Gives the conditionings, one for each of `prepared.conditionings`, of which a chunk is computed when it is asked for. `zOf` gives
 * the encoder's output of a pass, clip skip applied. It is returned unchanged by `none`, and if nothing is weighted.
 */
export function promptConditionings(
  { conditionings }: Pick<PreparedPrompt, 'conditionings'>,
  zOf: ZOf,
  method: MethodName,
): LazyConditioning[] {
  return conditionings.map(({ composition }) => composed(methods[method], composition, zOf));
}

/** Computes the conditionings whole, [L·n, d]. */
export function promptEmbeds(
  prepared: Pick<PreparedPrompt, 'conditionings'>,
  zOf: ZOf,
  method: MethodName,
): Float32Array[] {
  return promptConditionings(prepared, zOf, method).map((conditioning) => whole(stacking(conditioning)));
}
