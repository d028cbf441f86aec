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
const long = `a detailed painting, ${'red circle, blue square, '.repeat(15)}green triangle
BREAK
navy background, ${'yellow star, pink heart, '.repeat(15)}white moon`;

/** The prompts are of the small model's world, so that its numbers answer them: all but the lecture's, which has words of its own. */
export const examples: readonly Example[] = [
  {
    question: 'Where does “square” look for its colour?',
    work: { prompts: { positive: 'a red circle left of a blue square', negative: '' }, options: a1111 },
    view: 'attention',
  },
  {
    question: 'Why does [red:1.2] vanish?',
    work: { prompts: { positive: 'a [red:1.2] circle', negative: '' }, options: a1111 },
    view: 'answer',
  },
  {
    question: 'What happens to 200 tokens, and what does BREAK do?',
    work: { prompts: { positive: long, negative: 'blurry' }, options: a1111 },
    view: 'tokens',
  },
  {
    question: 'A1111 or ComfyUI: what is ((a:1.2) b:1.1)?',
    work: { prompts: { positive: '((star:1.2) on a navy background:1.1)', negative: '' }, options: a1111 },
    view: 'programs',
  },
  {
    question: 'What does a weight of −1 do?',
    work: { prompts: { positive: 'a photo of a circle, (red:-1)', negative: '' }, options: a1111 },
    view: 'answer',
  },
  {
    question: 'How are two prompts blended?',
    work: {
      prompts: { positive: '("a red circle", "a blue square").blend(0.7, 0.3)', negative: '' },
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
