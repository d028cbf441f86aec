import { type Method, wholePrompt } from './method.ts';

/** Eq. (14) and A1111's "No norm": each row times its weight. */
export const scale = {
  name: 'scale',
  label: 'A1111 No norm',
  help: 'A1111’s “No norm”, and equation 14 of the lecture that Anatomy numbers: each row times its weight and nothing else, z′ = w·z.',
  source: 'the lecture, eq. (14); stable-diffusion-webui 1.10, emphasis “No norm”',
  formula: 'z′ = w · z',
  family: 'a1111',
  normalises: false,
  isChecked: true,
  versions: ({ chunks }) => wholePrompt('zero', chunks),
} as const satisfies Method;
