import { readSteps } from '../../pictures/promptSteps.ts';
import type { PreparedPrompt } from '../../road/preparedPrompt.ts';
import type { ReadingInput } from '../facts.ts';
import { memoised } from '../memoised.ts';
import { isLong, prepared, type ReadingFacts, readingInput } from '../reading.ts';

const alone = memoised((reading: PreparedPrompt): readonly PreparedPrompt[] => [reading]);
const ofSteps = memoised(
  (
    prompt: string,
    options: ReadingInput['options'],
    tokenizer: ReadingInput['tokenizer'],
    embeddings: ReadingInput['embeddings'],
  ): readonly PreparedPrompt[] => {
    const { readings, readingOf } = readSteps(prompt, options, tokenizer, 'positive', embeddings);
    // The last step's comes last, also where an earlier step has the same text.
    const last = readings[readingOf.at(-1)!];
    return [...readings.filter((reading) => reading !== last), last];
  },
);

/**
 * Gives each reading that the positive prompt has in a sampler's steps once, that of the last step at the end; a long prompt's on show
 * alone. Undefined as `prepared` is.
 */
export function readingsOfSteps(facts: ReadingFacts): readonly PreparedPrompt[] | undefined {
  const reading = prepared(facts, 'positive');
  const input = readingInput(facts, 'positive');
  if (!reading || !input) return undefined;
  const isScheduled = reading.texts.some(({ steps }) => steps.length > 1);
  if (!isScheduled || isLong(input.prompt)) return alone(reading);
  return ofSteps(input.prompt, input.options, input.tokenizer, input.embeddings);
}
