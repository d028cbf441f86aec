/** The maps ψ_k of general weighting (eq. 11 to 13) as they are typed: disjoint subsets of the rows, each with an expression. */
import type { Range } from '../prompt/ast.ts';
import { ExpressionError, type RowExpression, rowExpression } from './rowExpression.ts';

/** Rows that follow each other, among those of all chunks, from 0. */
export interface RowInterval {
  readonly first: number;
  readonly last: number;
}

/** A map and the rows that it is for. */
export interface PsiMap extends Range {
  /** Ascending and disjoint. They are as they were typed, and may go far beyond the rows of a prompt. */
  readonly intervals: readonly RowInterval[];
  readonly expression: RowExpression;
  readonly text: string;
}

/** A mistake, and its place in the text. */
export interface PsiProblem extends Range {
  readonly message: string;
}

export interface PsiMaps {
  readonly maps: readonly PsiMap[];
  /** The prompt that `r` is a row of; null where none is given. */
  readonly reference: string | null;
  /** Mistakes; a clause with one has no effect. */
  readonly problems: readonly PsiProblem[];
}

/** The most digits of the number of a row: no prompt has a row with more. */
const mostDigits = 6;

/** A clause that gives the prompt of `r`. */
export const referenceStart = /^\s*r\s*=/;

let lastRead: { readonly text: string; readonly maps: PsiMaps } | undefined;

/**
 * Reads maps: `2-4, 7: z * 1.3; 9: z - proj(z, r); r = a red cat`. Clauses are separated by semicolons or new lines; rows that no
 * clause names stay as they are. A row in two clauses is refused in the second, and so is a second prompt for `r`. The last
 * text's maps are kept: every text of a prompt asks for the same, at every weight that is tried.
 */
export function readPsi(text: string): PsiMaps {
  if (lastRead?.text !== text) lastRead = { text, maps: readMaps(text) };
  return lastRead.maps;
}

function readMaps(text: string): PsiMaps {
  const maps: PsiMap[] = [];
  const problems: PsiProblem[] = [];
  let reference: string | null = null;
  const taken: TakenInterval[] = [];
  for (const { 0: clause, index: start } of text.matchAll(/[^;\n]+/g)) {
    if (clause.trim() === '') continue;
    const range = { start, end: start + clause.length };
    const [head] = referenceStart.exec(clause) ?? [];
    if (head) {
      const given = clause.slice(head.length).trim();
      if (given === '') problems.push({ ...range, message: 'The text of the other prompt is missing: r = a red cat' });
      else if (reference !== null)
        problems.push({
          ...range,
          message: `r is a row of “${shortened(reference)}” already: there is one other prompt.`,
        });
      else reference = given;
      continue;
    }
    const colon = clause.indexOf(':');
    if (colon < 0) {
      problems.push({ ...range, message: 'A map is written as rows, a colon and an expression: 2-4: z * 1.3' });
      continue;
    }
    const rowsRange = { start, end: start + colon };
    const intervals = readRows(clause.slice(0, colon));
    if (typeof intervals === 'string') {
      problems.push({ ...rowsRange, message: intervals });
      continue;
    }
    const overlap = overlapOf(intervals, taken);
    if (overlap) {
      const { row, by } = overlap;
      problems.push({ ...rowsRange, message: `Row ${row} is in “${by}” already: subsets must not overlap.` });
      continue;
    }
    const written = clause.slice(colon + 1);
    try {
      const expression = rowExpression(written);
      const by = shortened(clause.slice(0, colon).trim());
      for (const interval of intervals) taken.splice(placeIn(taken, interval.first), 0, { ...interval, by });
      maps.push({ ...range, intervals, expression, text: written.trim() });
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const from = start + colon + 1;
      const { start: first, end: last } = error.range;
      // Nothing stands at the place of what is missing at the end: the clause is pointed at.
      const place = first < last ? { start: from + first, end: from + last } : range;
      problems.push({ ...place, message: error.message });
    }
  }
  if (reference === null)
    for (const { expression, start, end } of maps)
      if (expression.names.has('r'))
        problems.push({ start, end, message: 'r is a row of another prompt: add its text, as in r = a red cat' });
  return { maps, reference, problems };
}

/** The most characters of a person's text in a message. */
const mostQuoted = 40;
const shortened = (text: string) => (text.length > mostQuoted ? `${text.slice(0, mostQuoted)}…` : text);

/** Reads `2-4, 7`; a sentence where it is no list of rows. */
function readRows(text: string): RowInterval[] | string {
  const typed: RowInterval[] = [];
  for (const part of text.split(',')) {
    const found = /^\s*(\d+)\s*(?:[-–]\s*(\d+)\s*)?$/.exec(part);
    const [first, last] = found ? [found[1], found[2] ?? found[1]] : ['', ''];
    if (!found || Number(first) > Number(last) || Math.max(first.length, last.length) > mostDigits)
      return `“${shortened(part.trim())}” is no row and no range of rows, such as 2 or 2-4.`;
    typed.push({ first: Number(first), last: Number(last) });
  }
  const merged: RowInterval[] = [];
  for (const { first, last } of typed.sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before && first <= before.last + 1)
      merged[merged.length - 1] = { ...before, last: Math.max(before.last, last) };
    else merged.push({ first, last });
  }
  return merged;
}

interface TakenInterval extends RowInterval {
  /** The rows as they were typed. */
  readonly by: string;
}

/** Finds the place of the first interval that ends at a row or after it, among ascending and disjoint ones. */
function placeIn(intervals: readonly RowInterval[], row: number): number {
  let [low, high] = [0, intervals.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (intervals[middle].last < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Finds the first row that is taken already. */
function overlapOf(
  intervals: readonly RowInterval[],
  taken: readonly TakenInterval[],
): { readonly row: number; readonly by: string } | undefined {
  for (const { first, last } of intervals) {
    const other = taken[placeIn(taken, first)];
    if (other && other.first <= last) return { row: Math.max(first, other.first), by: other.by };
  }
  return undefined;
}

/** Lists the rows of intervals from `from` up to `to`. */
export function rowsWithin(intervals: readonly RowInterval[], from: number, to: number): number[] {
  return intervals.flatMap(({ first, last }) => {
    const start = Math.max(first, from);
    const end = Math.min(last + 1, to);
    return start < end ? Array.from({ length: end - start }, (_, i) => start + i) : [];
  });
}

/** Writes rows as they are typed: `2-4, 7`. */
export function writtenRows(intervals: readonly RowInterval[]): string {
  return intervals.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}

/** Finds the rows of maps that prompts of at most `count` rows do not have. */
export function missingRows({ maps }: PsiMaps, count: number): PsiProblem[] {
  return maps.flatMap(({ intervals, start, end }) => {
    const missing = intervals
      .filter(({ last }) => last >= count)
      .map(({ first, last }) => ({ first: Math.max(first, count), last }));
    if (missing.length === 0) return [];
    const isOne = missing.length === 1 && missing[0].first === missing[0].last;
    const named = `${isOne ? 'is no row' : 'are no rows'} ${shortened(writtenRows(missing))}`;
    return [{ start, end, message: `There ${named} here: the last row of the prompts is ${count - 1}.` }];
  });
}

/** Finds the maps whose results have infinite numbers, or none at all, in these rows. */
export function nonFiniteMaps({ maps }: PsiMaps, nonFiniteRows: readonly number[]): PsiProblem[] {
  return maps.flatMap(({ intervals, start, end }) => {
    const row = nonFiniteRows.find((row) => intervals.some(({ first, last }) => first <= row && row <= last));
    if (row === undefined) return [];
    const message = `The result is not finite in row ${row}: something is divided by 0, or grows too large.`;
    return [{ start, end, message }];
  });
}

/** Takes a map out of the text that it was read from. */
export function withoutMap(text: string, { start, end }: PsiMap): string {
  // The sign that separates the map from the next one goes with it.
  return (text.slice(0, start) + text.slice(end + 1)).trim().replace(/;$/, '');
}
