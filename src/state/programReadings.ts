/** The prompt on show in A1111, Compel and ComfyUI, each by its own ways. */

import type { EncoderPass } from '../clip/encoderPass.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { Side } from '../prompt/side.ts';
import type { Slices } from '../prompt/slices.ts';
import type { PromptOptions } from '../road/options.ts';
import { promptEmbeds, promptPasses } from '../road/pipeline.ts';
import {
  type PairDifference,
  type ProgramPair,
  type ProgramReadings,
  pairDifference,
  readingPrograms,
} from '../road/study/programs.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { distinct, type ZOf } from '../weighting/method.ts';
import { ownMethod } from '../weighting/methods.ts';
import { encodedZ } from './encoded.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { isLong, usedEmbeddings } from './reading.ts';
import { shownConfig } from './shownSizes.ts';

/** Work that reads a prompt as each program. */
export interface ProgramsWork {
  (): Slices<ProgramReadings>;
  readonly isLong: boolean;
}

const workOf = memoised(
  (
    prompt: string,
    options: PromptOptions,
    tokenizer: Tokenizer,
    side: Side,
    embeddings: readonly Embedding[],
  ): ProgramsWork =>
    Object.assign(() => readingPrograms(prompt, options, tokenizer, side, embeddings), { isLong: isLong(prompt) }),
);

/** The work of reading the prompt on show as each program; null until the tokenizer is loaded. */
export function programsWork(facts: Facts): ProgramsWork | null {
  const { tokenizer, prompts, options, side } = facts;
  if (tokenizer.phase !== 'ready') return null;
  return workOf(prompts[side], options, tokenizer.tokenizer, side, usedEmbeddings(facts));
}

const passesOf = memoised(({ readings }: ProgramReadings, pair: ProgramPair) =>
  distinct(pair.flatMap((syntax) => promptPasses(readings[syntax].prepared, ownMethod[syntax]))),
);
const none: readonly EncoderPass[] = [];

/** Lists the passes that the difference of two programs is computed from. */
export function programPasses(study: ProgramReadings | undefined, pair: ProgramPair): readonly EncoderPass[] {
  return study ? passesOf(study, pair) : none;
}

const differenceOf = memoised((study: ProgramReadings, pair: ProgramPair, zOf: ZOf, d: number): PairDifference => {
  const [a, b] = pair.map((syntax) => promptEmbeds(study.readings[syntax].prepared, zOf, ownMethod[syntax]));
  return pairDifference(study, pair, [a, b], d);
});

/** A difference and the readings that it is of. */
export interface ShownDifference {
  readonly study: ProgramReadings;
  readonly pair: ProgramPair;
  readonly difference: PairDifference;
}

const shownOf = memoised(
  (study: ProgramReadings, pair: ProgramPair, difference: PairDifference): ShownDifference => ({
    study,
    pair,
    difference,
  }),
);

/** Compares the conditionings of two programs; undefined while not all that it takes is encoded. */
export function shownDifference(
  facts: Facts,
  study: ProgramReadings | undefined,
  pair: ProgramPair,
): ShownDifference | undefined {
  const zOf = study && encodedZ(facts, passesOf(study, pair));
  return zOf && shownOf(study, pair, differenceOf(study, pair, zOf, shownConfig(facts).hiddenSize));
}
