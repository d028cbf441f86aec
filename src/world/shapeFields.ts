import type { Shape } from './worldWords.ts';

/**
 * A signed distance field: the distance from (x, y) to the shape's edge, negative inside. The shape has its own units: x goes
 * right, y goes down, and it fits into the square −1 … 1.
 */
export type Field = (x: number, y: number) => number;

const length = (x: number, y: number) => Math.sqrt(x * x + y * y);

/** Field of a polygon, [x₀, y₀, x₁, y₁, …]: the nearest of its sides, and the sign by counting sides that a ray crosses. */
function polygon(points: readonly number[]): Field {
  const count = points.length;
  const px = Float64Array.from({ length: count / 2 }, (_, i) => points[2 * i]);
  const py = Float64Array.from({ length: count / 2 }, (_, i) => points[2 * i + 1]);
  return (x, y) => {
    let nearest = Number.POSITIVE_INFINITY;
    let inside = false;
    for (let i = 0, j = px.length - 1; i < px.length; j = i++) {
      const sideX = px[j] - px[i];
      const sideY = py[j] - py[i];
      const toX = x - px[i];
      const toY = y - py[i];
      const along = (toX * sideX + toY * sideY) / (sideX * sideX + sideY * sideY);
      const t = along < 0 ? 0 : along > 1 ? 1 : along;
      const dx = toX - sideX * t;
      const dy = toY - sideY * t;
      const squared = dx * dx + dy * dy;
      if (squared < nearest) nearest = squared;
      if (py[i] > y !== py[j] > y && toX < (sideX * toY) / sideY) inside = !inside;
    }
    return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
  };
}

// Sines and cosines of 36° and 72° in digits: Math.sin and cos may differ in the last bit from engine to engine.
const [sin36, cos36, sin72, cos72] = [0.5877852522924731, 0.8090169943749475, 0.9510565162951535, 0.3090169943749474];
const inner = 0.5;
const star = [
  [0, -1],
  [inner * sin36, -inner * cos36],
  [sin72, -cos72],
  [inner * sin72, inner * cos72],
  [sin36, cos36],
  [0, inner],
  [-sin36, cos36],
  [-inner * sin72, inner * cos72],
  [-sin72, -cos72],
  [-inner * sin36, -inner * cos36],
].flatMap(([x, y]) => [1.04 * x, 1.04 * y + 0.1]);

const arm = 0.36;
const end = 0.94;
const cross = [
  [-arm, -end],
  [arm, -end],
  [arm, -arm],
  [end, -arm],
  [end, arm],
  [arm, arm],
  [arm, end],
  [-arm, end],
  [-arm, arm],
  [-end, arm],
  [-end, -arm],
  [-arm, -arm],
].flat();

/** A square on its tip with half a circle on each of its upper sides; `half` is half the square's diagonal. */
function heart(half: number, tip: number): Field {
  const square = polygon([0, tip, half, tip - half, 0, tip - 2 * half, -half, tip - half]);
  const radius = half / Math.SQRT2;
  return (x, y) => Math.min(square(x, y), length((x < 0 ? -x : x) - half / 2, y - (tip - 1.5 * half)) - radius);
}

/** A circle without another one at its right. */
const moon: Field = (x, y) => Math.max(length(x - 0.2, y) - 0.97, 0.72 - length(x - 0.75, y));

export const shapeFields: Readonly<Record<Shape, Field>> = {
  circle: (x, y) => length(x, y) - 0.92,
  square: polygon([-0.82, -0.82, 0.82, -0.82, 0.82, 0.82, -0.82, 0.82]),
  triangle: polygon([0, -0.86, 0.98, 0.84, -0.98, 0.84]),
  diamond: polygon([0, -1, 0.7, 0, 0, 1, -0.7, 0]),
  star: polygon(star),
  heart: heart(0.79, 0.92),
  cross: polygon(cross),
  moon,
};

/** Radius of the largest circle that fits where the shape is narrowest: an outline wider than this leaves no hole. */
export const narrowest: Readonly<Record<Shape, number>> = {
  circle: 0.92,
  square: 0.82,
  triangle: 0.55,
  diamond: 0.57,
  star: 0.46,
  heart: 0.65,
  cross: 0.36,
  moon: 0.4,
};
