import type { StepOptions } from '../prompt/a1111/a1111Prompt.ts';
import { lectureSquareFactor } from '../prompt/a1111/emphasis.ts';
import type { PromptOptions } from './options.ts';

/** Says how A1111's brackets are read by the options. */
export const a1111Brackets = ({
  brackets,
  squareFactor,
}: Pick<PromptOptions, 'brackets' | 'squareFactor'>): Pick<StepOptions, 'emphasis' | 'squareFactor'> => ({
  emphasis: brackets === 'weights',
  ...(squareFactor === '0.9' && { squareFactor: lectureSquareFactor }),
});
