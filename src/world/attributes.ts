import { type Colour, colours, type Grade, type Ground, grounds, type Size, sizes, type Tone } from './worldWords.ts';

/** Red, green, blue, each 0 … 1. */
export type Rgb = readonly [number, number, number];

/** Values that a word stands for: `mean` ± `reach`, most of them near the mean (`Random.spread`). */
export interface WordSpread {
  readonly mean: number;
  readonly reach: number;
}

/** Radius of a size in sides of the picture. The largest, 0.228, lets two objects stand side by side. */
export function radiusSpread(size: Size, grade: Grade | null): WordSpread {
  const mean = { small: 0.128, medium: 0.162, large: 0.196 }[size];
  const outwards = { small: -1, medium: 0, large: 1 }[size];
  if (grade === null) return { mean, reach: 0.026 };
  return { mean: mean + outwards * (grade === 'very' ? 0.02 : -0.012), reach: 0.012 };
}

/** Lightness of a tone, less the lightness of the colour itself, in HSL's unit. */
export function toneSpread(tone: Tone, grade: Grade | null): WordSpread {
  const sign = tone === 'light' ? 1 : -1;
  if (grade === null) return { mean: sign * 0.1, reach: 0.13 };
  return grade === 'very' ? { mean: sign * 0.18, reach: 0.05 } : { mean: sign * 0.05, reach: 0.05 };
}

/** Saturation as a factor of the colour's own: "very red" is a purer red, "slightly red" a paler one. */
export function saturationSpread(grade: Grade | null): WordSpread {
  if (grade === null) return { mean: 0.95, reach: 0.2 };
  return grade === 'very' ? { mean: 1.12, reach: 0.08 } : { mean: 0.55, reach: 0.12 };
}

export interface ColourMean {
  /** Degrees, and how far it spreads to both sides; null where the colour has no hue. */
  readonly hue: WordSpread | null;
  /** HSL's saturation and lightness, 0 … 1. */
  readonly saturation: number;
  readonly lightness: number;
}

export const colourMeans: Readonly<Record<Colour, ColourMean>> = {
  red: { hue: { mean: 0, reach: 17 }, saturation: 0.82, lightness: 0.5 },
  orange: { hue: { mean: 27, reach: 17 }, saturation: 0.85, lightness: 0.53 },
  yellow: { hue: { mean: 52, reach: 17 }, saturation: 0.85, lightness: 0.53 },
  green: { hue: { mean: 122, reach: 30 }, saturation: 0.62, lightness: 0.43 },
  teal: { hue: { mean: 174, reach: 24 }, saturation: 0.7, lightness: 0.43 },
  blue: { hue: { mean: 223, reach: 27 }, saturation: 0.78, lightness: 0.53 },
  purple: { hue: { mean: 273, reach: 26 }, saturation: 0.6, lightness: 0.5 },
  pink: { hue: { mean: 325, reach: 28 }, saturation: 0.76, lightness: 0.64 },
  black: { hue: null, saturation: 0, lightness: 0.05 },
  white: { hue: null, saturation: 0, lightness: 0.95 },
};

/** How far black and white spread, and each channel of a ground. */
export const neutralReach = 0.03;

/** The colour in the middle of its word's spread, in the middle of a tone's, or as light as the colour itself. */
export function meanRgb(colour: Colour, tone: Tone | null): Rgb {
  const { hue, saturation, lightness } = colourMeans[colour];
  if (!hue) return [lightness, lightness, lightness];
  const moved = tone ? toneSpread(tone, null).mean : 0;
  return rgbOf(hue.mean, saturation * saturationSpread(null).mean, lightness + moved);
}

export const groundMeans: Readonly<Record<Ground, Rgb>> = {
  white: [0.95, 0.95, 0.95],
  black: [0.05, 0.05, 0.05],
  gray: [0.55, 0.55, 0.55],
  beige: [0.91, 0.85, 0.72],
  navy: [0.07, 0.1, 0.3],
  brown: [0.38, 0.26, 0.17],
};

/** An object's colour is at least this far from the ground's, so that it can be seen. */
export const leastContrast = 0.36;

const squared = (x: number) => x * x;

/** Euclidean distance of two colours, 0 … √3. */
export const colourDistance = (a: Rgb, b: Rgb) =>
  Math.sqrt(squared(a[0] - b[0]) + squared(a[1] - b[1]) + squared(a[2] - b[2]));

/** Hue, saturation, lightness → RGB. Hue in degrees, of any turn; the others 0 … 1. */
export function rgbOf(hue: number, saturation: number, lightness: number): Rgb {
  const turn = hue - 360 * Math.floor(hue / 360);
  const chroma = (1 - Math.abs(2 * lightness - 1)) * saturation;
  const channel = (shift: number) => {
    const sixth = (turn + shift) / 60;
    const k = sixth - 6 * Math.floor(sixth / 6);
    return lightness - chroma / 2 + chroma * Math.max(0, Math.min(1, k < 3 ? k - 1 : 5 - k));
  };
  return [channel(180), channel(60), channel(300)];
}

/** RGB → hue in degrees [0, 360), saturation, lightness and chroma (largest channel less the smallest), 0 … 1. */
export function hslOf([r, g, b]: Rgb): { hue: number; saturation: number; lightness: number; chroma: number } {
  const high = Math.max(r, g, b);
  const chroma = high - Math.min(r, g, b);
  const lightness = high - chroma / 2;
  const room = 1 - Math.abs(2 * lightness - 1);
  const saturation = room > 0 ? Math.min(1, chroma / room) : 0;
  if (chroma === 0) return { hue: 0, saturation, lightness, chroma };
  const sixth = high === r ? (g - b) / chroma : high === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
  return { hue: 60 * (sixth < 0 ? sixth + 6 : sixth), saturation, lightness, chroma };
}

/** Degrees from the colour's hue to another, −180 … 180; NaN where the colour has none. */
export function hueFrom(colour: Colour, hue: number): number {
  const mean = colourMeans[colour].hue?.mean ?? Number.NaN;
  const turn = (hue - mean + 180) / 360;
  return 360 * (turn - Math.floor(turn)) - 180;
}

/** A colour of less chroma than this has no hue to speak of. */
export const neutralChroma = 0.07;

/** The word for a colour: of black and white the nearer, or the hue in whose spread it lies deepest. */
export function colourWord(rgb: Rgb): Colour {
  const { hue, lightness, chroma } = hslOf(rgb);
  if (chroma < neutralChroma) return lightness < 0.5 ? 'black' : 'white';
  const distance = (colour: Colour) => Math.abs(hueFrom(colour, hue)) / colourMeans[colour].hue!.reach;
  return colours
    .filter((colour) => colourMeans[colour].hue)
    .reduce((best, c) => (distance(c) < distance(best) ? c : best));
}

/** The word for a radius in sides of the picture. */
export const sizeWord = (radius: number): Size =>
  sizes.reduce((best, size) =>
    Math.abs(radius - radiusSpread(size, null).mean) < Math.abs(radius - radiusSpread(best, null).mean) ? size : best,
  );

/** The word for a lightness (HSL's, 0 … 1) of an object that has this colour; null for black and white. */
export const toneWord = (colour: Colour, lightness: number): Tone | null =>
  colourMeans[colour].hue ? (lightness < colourMeans[colour].lightness ? 'dark' : 'light') : null;

/** The word for the colour of a ground: the nearest mean. */
export const groundWord = (rgb: Rgb): Ground =>
  grounds.reduce((best, ground) =>
    colourDistance(rgb, groundMeans[ground]) < colourDistance(rgb, groundMeans[best]) ? ground : best,
  );
