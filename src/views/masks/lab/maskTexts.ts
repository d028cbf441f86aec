/** Sentences of the mask lab about its numbers. */
import type { RowEffects } from '../../../clip/maskEffects.ts';

/** Writes a share in percent with few digits: 41 %. A change that is not zero is never written as 0. */
export function percent(share: number): string {
  if (Number.isNaN(share)) return 'not a number';
  if (share === Number.POSITIVE_INFINITY) return '∞';
  const hundredths = share * 100;
  if (hundredths === 0) return '0 %';
  if (hundredths < 0.01) return '< 0.01 %';
  const decimals = hundredths < 0.995 ? 2 : hundredths < 9.95 ? 1 : 0;
  return `${hundredths.toFixed(decimals)} %`;
}

interface Run {
  readonly first: number;
  readonly last: number;
}

function runsOf(rows: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (const row of rows) {
    const run = runs.at(-1);
    if (run && run.last === row - 1) runs[runs.length - 1] = { ...run, last: row };
    else runs.push({ first: row, last: row });
  }
  return runs;
}

/** Most runs of rows that are listed; more are counted. */
const mostRuns = 3;

const listed = (parts: readonly string[]) =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;

/** Names rows by number: "row 5", "rows 0 to 2 and 7 to 76". */
function rowsText(rows: readonly number[]): string {
  const runs = runsOf(rows);
  if (runs.length > mostRuns) return `${rows.length} rows`;
  const parts = runs.map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  return `${rows.length === 1 ? 'row' : 'rows'} ${listed(parts)}`;
}

/** Names rows with their first and last token: "rows 0 to 6 (BOS to EOS)". */
function namedRows(rows: readonly number[], names: readonly string[]): string {
  const [run, ...more] = runsOf(rows);
  if (more.length > 0) return rowsText(rows);
  const [first, last] = [names[run.first], names[run.last]];
  return `${rowsText(rows)} (${first === last ? first : `${first} to ${last}`})`;
}

/** Says which rows change, and by how much. `names` [L] are the tokens. */
export function changesText({ changed, largest, largestAt }: RowEffects, names: readonly string[]): string {
  if (largestAt === null) return 'No row changes.';
  const most = `up to ${percent(largest)} at row ${largestAt} (${names[largestAt]})`;
  const rest = [...names.keys()].filter((row) => !changed.includes(row));
  if (rest.length === 0) return `All ${names.length} rows change, ${most}.`;
  const text = `${namedRows(changed, names)} ${changed.length === 1 ? 'changes' : 'change'}, ${most}; ${namedRows(rest, names)} ${rest.length === 1 ? 'does' : 'do'} not.`;
  return text[0].toUpperCase() + text.slice(1);
}

/** Returns the largest change of rows first to end − 1; NaN if one of them is. */
export function largestChange({ relative }: RowEffects, first: number, end: number): number {
  return Math.max(0, ...relative.subarray(first, end));
}

/** Names masked keys: "Key 3 “red” masked". More than `most` are counted. */
export function keysText(keys: readonly number[], names: readonly string[], most: number): string {
  if (keys.length > most) return `${keys.length} keys masked`;
  return `${keys.length === 1 ? 'Key' : 'Keys'} ${listed(keys.map((key) => `${key} ${names[key]}`))} masked`;
}

/** Says what is known before anything is encoded. `keys` may be in any order, but not empty. */
export function reachText(keys: readonly number[], causal: boolean, keyMask: Uint8Array): string {
  if (keys.every((key) => keyMask[key] === 0))
    return `The mask chosen hides ${keys.length === 1 ? 'this key' : 'these keys'} already.`;
  if (!causal) return 'Without a causal mask every row sees these keys, those before them too.';
  const first = Math.min(...keys.filter((key) => keyMask[key] !== 0));
  if (first === 0) return 'Every row sees BOS, and may change.';
  return `Rows before ${first} cannot change: under a causal mask no row sees a key that comes after it.`;
}
