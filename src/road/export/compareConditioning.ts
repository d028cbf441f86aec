import type { Side } from '../../prompt/side.ts';
import { differenceMap } from '../../weighting/study/compareMethods.ts';
import type { StoredConditioning } from './conditioningFile.ts';
import type { ConditioningRow, ConditioningTensor } from './exportConditioning.ts';

/** A conditioning out of a file minus the one of the prompt here. */
export interface ConditioningComparison {
  /** What it was compared with: `prompt_embeds.1`. */
  readonly with: string;
  readonly rows: number;
  readonly d: number;
  /** [rows, d] */
  readonly difference: Float32Array;
  /** [rows] ‖a − b‖₂ */
  readonly distances: Float64Array;
  /** The tokens of the prompt here. */
  readonly tokens: readonly ConditioningRow[];
  /** In magnitude, and where. */
  readonly largest: number;
  readonly at: { readonly row: number; readonly dimension: number };
  /** Of the magnitudes. */
  readonly mean: number;
}

/** Whose it is, by what the file calls it. */
function conditioningRole(name: string): Side {
  return /(^|\.)negative_/.test(name) ? 'negative' : 'positive';
}

/**
 * Compares with that of `own` which has its role and part, or says in one sentence why it cannot be. `own` is what
 * `exportConditioning` gives: where it was completed to a length that the file does not have, its own rows are taken.
 */
export function compareConditioning(
  stored: StoredConditioning,
  own: readonly ConditioningTensor[],
): ConditioningComparison | string {
  const role = conditioningRole(stored.name);
  const part = Number(/_embeds\.(\d+)$/.exec(stored.name)?.[1] ?? 0);
  const found = own.filter(({ name }) => name.includes('prompt_embeds') && conditioningRole(name) === role);
  const which = role === 'negative' ? 'negative prompt' : 'prompt';
  if (part >= found.length)
    return `The ${which} here has no part ${part + 1}, so “${stored.name}” has nothing to be compared with.`;
  const { name, shape, data, rows } = found[part];
  const [, length, d] = shape;
  const typed = rows!.findLastIndex((token) => token !== null) + 1;
  if (stored.d !== d || (stored.rows !== length && stored.rows !== typed))
    return `“${stored.name}” has another shape, ${stored.rows} × ${stored.d}; the ${which} here has ${length} × ${d}.`;
  const current = (data as Float32Array).subarray(0, stored.rows * d);
  const { difference, distances } = differenceMap(stored.data, current, d);
  let at = 0;
  let sum = 0;
  for (let i = 0; i < difference.length; i++) {
    const magnitude = Math.abs(difference[i]);
    sum += magnitude;
    if (magnitude > Math.abs(difference[at])) at = i;
  }
  return {
    with: name,
    rows: stored.rows,
    d,
    difference,
    distances,
    tokens: rows!.slice(0, stored.rows),
    largest: Math.abs(difference[at]),
    at: { row: Math.floor(at / d), dimension: at % d },
    mean: sum / difference.length,
  };
}
