/** From the numbers of a sweep to lines: no DOM, no method. */

/** Half a pixel is all that a line shows. */
const point = (x: number, y: number) => `${x.toFixed(1)},${y.toFixed(1)}`;

/**
 * SVG path of a curve. Broken where a value is not finite, and between two that have one of `breaks` (in x's units) between
 * them, where the curve leaves on one side of the picture and comes back on the other. `y` is clamped to `most` picture
 * heights beyond the picture, as SVG has no use for more.
 */
export function curvePath(
  xs: readonly number[],
  ys: ArrayLike<number>,
  x: (value: number) => number,
  y: (value: number) => number,
  breaks: readonly number[] = [],
  most = 1e4,
): string {
  let path = '';
  let before: number | null = null;
  xs.forEach((value, i) => {
    if (!Number.isFinite(ys[i])) {
      before = null;
      return;
    }
    const isBroken = before === null || breaks.some((at) => before! <= at && at <= value);
    path += `${isBroken ? 'M' : 'L'}${point(x(value), Math.min(most, Math.max(-most, y(ys[i]))))}`;
    before = value;
  });
  return path;
}

/**
 * Returns the last finite value of a curve, as a number of `y`'s range, where its label goes. Null if there is none.
 */
export function curveEnd(ys: ArrayLike<number>): number | null {
  for (let i = ys.length - 1; i >= 0; i--) if (Number.isFinite(ys[i])) return ys[i];
  return null;
}

/** Labels that would lie over one another, moved apart by `gap` within [low, high], in the order they had. */
export function spread(at: readonly number[], gap: number, low: number, high: number): number[] {
  const order = Array.from(at.keys()).sort((a, b) => at[a] - at[b]);
  const moved = [...at];
  let least = low;
  for (const i of order) {
    moved[i] = Math.max(at[i], least);
    least = moved[i] + gap;
  }
  let most = high;
  for (const i of order.toReversed()) {
    moved[i] = Math.min(moved[i], most);
    most = moved[i] - gap;
  }
  return moved;
}

/** Indices of curves that lie upon one another (to `tolerance`, or not finite in the same places). */
export function sameCurves(all: readonly ArrayLike<number>[], tolerance: number): number[][] {
  const groups: number[][] = [];
  const isSame = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    for (let i = 0; i < a.length; i++) {
      const areBoth = Number.isFinite(a[i]) && Number.isFinite(b[i]);
      if (areBoth ? Math.abs(a[i] - b[i]) > tolerance : Number.isFinite(a[i]) !== Number.isFinite(b[i])) return false;
    }
    return true;
  };
  all.forEach((curve, i) => {
    const group = groups.find(([first]) => isSame(all[first], curve));
    if (group) group.push(i);
    else groups.push([i]);
  });
  return groups;
}

/**
 * Returns the range that a picture of curves covers: all finite values and those in `always`. Of `wild` curves, which
 * have no bounds, it covers at most half as much again as of the others and of `always`.
 */
export function domainOf(
  tame: readonly ArrayLike<number>[],
  wild: readonly ArrayLike<number>[],
  always: readonly number[],
): [low: number, high: number] {
  const finite = (all: readonly ArrayLike<number>[]) =>
    all.flatMap((curve) => Array.from(curve)).filter(Number.isFinite);
  const known = [...always, ...finite(tame)];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const room = (high - low) / 2;
  const values = finite(wild);
  return [Math.max(low - room, Math.min(low, ...values)), Math.min(high + room, Math.max(high, ...values))];
}
