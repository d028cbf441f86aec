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

/** [256, 4] RGBA between neighbouring colours "#rrggbb", which lie at equal distances. Each pair is near enough for a mean of its channels. */
function tintTable(colours: readonly string[]): Uint8ClampedArray<ArrayBuffer> {
  const stops = colours.map((colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)));
  const rgba = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (stops.length - 1);
    const from = Math.min(stops.length - 2, Math.floor(place));
    const share = place - from;
    rgba.set([...stops[from].map((channel, c) => channel + share * (stops[from + 1][c] - channel)), 255], i * 4);
  }
  return rgba;
}

/** Background colours for text: their ends keep away from the lightness of the text in either theme. */
const tint = {
  light: tintTable(['#6a9fe8', '#adcaf2', '#f4f4f1', '#f4c792', '#e58e37']),
  dark: tintTable(['#2a60ae', '#28476f', '#22262d', '#65401a', '#9c5309']),
};

/** A tick's number, in as few digits as it needs. */
export const short = (value: number) =>
  value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(0) : String(Number(value.toPrecision(3)));

/**
 * Scale of token weights from ½ to 2, logarithmic about 1: ×1.1 and ÷1.1 are equally far. Zero and below are drawn as
 * the low end.
 */
export function weightScale(dark: boolean): ColourScale {
  return {
    position: (weight) => (weight <= 0 ? 0 : Math.min(1, Math.max(0, (Math.log2(weight) + 1) / 2))),
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
