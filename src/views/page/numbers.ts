/** Six significant digits, as many as float32 arithmetic is good for. */
export function exact(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) < 1e-4 ? value.toExponential(5) : value.toPrecision(6);
}

/** Up to four significant digits, without trailing zeros. */
export function brief(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Decimal units: 492.3 MB. */
export function bytes(count: number): string {
  if (count < 1e3) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(0)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

/** Three significant digits, for values whose size alone matters. */
export function rough(value: number): string {
  return value.toPrecision(3);
}

/** Up to four significant digits, with an exponent below 0.001. */
export function small(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : brief(value);
}

/** A share in percent, to three significant digits; it may be infinite. */
export function percent(share: number): string {
  return share === Number.POSITIVE_INFINITY ? '∞' : `${Number((100 * share).toPrecision(3))} %`;
}

/** A whole number with commas: 48,894. */
export function whole(count: number): string {
  return count.toLocaleString('en');
}
