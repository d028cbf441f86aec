import type { Formula } from './formula.ts';

/** A function or constant that computes an equation, and its file, as a path from the project's root. */
export interface Code {
  readonly file: string;
  /** The exported values themselves, by their names: a name that is gone does not compile. */
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Equations of the lecture that are computed in one place. */
export interface LectureRow {
  /** The lecture's numbers, ascending. */
  readonly equations: readonly number[];
  readonly title: string;
  /** The formula as it is computed here. */
  readonly formula: Formula;
  readonly code: readonly Code[];
  /** One or two sentences on how the lecture and the programs differ. */
  readonly difference?: string;
}

/** Numbers as a list of ranges: `24–26, 41`. */
export function equationRanges(equations: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const number of equations) {
    const range = ranges.at(-1);
    if (range && range[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(', ');
}
