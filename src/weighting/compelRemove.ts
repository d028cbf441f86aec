import { compelFormula, compelVersions, lambdaTerms } from './compelVersions.ts';
import type { Method } from './method.ts';

/** Compel's `DownweightMode.REMOVE`: a light fragment is cut out, the rest moved up, and nothing masked at all. */
export const compelRemove = {
  name: 'compel-remove',
  label: 'Compel, REMOVE',
  help: 'Compel with DownweightMode.REMOVE: as Compel, but a weight below 1 mixes in the prompt without the words, in which those after them move up.',
  source: 'Compel 2.4, DownweightMode.REMOVE',
  formula: compelFormula,
  family: 'compel',
  normalises: false,
  isChecked: false,
  versions: (prompt) => compelVersions(prompt, 'removed'),
  terms: lambdaTerms,
} as const satisfies Method;
