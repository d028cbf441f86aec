import type { Rgb } from '../attributes.ts';
import { colourDistance } from '../attributes.ts';
import { pictureSize as S } from '../render.ts';

/** An object's pixels. Pictures are read as red, green and blue of 0 … 1 here. */
export interface Segment {
  /** Pixels (row · S + column) that are at least half covered. */
  readonly pixels: readonly number[];
  readonly rgb: Rgb;
  /** [S · S] Share of each pixel that the object covers, 0 … 1; 0 away from it. */
  readonly coverage: Float64Array;
}

/** Colour of a pixel of [3, S, S] in −1 … 1, as 0 … 1. A small model's pictures may lie a little outside: they are held in. */
export function pixelRgb(picture: Float32Array, pixel: number): Rgb {
  const channel = (c: number) => Math.min(1, Math.max(0, 0.5 + picture[c * S * S + pixel] / 2));
  return [channel(0), channel(1), channel(2)];
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];

/** Colour of the ground: the median of each channel over the picture's two outermost pixels, which objects hardly reach. */
export function estimateGround(picture: Float32Array): Rgb {
  const border: Rgb[] = [];
  for (let pixel = 0; pixel < S * S; pixel++) {
    const [row, column] = [Math.floor(pixel / S), pixel % S];
    if (Math.min(row, column, S - 1 - row, S - 1 - column) < 2) border.push(pixelRgb(picture, pixel));
  }
  const channel = (c: 0 | 1 | 2) => median(border.map((rgb) => rgb[c]));
  return [channel(0), channel(1), channel(2)];
}

const steps = [
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [1, -1],
  [-1, 1],
  [-1, -1],
] as const;

/** For each pixel, those of its neighbours at the first `count` steps that lie in the picture. */
const neighbours = (count: number) =>
  Array.from({ length: S * S }, (_, pixel) =>
    steps
      .slice(0, count)
      .map(([down, right]) => [Math.floor(pixel / S) + down, (pixel % S) + right])
      .filter(([row, column]) => row >= 0 && row < S && column >= 0 && column < S)
      .map(([row, column]) => row * S + column),
  );

/** [S · S] Neighbours at a pixel's sides, and those at its corners as well. */
export const sideNeighbours: readonly (readonly number[])[] = neighbours(4);
export const allNeighbours: readonly (readonly number[])[] = neighbours(8);

/** Parts of a mask [S · S] whose pixels touch, corners included. */
function components(mask: Uint8Array): number[][] {
  const left = Uint8Array.from(mask);
  const parts: number[][] = [];
  for (let start = 0; start < S * S; start++) {
    if (!left[start]) continue;
    const part = [start];
    left[start] = 0;
    // The part grows while it is walked through.
    for (const pixel of part)
      for (const next of allNeighbours[pixel]) {
        if (left[next]) part.push(next);
        left[next] = 0;
      }
    parts.push(part);
  }
  return parts;
}

/** Distance from the ground at which a pixel is looked at: above a generator's noise, below the least contrast's half. */
const seenFrom = 0.15;
/** A part of fewer pixels is noise. */
const leastPixels = 9;

/** Colour of a part: the mean of those pixels that differ most from the ground, which are covered whole. */
function partColour(picture: Float32Array, part: readonly number[], ground: Rgb): { rgb: Rgb; contrast: number } {
  const colours = part.map((pixel) => pixelRgb(picture, pixel));
  const distances = colours.map((rgb) => colourDistance(rgb, ground));
  // The strongest few are passed over, so that single pixels of noise do not set the bar.
  const strong = distances.toSorted((a, b) => b - a)[Math.floor(distances.length / 12)];
  const whole = colours.filter((_, i) => distances[i] >= 0.93 * strong);
  const channel = (c: 0 | 1 | 2) => whole.reduce((sum, rgb) => sum + rgb[c], 0) / whole.length;
  return { rgb: [channel(0), channel(1), channel(2)], contrast: strong };
}

/** Share of a pixel that the object covers: where its colour lies on the way from the ground's to the object's. */
function covered(rgb: Rgb, ground: Rgb, object: Rgb): number {
  let along = 0;
  let whole = 0;
  for (let c = 0; c < 3; c++) {
    along += (rgb[c] - ground[c]) * (object[c] - ground[c]);
    whole += (object[c] - ground[c]) * (object[c] - ground[c]);
  }
  return Math.min(1, Math.max(0, along / whole));
}

/** Objects of a picture [3, S, S] of −1 … 1 before a ground of 0 … 1: parts that touch, the largest first. */
export function segments(picture: Float32Array, ground: Rgb): Segment[] {
  const mask = Uint8Array.from({ length: S * S }, (_, pixel) =>
    colourDistance(pixelRgb(picture, pixel), ground) >= seenFrom ? 1 : 0,
  );
  return components(mask)
    .filter((part) => part.length >= leastPixels)
    .map((part) => {
      const { rgb } = partColour(picture, part, ground);
      const coverage = new Float64Array(S * S);
      // The rim, below the mask's threshold, belongs to the object too.
      const rim = new Set(part);
      for (const pixel of part) for (const next of allNeighbours[pixel]) rim.add(next);
      for (const pixel of rim) coverage[pixel] = covered(pixelRgb(picture, pixel), ground, rgb);
      return { rgb, coverage, pixels: [...rim].filter((pixel) => coverage[pixel] >= 0.5) };
    })
    .filter(({ pixels }) => pixels.length >= leastPixels)
    .sort((a, b) => b.pixels.length - a.pixels.length);
}
