/** A cell of a spreadsheet; null is an empty one. */
export type CsvValue = string | number | null;

/** Writes a cell, quoted where it must be. A text that a spreadsheet would take for a formula is marked as text. */
export function csvCell(value: CsvValue): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Begins a spreadsheet: programs know UTF-8 by it. */
export const byteOrderMark = '\ufeff';

/** Numbers with a name for each of their rows and columns. */
export interface LabelledTable {
  readonly name: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** [rows][columns]; null where there can be no value. */
  readonly values: readonly (readonly CsvValue[])[];
}

/** Writes tables of any sizes as one of RFC 4180, with a header and then a line for each value. */
export function tablesCsv(tables: readonly LabelledTable[]): string {
  const lines = tables.flatMap(({ name, rows, columns, values }) =>
    rows.flatMap((row, i) => columns.map((column, j) => [name, row, column, values[i][j]])),
  );
  const texts = [['table', 'row', 'column', 'value'], ...lines].map((line) => line.map(csvCell).join(','));
  return `${byteOrderMark}${texts.join('\r\n')}\r\n`;
}
