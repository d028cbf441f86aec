import type { Side } from '../../prompt/side.ts';
import type { Slices } from '../../prompt/slices.ts';
import { differenceMap } from '../../weighting/study/compareMethods.ts';
import type { StoredConditioning } from './conditioningFile.ts';
import type { ConditioningRow, ConditioningTensor } from './exportConditioning.ts';

/** A conditioning from a file minus the one of the prompt on the page. */
export interface ConditioningComparison {
  /** Name of the tensor on the page that it was compared with: `prompt_embeds.1`. */
  readonly with: string;
  readonly rows: number;
  readonly d: number;
  /** [rows, d] The conditioning of the prompt on the page. */
  readonly own: Float32Array;
  /** [rows, d] */
  readonly difference: Float32Array;
  /** [rows] ‖a − b‖₂ */
  readonly distances: Float64Array;
  /** The tokens of the prompt on the page. */
  readonly tokens: readonly ConditioningRow[];
  /** Largest magnitude in `difference`; `at` is its place. */
  readonly largest: number;
  readonly at: { readonly row: number; readonly dimension: number };
  /** Mean of the magnitudes in `difference`. */
  readonly mean: number;
}

/** The side of a tensor, read from its name in the file. */
function conditioningSide(name: string): Side {
  return /(^|\.)negative_/.test(name) ? 'negative' : 'positive';
}

/**
 * Compares a stored conditioning with the tensor of `own` that has the same side and part, or says in one sentence why they
 * cannot be compared. `own` is the result of `exportConditioning`. If it was completed to more rows than the file has, only
 * the rows of its tokens are compared. The work is done in slices.
 */
export function* comparingConditioning(
  stored: StoredConditioning,
  own: readonly ConditioningTensor[],
): Slices<ConditioningComparison | string> {
  const side = conditioningSide(stored.name);
  const part = Number(/_embeds\.(\d+)$/.exec(stored.name)?.[1] ?? 0);
  const found = own.filter(({ name }) => name.includes('prompt_embeds') && conditioningSide(name) === side);
  const which = side === 'negative' ? 'negative prompt' : 'prompt';
  if (part >= found.length)
    return `The ${which} here has no part ${part + 1}, so “${stored.name}” has nothing to be compared with.`;
  const { name, shape, data, rows } = found[part];
  const [, length, d] = shape;
  const typed = rows!.findLastIndex((token) => token !== null) + 1;
  if (stored.d !== d || (stored.rows !== length && stored.rows !== typed))
    return `“${stored.name}” has another shape, ${stored.rows} × ${stored.d}; the ${which} here has ${length} × ${d}.`;
  const current = (data as Float32Array).subarray(0, stored.rows * d);
  const { difference, distances } = differenceMap(stored.data, current, d);
  yield;
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
    own: current,
    difference,
    distances,
    tokens: rows!.slice(0, stored.rows),
    largest: Math.abs(difference[at]),
    at: { row: Math.floor(at / d), dimension: at % d },
    mean: sum / difference.length,
  };
}
