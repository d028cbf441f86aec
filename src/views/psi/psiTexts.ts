/** Maps of rows as the lab writes them. */
import { type PsiMap, type PsiMaps, type RowInterval, referenceStart, writtenRows } from '../../weighting/psiMaps.ts';

export interface MapKind {
  readonly name: string;
  readonly help: string;
  readonly hasAmount: boolean;
  readonly hasOther: boolean;
  expression(amount: number): string;
}

export const mapKinds: readonly MapKind[] = [
  {
    name: 'Scale',
    help: 'Multiplies the rows, as equation 14 and A1111 do.',
    hasAmount: true,
    hasOther: false,
    expression: (amount) => `z * ${amount}`,
  },
  {
    name: 'From the empty prompt',
    help: 'Moves the rows away from the empty prompt’s, as ComfyUI does: 0 is the empty prompt, 1 changes nothing.',
    hasAmount: true,
    hasOther: false,
    expression: (amount) => `empty + ${amount} * (z - empty)`,
  },
  {
    name: 'From the mean',
    help: 'Moves the rows away from the mean of the chunk’s rows: 0 is the mean, 1 changes nothing.',
    hasAmount: true,
    hasOther: false,
    expression: (amount) => `mean + ${amount} * (z - mean)`,
  },
  {
    name: 'Project out another prompt',
    help: 'Takes the part along another prompt’s row at the same place out of each row.',
    hasAmount: false,
    hasOther: true,
    expression: () => 'z - proj(z, r)',
  },
  {
    name: 'Out of context',
    help: 'Takes the rows as they are where they see none but BOS and each other: nothing leaks into them.',
    hasAmount: false,
    hasOther: false,
    expression: () => 'alone',
  },
];

/** Writes row numbers in ranges: `2-4, 7`. */
export function rangesText(rows: readonly number[]): string {
  const intervals: RowInterval[] = [];
  for (const row of rows) {
    const before = intervals.at(-1);
    if (before && row === before.last + 1) intervals[intervals.length - 1] = { ...before, last: row };
    else intervals.push({ first: row, last: row });
  }
  return writtenRows(intervals);
}

export const rowsText = (rows: readonly number[]): string =>
  `${rows.length === 1 ? 'row' : 'rows'} ${rangesText(rows)}`;

/** Adds a map to those that are typed; another prompt takes the place of the one before. */
export function withMap(text: string, rows: readonly number[], expression: string, other: string | null): string {
  const clauses = text
    .split(/[;\n]/)
    .filter((clause) => clause.trim() !== '' && !(other !== null && referenceStart.test(clause)));
  const added = [
    `${rangesText(rows)}: ${expression}`,
    ...(other === null ? [] : [`r = ${other.replace(/[;\n]/g, ' ')}`]),
  ];
  return [...clauses.map((clause) => clause.trim()), ...added].join('\n');
}

/** Finds the map that takes these rows, and no others, alone. */
export function aloneMap({ maps }: PsiMaps, rows: readonly number[]): PsiMap | undefined {
  return maps.find(({ text, intervals }) => text === 'alone' && writtenRows(intervals) === rangesText(rows));
}
