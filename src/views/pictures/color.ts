import { ticks as roundNumbers } from 'd3-array';
import { interpolateLab, piecewise } from 'd3-interpolate';
import { scaleDiverging, scaleDivergingLog, scaleSequential, scaleSequentialLog, scaleSequentialSqrt } from 'd3-scale';
import { interpolateViridis } from 'd3-scale-chromatic';

/** Maps numbers to colours, and holds all that its legend needs. */
export interface ColourScale {
  /** Position of a value on the scale, from 0 to 1; NaN for NaN. Values beyond an end are drawn as that end. */
  position(value: number): number;
  /** [256, 4] RGBA along the scale. */
  readonly table: Uint8ClampedArray<ArrayBuffer>;
  /** Values to label; the first and last are the ends. */
  readonly ticks: readonly number[];
  format(tick: number): string;
}

export const probabilityKinds = ['linear', 'sqrt', 'log'] as const;
export type ProbabilityKind = (typeof probabilityKinds)[number];

/** Decades of the logarithmic scale, counted down from the power of ten at or above the largest probability. */
const logDecades = 4;

const identity = (t: number) => t;

/** [256, 4] */
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

const viridis = table(interpolateViridis);

/**
 * Colours from blue below to orange above, which every common kind of colour blindness tells apart. The middle recedes
 * into the page.
 */
const diverging = {
  light: table(piecewise(interpolateLab, ['#1f5fbf', '#86b1e8', '#f4f4f1', '#f0ab63', '#b85a00'])),
  dark: table(piecewise(interpolateLab, ['#8fc0ff', '#3c6fb5', '#22262d', '#a8611c', '#ffb566'])),
};

/** Background colours for text: their ends keep away from the lightness of the text in either theme. */
const tint = {
  light: table(piecewise(interpolateLab, ['#6a9fe8', '#adcaf2', '#f4f4f1', '#f4c792', '#e58e37'])),
  dark: table(piecewise(interpolateLab, ['#2a60ae', '#28476f', '#22262d', '#65401a', '#9c5309'])),
};

const short = (value: number) =>
  value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(0) : String(Number(value.toPrecision(3)));

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

/**
 * Scale of token weights from ½ to 2, logarithmic about 1: ×1.1 and ÷1.1 are equally far. Zero and below are drawn as
 * the low end.
 */
export function weightScale(dark: boolean): ColourScale {
  const scale = scaleDivergingLog<number>([0.5, 1, 2], identity).clamp(true);
  return {
    position: (weight) => (weight <= 0 ? 0 : scale(weight)),
    table: tint[dark ? 'dark' : 'light'],
    ticks: [0.5, 1, 2],
    format: (v) => (v === 0.5 ? '≤ 0.5' : v === 2 ? '≥ 2' : short(v)),
  };
}

/** Returns the index of a value into `table`. */
export function tableIndex(scale: ColourScale, value: number): number {
  return Math.round(scale.position(value) * 255);
}

/** Returns the CSS colour of a value. */
export function cssColour(scale: ColourScale, value: number): string {
  const at = tableIndex(scale, value) * 4;
  return `rgb(${scale.table[at]} ${scale.table[at + 1]} ${scale.table[at + 2]})`;
}

/** Returns a CSS gradient of the whole scale, for its legend. */
export function cssGradient(scale: ColourScale): string {
  const stops = Array.from({ length: 17 }, (_, i) => {
    const at = Math.round((i / 16) * 255) * 4;
    return `rgb(${scale.table[at]} ${scale.table[at + 1]} ${scale.table[at + 2]})`;
  });
  return `linear-gradient(to right, ${stops.join(', ')})`;
}
