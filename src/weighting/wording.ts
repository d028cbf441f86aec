/** Numbers as they stand in formulas. */

/** Writes four digits, with a minus sign. */
export function number(value: number): string {
  return String(Number(value.toPrecision(4)))
    .replaceAll('-', '−')
    .replace('Infinity', '∞');
}

/** Writes a number in a product or quotient: a negative one in brackets. */
export function factor(value: number): string {
  return value < 0 ? `(${number(value)})` : number(value);
}

export function subscript(value: number): string {
  return Array.from(String(value), (digit) => '₀₁₂₃₄₅₆₇₈₉'[Number(digit)]).join('');
}
