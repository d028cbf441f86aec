import type { ColourScale } from './color.ts';

/** Pixels of a label's character in a wide font, at most. */
function characterWidth(character: string): number {
  if (' .-'.includes(character)) return 5;
  return '≤≥+'.includes(character) ? 10.5 : 8;
}
/** Pixels between two labels, at least. */
const gap = 6;

/**
 * Ticks of a legend of so many pixels whose labels do not overlap, in their order: both ends, and what has room between them;
 * the upper end alone where both have no room. The labels of the ends begin and end with the scale, all others are centred.
 */
export function fittingTicks({ ticks, position, format }: ColourScale, width: number): readonly number[] {
  if (ticks.length < 2) return ticks;
  const [first, last] = [ticks[0], ticks[ticks.length - 1]];
  const widthOf = (tick: number) => [...format(tick)].reduce((sum, character) => sum + characterWidth(character), 0);
  const end = width - widthOf(last) - gap;
  let taken = widthOf(first);
  if (taken > end) return [last];
  const inner = ticks.slice(1, -1).filter((tick) => {
    const half = widthOf(tick) / 2;
    const centre = position(tick) * width;
    if (centre - half < taken + gap || centre + half > end) return false;
    taken = centre + half;
    return true;
  });
  return [first, ...inner, last];
}
