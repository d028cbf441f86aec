import { byteOrderMark, csvCell } from '../../files/csv.ts';
import type { Slices } from '../../prompt/slices.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import type { ConditioningTensor } from './exportConditioning.ts';

/** Powers of ten that are exact in float64. */
const powers = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** The fewest digits that are the same float32 again: at least six are tried, and never more than nine. */
export function shortest(value: number): string {
  const size = Math.abs(value);
  if (!(size >= 1e-12 && size < 1e6)) return shortestOfTexts(value);
  const firstDigit = Math.floor(Math.log10(size));
  for (let digits = 6; digits <= 9; digits++) {
    // Both are exact, so their quotient is what the digits would be read as.
    const power = powers[digits - 1 - firstDigit];
    const scaled = value * power;
    const whole = Math.round(scaled);
    // The product is rounded: it does not tell on which side of a half it lies.
    if (Math.abs(Math.abs(scaled - whole) - 0.5) < 1e-6) return shortestOfTexts(value);
    const decimal = whole / power;
    if (Math.fround(decimal) === value || digits === 9) return String(decimal);
  }
  return shortestOfTexts(value);
}

/** Does that for any number, in twice the time: a spreadsheet may have 46 million of them. */
function shortestOfTexts(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

/** Lines that are written as one text. */
export const linesAtOnce = 77;

/**
 * Writes a spreadsheet of prompt embeds: a line a row, with its token, weight and norm before its d values. RFC 4180, with a
 * byte order mark, by which spreadsheets know UTF-8. `label` is what a token is called. Gives the texts of a chunk's lines each to
 * `write`: those of a long prompt are 500 MB.
 */
export function* writingCsv(
  tensors: readonly ConditioningTensor[],
  label: (token: PromptToken) => string,
  write: (text: string) => void,
): Slices<void> {
  const embeds = tensors.filter(({ rows }) => rows !== undefined);
  const d = embeds[0].shape[2];
  const head = ['tensor', 'row', 'id', 'token', 'weight', 'norm', ...Array.from({ length: d }, (_, i) => `d${i}`)];
  let lines = [`${byteOrderMark}${head.join(',')}`];
  const flush = () => {
    write(`${lines.join('\r\n')}\r\n`);
    lines = [];
  };
  for (const { name, data, rows } of embeds)
    for (const [row, token] of rows!.entries()) {
      yield;
      const values = Array.from((data as Float32Array).subarray(row * d, (row + 1) * d));
      const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      const known = token ? [token.id, csvCell(label(token)), token.weight] : ['', 'completed', ''];
      lines.push([name, row, ...known, norm.toPrecision(6), ...values.map(shortest)].join(','));
      if (lines.length >= linesAtOnce) flush();
    }
  if (lines.length > 0) flush();
}
