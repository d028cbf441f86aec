import { lectureSquareFactor } from '../prompt/a1111/emphasis.ts';
import type { ReadingWays } from '../tokens/convertPrompt.ts';
import type { PromptOptions } from './options.ts';

/** Says how A1111 reads brackets and schedules by the options, and how Compel splits. */
export const readingWays = ({ brackets, squareFactor, steps, timeline, split }: PromptOptions) =>
  ({
    emphasis: brackets === 'weights',
    ...(squareFactor === '0.9' && { squareFactor: lectureSquareFactor }),
    ...{ steps, useOldScheduling: timeline === 'before-1.6', split },
  }) satisfies ReadingWays;
