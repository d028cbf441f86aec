/**
 * The road's result at each step of the sampler. A1111's `[a:b:0.5]` and `[a|b]` have another text in other steps, and its AND has
 * several conditionings at once; the other programs have one conditioning through all steps. d as in clip/config.ts.
 */

import type { EncoderPass } from '../clip/encoderPass.ts';
import { entryAtCall } from '../prompt/a1111/promptSchedule.ts';
import type { Side } from '../prompt/side.ts';
import { whole } from '../prompt/slices.ts';
import { fillerRowsOf, stacking } from '../road/composition.ts';
import { conditioningRows } from '../road/export/exportConditioning.ts';
import { padToEqual, stackParts } from '../road/export/padding.ts';
import type { PromptOptions } from '../road/options.ts';
import { preparePrompt, promptConditionings } from '../road/pipeline.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import type { PromptEmbedding, PromptToken } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { passesRead, type ZOf } from '../weighting/method.ts';
import { methods } from '../weighting/methods.ts';

/** A prompt as it is read at each step. */
export interface SteppedReading {
  /** Each reading once. */
  readonly readings: readonly PreparedPrompt[];
  /** [steps] The index of each step's reading. */
  readonly readingOf: readonly number[];
}

/** The texts that the sampler's call `call`, from 0, has of each part. */
const textsAtCall = ({ texts }: PreparedPrompt, call: number) =>
  JSON.stringify(texts.map(({ steps }) => (steps.length > 0 ? entryAtCall(steps, call).text.text : null)));

/** Reads a prompt for all steps that the options count. */
export function readSteps(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side,
  embeddings: readonly PromptEmbedding[] = [],
): SteppedReading {
  const atStep = (step: number) => preparePrompt(prompt, { ...options, step }, tokenizer, side, embeddings);
  const readings = [atStep(1)];
  const places = new Map([[textsAtCall(readings[0], 0), 0]]);
  const readingOf = Array.from({ length: options.steps }, (_, call) => {
    const key = textsAtCall(readings[0], call);
    const known = places.get(key);
    if (known !== undefined) return known;
    places.set(key, readings.length);
    return readings.push(atStep(call + 1)) - 1;
  });
  return { readings, readingOf };
}

/** Both prompts at each step. */
export type SteppedPrompts = Readonly<Record<Side, SteppedReading>>;

/** Rows of a conditioning, and the token of each: null where a row was added to complete the length. */
export interface ConditionedRows {
  /** [77·n, d] */
  readonly rows: Float32Array;
  /** [77·n] */
  readonly tokens: readonly (PromptToken | null)[];
}

/** The part of a prompt that A1111's AND joins; the whole prompt elsewhere, with a weight of 1. */
export interface ConditionedPart extends ConditionedRows {
  readonly weight: number;
}

/** Everything that the denoiser is told in one step. */
export interface StepConditioning {
  readonly parts: readonly ConditionedPart[];
  readonly negative: ConditionedRows;
}

/**
 * Gives the conditioning of each step [steps]; steps with the same texts share one object. The parts of an AND are made equally long, as
 * A1111 does. A1111 and ComfyUI then sample positive and negative prompt apart; Compel's are made equally long, as Diffusers wants them.
 * `zOf` gives the encoder's output [77, d] of a pass, clip skip applied.
 */
export function stepConditionings(prompts: SteppedPrompts, options: PromptOptions, zOf: ZOf): StepConditioning[] {
  const known = new Map<string, StepConditioning>();
  return prompts.positive.readingOf.map((positive, step) => {
    const negative = prompts.negative.readingOf[step];
    const key = `${positive},${negative}`;
    const conditioning =
      known.get(key) ??
      stepConditioning(prompts.positive.readings[positive], prompts.negative.readings[negative], options, zOf);
    known.set(key, conditioning);
    return conditioning;
  });
}

function stepConditioning(
  positive: PreparedPrompt,
  negative: PreparedPrompt,
  { syntax, weighting }: PromptOptions,
  zOf: ZOf,
): StepConditioning {
  const own = promptConditionings(positive, zOf, weighting);
  const { empty } = positive.conditionings[0].composition;
  const d = own[0].rowsOf(0).length / empty.empty.inputIds.length;
  const apart = [...stackParts(own, d), ...promptConditionings(negative, zOf, weighting)];
  const made = syntax === 'compel' ? padToEqual(apart, syntax, fillerRowsOf(methods[weighting], empty, zOf)) : apart;
  const rowsOf = (prepared: PreparedPrompt, part: number, at: number): ConditionedRows => {
    const rows = whole(stacking(made[at]));
    const tokens = conditioningRows(prepared, part);
    return { rows, tokens: Array.from({ length: rows.length / d }, (_, row) => tokens[row] ?? null) };
  };
  return {
    parts: positive.conditionings.map(({ weight }, part) => ({ weight, ...rowsOf(positive, part, part) })),
    negative: rowsOf(negative, 0, own.length),
  };
}

/** Lists the passes that `stepConditionings` reads. */
export function stepPasses(prompts: SteppedPrompts, options: PromptOptions): EncoderPass[] {
  return passesRead((zOf) => stepConditionings(prompts, options, zOf));
}

/**
 * Picks what a sampler of fewer (or more) calls is told, [calls]. Each call stands for a stretch of the steps, and is told one of the things
 * that the steps of its stretch are told: the one that is most behind its share until now, so that an alternation goes on alternating.
 */
export function atCalls<T>(steps: readonly T[], calls: number): T[] {
  // Counted in parts of a step: a step has `calls` of them, and a stretch as many as there are steps.
  const behind = new Map<T, number>();
  return Array.from({ length: calls }, (_, call) => {
    const [from, to] = [call * steps.length, (call + 1) * steps.length];
    const stretch = new Set<T>();
    for (let step = Math.floor(from / calls); step * calls < to; step++) {
      const share = Math.min(to, (step + 1) * calls) - Math.max(from, step * calls);
      behind.set(steps[step], (behind.get(steps[step]) ?? 0) + share);
      stretch.add(steps[step]);
    }
    const told = [...stretch].reduce((best, one) => (behind.get(one)! > behind.get(best)! ? one : best));
    behind.set(told, behind.get(told)! - steps.length);
    return told;
  });
}
