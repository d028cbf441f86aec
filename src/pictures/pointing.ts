/** The pointing game: whether a word looks at its object. Letters: S side of a picture in pixels. */

import type { SeenPicture } from '../world/judge/judge.ts';
import { segments } from '../world/judge/segments.ts';
import { silhouetteOf } from '../world/judge/silhouette.ts';
import { lookSide, looksAtRows } from './drawing.ts';
import { meansOfSquares } from './grounding.ts';

/** The square of looks [lookSide²] from which most is looked; the first of several. */
export const squareOfMost = (looks: ArrayLike<number>): number =>
  Array.from(looks).reduce((best, look, square) => (look > looks[best] ? square : best), 0);

/** Share of a square that is covered by an object whose coverage [S · S] is 0 … 1. */
export const coveredShare = (coverage: ArrayLike<number>, square: number): number =>
  meansOfSquares(coverage, lookSide)[square];

/** Coverage [S · S] of each object of a picture [3, S, S], its hole filled, in the order in which `judgePicture` sees them. */
export const silhouettes = (picture: Float32Array, { groundRgb }: SeenPicture): Float64Array[] =>
  segments(picture, groundRgb).map((segment) => silhouetteOf(segment).coverage);

/** Whether a square is an object's: at least half of it is covered. */
const isInside = (coverage: ArrayLike<number>, square: number) => coveredShare(coverage, square) >= 0.5;

/** Whether most is looked at some rows from inside an object. */
export const pointsInside = (looks: ArrayLike<number>, rows: readonly number[], coverage: ArrayLike<number>): boolean =>
  isInside(coverage, squareOfMost(looksAtRows(looks, rows)));

/** The place among `silhouettes` of the object from inside which most is looked [lookSide²]; null where it is the ground. */
export function objectOfMost(looks: ArrayLike<number>, covered: readonly ArrayLike<number>[]): number | null {
  const most = squareOfMost(looks);
  const place = covered.findIndex((coverage) => isInside(coverage, most));
  return place < 0 ? null : place;
}
