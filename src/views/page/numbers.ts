/** Six significant digits: what float32 arithmetic is good for. */
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
