/** The prompt on show in A1111, Compel and ComfyUI, each by its own ways. */

import type { EncoderPass } from '../clip/encoderPass.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { Side } from '../prompt/side.ts';
import type { PromptOptions } from '../road/options.ts';
import { promptConditionings, promptPasses } from '../road/pipeline.ts';
import {
  comparingPrograms,
  type PairDifference,
  type ProgramPair,
  type ProgramReadings,
  readingPrograms,
} from '../road/study/programs.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { distinct, type ZOf } from '../weighting/method.ts';
import { ownMethod } from '../weighting/methods.ts';
import { encodedZ } from './encoded.ts';
import type { Facts } from './facts.ts';
import { mostChunksAtOnce, type SlicedWork } from './inSlices.ts';
import { memoised } from './memoised.ts';
import { isLong, usedEmbeddings } from './reading.ts';
import { shownConfig } from './shownSizes.ts';
import { tokenizerOf } from './tokenLabels.ts';

const workOf = memoised(
  (
    prompt: string,
    options: PromptOptions,
    tokenizer: Tokenizer,
    side: Side,
    embeddings: readonly Embedding[],
  ): SlicedWork<ProgramReadings> =>
    Object.assign(() => readingPrograms(prompt, options, tokenizer, side, embeddings), { isLong: isLong(prompt) }),
);

/** The work of reading the prompt on show as each program; null until the tokenizer is loaded. */
export function programsWork(facts: Facts): SlicedWork<ProgramReadings> | null {
  const { prompts, options, side } = facts;
  const tokenizer = tokenizerOf(facts);
  if (!tokenizer) return null;
  return workOf(prompts[side], options, tokenizer, side, usedEmbeddings(facts));
}

const passesOf = memoised(({ readings }: ProgramReadings, pair: ProgramPair) =>
  distinct(pair.flatMap((syntax) => promptPasses(readings[syntax].prepared, ownMethod[syntax]))),
);
const none: readonly EncoderPass[] = [];

/** Lists the passes that the difference of two programs is computed from. */
export function programPasses(study: ProgramReadings | undefined, pair: ProgramPair): readonly EncoderPass[] {
  return study ? passesOf(study, pair) : none;
}

/** A difference and the readings that it is of. */
export interface ShownDifference {
  readonly study: ProgramReadings;
  readonly pair: ProgramPair;
  readonly difference: PairDifference;
}

const differenceOf = memoised(
  (study: ProgramReadings, pair: ProgramPair, zOf: ZOf, d: number): SlicedWork<ShownDifference> => {
    const prompts = pair.map((syntax) => study.readings[syntax].prepared);
    function* comparing() {
      const [a, b] = pair.map((syntax, i) => promptConditionings(prompts[i], zOf, ownMethod[syntax]));
      return { study, pair, difference: yield* comparingPrograms(study, pair, [a, b], d) };
    }
    return Object.assign(comparing, { isLong: prompts.some(({ chunks }) => chunks.length > mostChunksAtOnce) });
  },
);

/** The work of comparing the conditionings of two programs; null while not all that it takes is encoded. */
export function differenceWork(
  facts: Facts,
  study: ProgramReadings | undefined,
  pair: ProgramPair,
): SlicedWork<ShownDifference> | null {
  const zOf = study && encodedZ(facts, passesOf(study, pair));
  return zOf ? differenceOf(study, pair, zOf, shownConfig(facts).hiddenSize) : null;
}
