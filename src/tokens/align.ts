/** Finds what two rows of tokens have in common. */

interface Identified {
  readonly id: number;
}

/**
 * Most insertions and deletions of the first window; the work grows with their square. Where there are more, the window ends where they lead
 * furthest, and another begins there.
 */
const mostEdits = 1000;
/** Most of a later window: a long prompt may need many, so they are small. */
const mostLaterEdits = 250;

/**
 * Gives pairs of places, in order, of a longest common subsequence by `id` (E. Myers, An O(ND) difference algorithm, 1986); of rows with
 * more than `mostEdits` insertions and deletions, those of a long one.
 */
export function commonPlaces(source: readonly Identified[], converted: readonly Identified[]): [number, number][] {
  const pairs: [number, number][] = [];
  let [a, b] = [0, 0];
  while (a < source.length && b < converted.length) {
    const found = commonInWindow(source, a, converted, b, a + b === 0 ? mostEdits : mostLaterEdits);
    for (const pair of found.pairs) pairs.push(pair);
    [a, b] = found.end;
  }
  return pairs;
}

/** Finds common places from two places on, up to the ends of both, or to where the most edits lead furthest. */
function commonInWindow(
  source: readonly Identified[],
  firstA: number,
  converted: readonly Identified[],
  firstB: number,
  bound: number,
): { readonly pairs: [number, number][]; readonly end: [number, number] } {
  const [n, m] = [source.length - firstA, converted.length - firstB];
  const most = Math.min(n + m, bound);
  /** [2·most + 3] How far in the source each diagonal a − b has come, by diagonal + most + 1. */
  const reached = new Int32Array(2 * most + 3);
  const trace: Int32Array[] = [];
  const offEnds = ([a, b]: readonly [number, number]) => Math.abs(a - b - (n - m));
  let furthest: [number, number] = [0, 0];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(reached.slice());
    furthest = [0, 0];
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const at = diagonal + most + 1;
      const isDown = diagonal === -edits || (diagonal !== edits && reached[at - 1] < reached[at + 1]);
      let a = isDown ? reached[at + 1] : reached[at - 1] + 1;
      while (a < n && a - diagonal < m && source[firstA + a].id === converted[firstB + a - diagonal].id) a++;
      reached[at] = a;
      const b = a - diagonal;
      // A diagonal may lead out of the rows. The one nearer to that of both ends goes on, of two that lead as far.
      const isFurther = (a + b - furthest[0] - furthest[1] || offEnds(furthest) - offEnds([a, b])) > 0;
      if (a <= n && b <= m && isFurther) furthest = [a, b];
    }
    if (furthest[0] === n && furthest[1] === m) break;
  }
  const pairs = backtrack(trace, furthest, most).map(([a, b]): [number, number] => [firstA + a, firstB + b]);
  return { pairs, end: [firstA + furthest[0], firstB + furthest[1]] };
}

function backtrack(trace: readonly Int32Array[], end: readonly [number, number], most: number): [number, number][] {
  const pairs: [number, number][] = [];
  let [a, b] = end;
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
