/** The answer to the first questions about a prompt: what the weights did, what is cut, what another program would read. */
import { type Slices, whole } from '../../prompt/slices.ts';
import type { PreparedPrompt } from '../preparedPrompt.ts';
import { knownWordsText, unknownWords } from './knownWords.ts';
import { chunkSentences, mistakeSentences, programSentences, type Reader } from './readingSentences.ts';
import { type Sentence, sentence } from './sentence.ts';
import { type Conditionings, weightSentences } from './weightSentences.ts';

export interface AnswerInput extends Reader {
  readonly prepared: PreparedPrompt;
  /** The results of promptConditionings; null while nothing is encoded. */
  readonly embeds: Conditionings | null;
  /** The model in use, or how many layers it will have. */
  readonly model: {
    readonly name: string;
    readonly isRandom: boolean;
    /** The ids that it has rows for, where these are not all. */
    readonly knownIds?: ReadonlySet<number>;
  } | null;
  readonly layers: number;
  /** A sentence that says why nothing is encoded; read only where `embeds` is null. */
  readonly hindrance: string;
}

/** Gives the sentences in the order of `sentenceKinds`. */
export function answer(input: AnswerInput): Sentence[] {
  return whole(answering(input));
}

/** Does the work of `answer` in slices. */
export function* answering(input: AnswerInput): Slices<Sentence[]> {
  const { prepared, options } = input;
  if (prepared.refusal) return [sentence('mistakes', prepared.refusal)];
  const weights = yield* weightSentences(input);
  yield;
  const chunks = chunkSentences(prepared, options);
  yield;
  const otherPrograms = yield* programSentences(prepared, input);
  yield;
  return [...weights, ...chunks, ...otherPrograms, ...mistakeSentences(prepared), ...modelSentences(input)];
}

function modelSentences({ prepared, embeds, model, hindrance, tokenizer }: AnswerInput): Sentence[] {
  if (!embeds || !model) return [sentence('model', `No numbers yet: ${hindrance}`)];
  const { name, isRandom, knownIds } = model;
  if (knownIds)
    return [
      sentence('model', `The numbers are those of a small model of coloured shapes (${name}), not Stable Diffusion’s.`),
      sentence('model', knownWordsText(knownIds, unknownWords(prepared, knownIds, tokenizer)), [], { view: 'tokens' }),
    ];
  if (!isRandom) return [sentence('model', `The numbers are those of ${name}.`)];
  return [
    sentence(
      'model',
      `The weights of this encoder are made up: the numbers show how weighing works, not what a trained encoder makes of these words.`,
    ),
  ];
}
