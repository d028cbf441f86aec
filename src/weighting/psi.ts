import { type Method, unweighted, wholePrompt } from './method.ts';

/** The most characters of a prompt's maps. */
export const longestPsi = 2_000;

/** General weighting, eq. (11) to (13): a map for each subset of the rows; the rest stays as it is, and typed weights count only as `w`. */
export const psi = {
  name: 'psi',
  label: 'ψ by rows',
  help: 'General weighting, equations 11 to 13 of the lecture that Anatomy numbers: a map of your own for each subset of the rows, and the identity for the rest. Typed weights count only where a map names w.',
  source: 'the lecture, eq. (11) to (13)',
  formula: 'z′ᵢ = ψₖ(zᵢ) for i ∈ Sₖ',
  family: 'plain',
  normalises: false,
  isChecked: false,
  versions: ({ chunks, mapped }) => wholePrompt('zero', (mapped ?? chunks).map(unweighted)),
} as const satisfies Method;
