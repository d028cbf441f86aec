/** Finds what two rows of tokens have in common. */

interface Identified {
  readonly id: number;
}

/** Differences more than this many tokens apart are not looked into. */
const mostEdits = 1000;

/**
 * Gives pairs of places, in order, of a longest common subsequence by `id` (E. Myers, An O(ND) difference algorithm, 1986).
 * Empty if more than `mostEdits` insertions and deletions lie between the two.
 */
export function commonPlaces(source: readonly Identified[], converted: readonly Identified[]): [number, number][] {
  const [n, m] = [source.length, converted.length];
  if (n === 0 || m === 0) return [];
  const most = Math.min(n + m, mostEdits);
  /** [2·most + 2] How far in the source each diagonal a − b has come, by diagonal + most. */
  const reached = new Int32Array(2 * most + 3);
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(reached.slice());
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const at = diagonal + most + 1;
      const isDown = diagonal === -edits || (diagonal !== edits && reached[at - 1] < reached[at + 1]);
      let a = isDown ? reached[at + 1] : reached[at - 1] + 1;
      while (a < n && a - diagonal < m && source[a].id === converted[a - diagonal].id) a++;
      reached[at] = a;
      if (a >= n && a - diagonal >= m) return backtrack(trace, n, m, most);
    }
  }
  return [];
}

function backtrack(trace: readonly Int32Array[], n: number, m: number, most: number): [number, number][] {
  const pairs: [number, number][] = [];
  let [a, b] = [n, m];
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reached = trace[edits];
    const diagonal = a - b;
    const at = diagonal + most + 1;
    const isDown = diagonal === -edits || (diagonal !== edits && reached[at - 1] < reached[at + 1]);
    const fromA = edits === 0 ? 0 : isDown ? reached[at + 1] : reached[at - 1];
    const fromB = edits === 0 ? 0 : fromA - (isDown ? diagonal + 1 : diagonal - 1);
    while (a > fromA && b > fromB) pairs.push([--a, --b]);
    [a, b] = [fromA, fromB];
  }
  return pairs.reverse();
}
