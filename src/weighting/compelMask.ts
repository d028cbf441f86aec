import { compelFormula, compelVersions, lambdaTerms } from './compelVersions.ts';
import type { Method } from './method.ts';

/** Compel, the default: a light fragment is masked as keys, and everything stays in its place. */
export const compelMask = {
  name: 'compel-mask',
  label: 'Compel',
  help: 'Compel’s default: each row moves by its weight, e + (z − e)·w, with e the empty prompt’s row; a weight below 1 also mixes in the prompt with the words masked, by tan((1 − w)·π/2).',
  source: 'Compel 2.4, DownweightMode.MASK, its default',
  formula: compelFormula,
  family: 'compel',
  ownOf: 'compel',
  normalises: false,
  isChecked: false,
  versions: (prompt) => compelVersions(prompt, 'masked'),
  terms: lambdaTerms,
} as const satisfies Method;
