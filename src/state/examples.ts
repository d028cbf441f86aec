import { defaultOptions } from '../road/options.ts';
import { defaultsOf, lecture } from './presets.ts';
import type { Work } from './remembered.ts';
import type { View } from './view.ts';

/** A puzzle: prompts and options that raise a question, and the view that answers it. */
export interface Example {
  readonly question: string;
  readonly work: Work;
  readonly view: View;
}

const a1111 = defaultOptions;

/** Two hundred tokens in two groups. */
const long = `a detailed landscape, ${'mountains, rivers, '.repeat(22)}forest
BREAK
evening light, ${'clouds, birds, '.repeat(22)}mist`;

export const examples: readonly Example[] = [
  {
    question: 'Why does [red:1.2] vanish?',
    work: { prompts: { positive: 'a [red:1.2] car', negative: '' }, options: a1111 },
    view: 'answer',
  },
  {
    question: 'What happens to 200 tokens, and what does BREAK do?',
    work: { prompts: { positive: long, negative: 'blurry' }, options: a1111 },
    view: 'tokens',
  },
  {
    question: 'A1111 or ComfyUI: what is ((a:1.2) b:1.1)?',
    work: { prompts: { positive: '((castle:1.2) on a hill:1.1)', negative: '' }, options: a1111 },
    view: 'programs',
  },
  {
    question: 'What does a weight of −1 do?',
    work: { prompts: { positive: 'a photo of a car, (red:-1)', negative: '' }, options: a1111 },
    view: 'answer',
  },
  {
    question: 'How are two prompts blended?',
    work: {
      prompts: { positive: '("a red fox", "a grey wolf").blend(0.7, 0.3)', negative: '' },
      options: defaultsOf('compel'),
    },
    view: 'embeddings',
  },
  {
    question: 'The lecture’s cinematic lighting',
    work: {
      prompts: { positive: 'a portrait, (cinematic lighting:1.3), [blurry]', negative: '' },
      options: lecture.options,
    },
    view: 'embeddings',
  },
];
