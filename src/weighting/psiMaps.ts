/** The maps ψ_k of general weighting (eq. 11 to 13) as they are typed: disjoint subsets of the rows, each with an expression. */
import type { Range } from '../prompt/ast.ts';
import { ExpressionError, type RowExpression, rowExpression } from './rowExpression.ts';

/** A map and the rows that it is for. */
export interface PsiMap extends Range {
  /** Ascending, among the rows of all chunks, from 0. */
  readonly rows: readonly number[];
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

/** The largest number of a row. */
const largestRow = 99_999;

/**
 * Reads maps: `2-4, 7: z * 1.3; 9: z - proj(z, r); r = a red cat`. Clauses are separated by semicolons; rows that no clause names
 * stay as they are. A row in two clauses is refused in the second.
 */
export function readPsi(text: string): PsiMaps {
  const maps: PsiMap[] = [];
  const problems: PsiProblem[] = [];
  let reference: string | null = null;
  const taken = new Map<number, string>();
  for (const { 0: clause, index: start } of text.matchAll(/[^;\n]+/g)) {
    if (clause.trim() === '') continue;
    const range = { start, end: start + clause.length };
    const given = /^\s*r\s*=\s*(.*?)\s*$/.exec(clause);
    if (given) {
      reference = given[1];
      continue;
    }
    const colon = clause.indexOf(':');
    if (colon < 0) {
      problems.push({ ...range, message: 'A map is written as rows, a colon and an expression: 2-4: z * 1.3' });
      continue;
    }
    const rows = readRows(clause.slice(0, colon));
    if (typeof rows === 'string') {
      problems.push({ start, end: start + colon, message: rows });
      continue;
    }
    const twice = rows.find((row) => taken.has(row));
    if (twice !== undefined) {
      problems.push({
        start,
        end: start + colon,
        message: `Row ${twice} is in “${taken.get(twice)}” already: subsets must not overlap.`,
      });
      continue;
    }
    const written = clause.slice(colon + 1);
    try {
      const expression = rowExpression(written);
      for (const row of rows) taken.set(row, clause.slice(0, colon).trim());
      maps.push({ ...range, rows, expression, text: written.trim() });
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

/** Reads `2-4, 7`; a sentence where it is no list of rows. */
function readRows(text: string): number[] | string {
  const rows = new Set<number>();
  for (const part of text.split(',')) {
    const found = /^\s*(\d{1,5})\s*(?:[-–]\s*(\d{1,5})\s*)?$/.exec(part);
    const [from, to] = found ? [Number(found[1]), Number(found[2] ?? found[1])] : [1, 0];
    if (from > to || to > largestRow) return `“${part.trim()}” is no row and no range of rows, such as 2 or 2-4.`;
    for (let row = from; row <= to; row++) rows.add(row);
  }
  return [...rows].sort((a, b) => a - b);
}
