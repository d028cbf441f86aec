import { type Method, unweighted, wholePrompt } from './method.ts';

/** A1111's "Ignore", and its "None" where the brackets were not read as weights: the bare encoder output. */
export const none = {
  name: 'none',
  label: 'A1111 Ignore',
  help: 'A1111’s “Ignore”: weights are read but not applied.',
  source: 'stable-diffusion-webui 1.10, emphasis “Ignore”',
  formula: 'z′ = z',
  family: 'plain',
  normalises: false,
  isChecked: true,
  versions: ({ chunks }) => wholePrompt('zero', chunks.map(unweighted)),
} as const satisfies Method;
