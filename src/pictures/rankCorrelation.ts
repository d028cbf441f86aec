/** Ranks from 1 on; equal values share the mean of theirs. */
export function ranksOf(values: readonly number[]): number[] {
  const below = (value: number) => values.filter((other) => other < value).length;
  const equal = (value: number) => values.filter((other) => other === value).length;
  return values.map((value) => below(value) + (equal(value) + 1) / 2);
}

/**
 * Spearman's rank correlation, −1 … 1: Pearson's of the ranks. 0 where either side is one value throughout, as nothing then follows
 * anything. Both of one length.
 */
export function spearman(x: readonly number[], y: readonly number[]): number {
  const [a, b] = [x, y].map((values) => {
    const mean = (values.length + 1) / 2;
    return ranksOf(values).map((rank) => rank - mean);
  });
  const dot = (p: readonly number[], q: readonly number[]) => p.reduce((sum, value, i) => sum + value * q[i], 0);
  const spread = Math.sqrt(dot(a, a) * dot(b, b));
  return spread === 0 ? 0 : dot(a, b) / spread;
}
