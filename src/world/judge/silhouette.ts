import { eachCovered, pictureSize as S } from '../render.ts';
import { shapeFields } from '../shapeFields.ts';
import { type Shape, shapes } from '../worldWords.ts';
import { allNeighbours, type Segment, sideNeighbours } from './segments.ts';

/** An object with its hole filled. Lengths in pixels. */
export interface Silhouette {
  /** [S · S] 0 … 1 */
  readonly coverage: Float64Array;
  readonly area: number;
  /** Centre of gravity. */
  readonly x: number;
  readonly y: number;
  /** Share of the silhouette that the object's colour does not cover: 0 of a filled object. */
  readonly hole: number;
  /** Lowest coverage inside, as a mean over a pixel (twice) and its four neighbours: 0 in a wide hole. */
  readonly deepest: number;
}

/** Coverage below which a pixel lets the outside in. Corners are closed, so that a thin slanted outline holds. */
const open = 0.4;

/** Fills what the outside does not reach. */
export function silhouetteOf({ coverage }: Segment): Silhouette {
  const outside = new Uint8Array(S * S);
  const reached: number[] = [];
  const reach = (pixel: number) => {
    if (outside[pixel] || coverage[pixel] >= open) return;
    outside[pixel] = 1;
    reached.push(pixel);
  };
  for (let i = 0; i < S; i++) for (const pixel of [i, (S - 1) * S + i, i * S, i * S + S - 1]) reach(pixel);
  for (const pixel of reached) for (const next of sideNeighbours[pixel]) reach(next);
  const filled = Float64Array.from(coverage, (share, pixel) => {
    if (outside[pixel]) return share;
    return allNeighbours[pixel].some((next) => outside[next]) ? share : 1;
  });
  return { coverage: filled, ...massOf(filled, coverage), deepest: deepestInside(filled, coverage) };
}

function massOf(filled: Float64Array, coverage: Float64Array): Pick<Silhouette, 'area' | 'x' | 'y' | 'hole'> {
  let [area, sumX, sumY, bare] = [0, 0, 0, 0];
  for (let pixel = 0; pixel < S * S; pixel++) {
    area += filled[pixel];
    sumX += filled[pixel] * ((pixel % S) + 0.5);
    sumY += filled[pixel] * (Math.floor(pixel / S) + 0.5);
    bare += filled[pixel] - coverage[pixel];
  }
  return { area, x: sumX / area, y: sumY / area, hole: bare / area };
}

function deepestInside(filled: Float64Array, coverage: Float64Array): number {
  let deepest = 1;
  for (let pixel = 0; pixel < S * S; pixel++) {
    if (filled[pixel] < 1) continue;
    const around = sideNeighbours[pixel];
    if (around.some((next) => filled[next] < 0.5)) continue;
    const sum = around.reduce((total, next) => total + coverage[next], 2 * coverage[pixel]);
    deepest = Math.min(deepest, sum / (around.length + 2));
  }
  return deepest;
}

interface UnitShape {
  /** Area and centre of gravity in the shape's own units. */
  readonly area: number;
  readonly x: number;
  readonly y: number;
}

/** Counts points of a fine grid that lie inside the shape. */
function measureShape(shape: Shape): UnitShape {
  const field = shapeFields[shape];
  const steps = 160;
  let [count, sumX, sumY] = [0, 0, 0];
  for (let row = 0; row < steps; row++)
    for (let column = 0; column < steps; column++) {
      const [x, y] = [(2 * column + 1) / steps - 1, (2 * row + 1) / steps - 1];
      if (field(x, y) > 0) continue;
      count++;
      sumX += x;
      sumY += y;
    }
  return { area: (4 * count) / (steps * steps), x: sumX / count, y: sumY / count };
}

let measured: Readonly<Record<Shape, UnitShape>> | undefined;
const unitShapes = () => {
  measured ??= Object.fromEntries(shapes.map((shape) => [shape, measureShape(shape)])) as Record<Shape, UnitShape>;
  return measured;
};

/** A shape laid on a silhouette: its centre and radius in sides of the picture. */
export interface ShapeMatch {
  readonly shape: Shape;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Summed difference of coverage by the silhouette's area: 0 where they are one, up to 2. */
  readonly difference: number;
}

/** Lays a shape of the silhouette's area on its centre of gravity, and measures the difference. */
function matchShape(shape: Shape, silhouette: Silhouette): ShapeMatch {
  const unit = unitShapes()[shape];
  const radius = Math.sqrt(silhouette.area / unit.area);
  const place = {
    x: (silhouette.x - unit.x * radius) / S,
    y: (silhouette.y - unit.y * radius) / S,
    radius: radius / S,
  };
  // All of the silhouette lies off the shape, before the pixels of the shape are looked at.
  let difference = silhouette.area;
  eachCovered({ shape, ...place, stroke: null }, (pixel, share) => {
    difference += Math.abs(silhouette.coverage[pixel] - share) - silhouette.coverage[pixel];
  });
  return { shape, ...place, difference: difference / silhouette.area };
}

/** Every shape on a silhouette, the best match first. */
export const matchShapes = (silhouette: Silhouette): ShapeMatch[] =>
  shapes.map((shape) => matchShape(shape, silhouette)).sort((a, b) => a.difference - b.difference);
