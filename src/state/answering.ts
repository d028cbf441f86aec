/** Takes from the facts what the answer about the prompt on show is computed from. */
import type { Embedding } from '../models/embeddingFile.ts';
import type { Side } from '../prompt/side.ts';
import type { Slices } from '../prompt/slices.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import { type AnswerInput, answering } from '../road/study/answer.ts';
import type { Sentence } from '../road/study/sentence.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { ZOf } from '../weighting/method.ts';
import type { ModelInfo } from '../worker/messages.ts';
import { encodedZ, unweightedConditioning, weightedConditioning } from './encoded.ts';
import { lostText } from './encoderStatus.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { ownPasses, unweightedMethod } from './passPlan.ts';
import { prepared, usedEmbeddings } from './reading.ts';
import { shownConfig } from './shownSizes.ts';
import { tokenizerOf } from './tokenLabels.ts';

/** Cheap to take at every change; the sentences are computed from it by `answeringPrompt`. */
export interface AnswerFacts extends Omit<AnswerInput, 'embeds' | 'model'> {
  readonly model: ModelInfo | null;
  /** Null where nothing is encoded, for the reason of `hindrance`. */
  readonly zOf: ZOf | null;
}

const answerFacts = memoised(
  (
    shown: PreparedPrompt,
    options: PromptOptions,
    tokenizer: Tokenizer,
    side: Side,
    embeddings: readonly Embedding[],
    model: ModelInfo | null,
    layers: number,
    zOf: ZOf | null,
    hindrance: string,
  ): AnswerFacts => ({ prepared: shown, options, tokenizer, side, embeddings, model, layers, zOf, hindrance }),
);

/** Undefined until the tokenizer is loaded, and while the encoder is at work. */
export function shownAnswer(facts: Facts): AnswerFacts | undefined {
  const { options, side, model } = facts;
  const tokenizer = tokenizerOf(facts);
  const shown = prepared(facts, side);
  if (!shown || !tokenizer) return undefined;
  const zOf = encodedZ(facts, ownPasses(facts, side)) ?? null;
  const hindrance = hindranceOf(facts);
  if (!zOf && hindrance === null) return undefined;
  return answerFacts(
    shown,
    options,
    tokenizer,
    side,
    usedEmbeddings(facts),
    model,
    shownConfig(facts).numHiddenLayers,
    zOf,
    zOf ? '' : (hindrance ?? ''),
  );
}

/** Says why there is no output of the encoder; null while one is on its way. */
function hindranceOf({ noEngine, loading, lost, model, encodeFailure }: Facts): string | null {
  if (noEngine !== null && !loading) return 'the encoder cannot run here.';
  if (lost) return `${lostText(lost).replace(/^./, (first) => first.toLowerCase())}.`;
  if (!model) return loading ? 'the encoder’s weights are on their way.' : 'no model is loaded.';
  return encodeFailure ? `encoding failed: ${encodeFailure.message}` : null;
}

/** The sentences, and what they are about. */
export interface Answered {
  readonly facts: AnswerFacts;
  readonly sentences: readonly Sentence[];
}

/** Answers in slices, between which the page goes on where a prompt has many chunks. */
export function* answeringPrompt(facts: AnswerFacts): Slices<Answered> {
  const { model, zOf, ...rest } = facts;
  const { prepared: shown, options } = rest;
  const embeds = zOf &&
    model && {
      weighted: shown.conditionings.map((conditioning) => weightedConditioning(conditioning, zOf, options.weighting)),
      unweighted: shown.conditionings.map((conditioning) =>
        unweightedConditioning(conditioning, zOf, unweightedMethod),
      ),
      d: model.config.hiddenSize,
    };
  const input = {
    ...rest,
    embeds,
    model: model && { name: model.name, isRandom: model.random, knownIds: model.knownIds },
  };
  return { facts, sentences: yield* answering(input) };
}
