import { ticks as roundNumbers } from 'd3-array';
import { interpolateLab, piecewise } from 'd3-interpolate';
import { scaleDiverging, scaleSequential, scaleSequentialLog, scaleSequentialSqrt } from 'd3-scale';
import { interpolateViridis } from 'd3-scale-chromatic';
import { type ColourScale, short } from './color.ts';

export const probabilityKinds = ['linear', 'sqrt', 'log'] as const;
export type ProbabilityKind = (typeof probabilityKinds)[number];

/** Decades of the logarithmic scale, counted down from the power of ten at or above the largest probability. */
const logDecades = 4;

const identity = (t: number) => t;

/** [256, 4] RGBA of the CSS colours along a scale. */
function table(interpolate: (t: number) => string): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const colour = interpolate(i / 255);
    const channels = colour.startsWith('#')
      ? [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
      : colour.match(/\d+/g)!.slice(0, 3).map(Number);
    rgba.set([...channels, 255], i * 4);
  }
  return rgba;
}

/** [256, 4] RGBA between colours at equal distances, by CIELAB. */
const labTable = (colours: readonly string[]) => table(piecewise(interpolateLab, [...colours]));

const viridis = table(interpolateViridis);

/**
 * Colours from blue below to orange above, which every common kind of colour blindness tells apart. The middle recedes
 * into the page.
 */
const diverging = {
  light: labTable(['#1f5fbf', '#86b1e8', '#f4f4f1', '#f0ab63', '#b85a00']),
  dark: labTable(['#8fc0ff', '#3c6fb5', '#22262d', '#a8611c', '#ffb566']),
};

/** Returns both ends, and those values of `inner` that leave room for the labels of the ends. */
function withEnds(first: number, inner: readonly number[], last: number, position: (v: number) => number): number[] {
  const kept = inner.filter((v) => position(v) > 0.24 && position(v) < 0.78);
  return [first, ...kept, last];
}

/** Scale of probabilities from 0 (if logarithmic, from four decades down) to `max`. */
export function probabilityScale(kind: ProbabilityKind, max: number): ColourScale {
  const top = max > 0 ? max : 1;
  if (kind === 'log') {
    const bottom = 10 ** (Math.ceil(Math.log10(top)) - logDecades);
    const scale = scaleSequentialLog<number>([bottom, top], identity).clamp(true);
    const ticks = withEnds(bottom, [bottom * 10 ** (logDecades / 2)], top, scale);
    return {
      position: (p) => (p <= 0 ? 0 : scale(p)),
      table: viridis,
      ticks,
      format: (v) => (v === bottom ? `≤ ${short(v)}` : short(v)),
    };
  }
  const scale = (kind === 'linear' ? scaleSequential : scaleSequentialSqrt)<number>([0, top], identity).clamp(true);
  return {
    position: scale,
    table: viridis,
    ticks: withEnds(0, roundNumbers(0, top, 3), top, scale),
    format: short,
  };
}

/** Scale of signed values, symmetric about 0, up to ±`reach`. With `clamped`, some values lie beyond its ends. */
export function signedScale(reachAbs: number, dark: boolean, clamped = false): ColourScale {
  const reach = reachAbs > 0 ? reachAbs : 1;
  const scale = scaleDiverging<number>([-reach, 0, reach], identity).clamp(true);
  return {
    position: scale,
    table: diverging[dark ? 'dark' : 'light'],
    ticks: [-reach, 0, reach],
    format: (v) =>
      `${clamped && v === reach ? '≥ ' : clamped && v === -reach ? '≤ ' : ''}${v > 0 ? '+' : ''}${short(v)}`,
  };
}

/** Scale of a single colour for every value, for masks. */
export function flatScale(colour: string): ColourScale {
  return { position: (v) => (Number.isNaN(v) ? v : 1), table: table(() => colour), ticks: [], format: short };
}
