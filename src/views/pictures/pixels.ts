import { type ColourScale, tableIndex } from './color.ts';
import { flatScale } from './valueScales.ts';

/** A matrix, or a part of one, drawn with one pixel a cell. */
export interface MatrixPicture {
  /** [·, stride] Row-major; cell (r, c) is values[offset + r · stride + c]. */
  readonly values: ArrayLike<number>;
  readonly stride: number;
  readonly offset?: number;
  /** Rows and columns to draw, in order. */
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly scale: ColourScale;
  /** Number of square matrices [stride, stride], from `offset` on; one by default. */
  readonly matrices?: number;
  /** Buffer to reuse if its size matches; clearing a new one takes a third of the time. */
  readonly into?: Uint8ClampedArray<ArrayBuffer>;
  /** Mask of each matrix, without offset: [·, stride], 0 if a cell is masked. */
  readonly mask?: ArrayLike<number>;
}

/** Colour of a value that is not a number, unlike any colour of a number. */
const [notANumber] = pixelsOf(Uint8ClampedArray.of(255, 0, 255, 255));

/** Views RGBA as one number a pixel, so that one write sets a pixel. */
function pixelsOf(rgba: Uint8ClampedArray<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  return new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4);
}

/**
 * Bits of a float32 that choose its colour: sign, exponent and 8 bits of the fraction. Their step is at most 0.4 % of
 * the value, less than a step of colour.
 */
const keptBits = 17;
const droppedBits = 32 - keptBits;

/** Returns the bits of the values as float32. */
function wordsOf(values: ArrayLike<number>): Uint32Array {
  const floats = values instanceof Float32Array ? values : Float32Array.from(values);
  return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);
/** Colours that the picture used so far, by those bits; 0 if not used yet. */
const known = new Uint32Array(2 ** keptBits);

/** Returns the value nearest to 0 that begins with these bits. */
function fromBits(bits: number): number {
  word[0] = bits << droppedBits;
  return float[0];
}

/**
 * Draws a matrix: [rows, columns, 4] RGBA, or [matrices · rows, columns, 4] for `matrices` one after the other. Masked
 * cells stay transparent, so that the hatching behind the picture shows and they cannot be taken for small values.
 */
export function heatmapPixels({
  values,
  stride,
  offset = 0,
  rows,
  columns,
  scale,
  mask,
  matrices = 1,
  into,
}: MatrixPicture): Uint8ClampedArray<ArrayBuffer> {
  const cells = rows.length * columns.length;
  const size = matrices * cells * 4;
  const rgba = into?.length === size ? into.fill(0) : new Uint8ClampedArray(size);
  const pixels = pixelsOf(rgba);
  // Colours are looked up by a value's first bits, because a picture has many more cells than colours, and asking the
  // scale for each cell takes ten times as long.
  const words = wordsOf(values);
  known.fill(0);
  const colours = pixelsOf(scale.table);
  const colourOf = (value: number) => (Number.isNaN(value) ? notANumber : colours[tableIndex(scale, value)]);
  const runs = visibleRuns(rows, columns, stride, mask);
  for (let matrix = 0; matrix < matrices; matrix++)
    for (const run of runs) {
      const shift = offset + matrix * stride * stride + run.from - matrix * cells - run.to;
      const end = matrix * cells + run.end;
      for (let pixel = matrix * cells + run.to; pixel < end; pixel++) {
        const bits = words[pixel + shift] >>> droppedBits;
        // No colour is 0, since none of them is transparent.
        let colour = known[bits];
        if (colour === 0) {
          const value = fromBits(bits);
          // NaN and infinity may differ only in the bits that were dropped.
          colour = colourOf(Number.isFinite(value) ? value : values[pixel + shift]);
          if (Number.isFinite(value)) known[bits] = colour;
        }
        pixels[pixel] = colour;
      }
    }
  return rgba;
}

/** Cells side by side: in the matrix from `from` on, in its picture from `to` to `end`. */
interface Run {
  readonly from: number;
  readonly to: number;
  end: number;
}

/** Yields the cells that are not masked. */
function visibleRuns(
  rows: readonly number[],
  columns: readonly number[],
  stride: number,
  mask?: ArrayLike<number>,
): readonly Run[] {
  const runs: Run[] = [];
  let last: Run | undefined;
  let at = 0;
  for (const row of rows)
    for (const column of columns) {
      const cell = row * stride + column;
      if (mask?.[cell] !== 0) {
        if (last?.end === at && cell - last.from === at - last.to) last.end++;
        else {
          last = { from: cell, to: at, end: at + 1 };
          runs.push(last);
        }
      }
      at++;
    }
  return runs;
}

/** 0, 1, …, n − 1 */
export function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Draws a mask [L, L]: visible cells in one colour, masked ones transparent. */
export function maskPixels(mask: Uint8Array, L: number, dark: boolean): Uint8ClampedArray<ArrayBuffer> {
  const scale = flatScale(dark ? '#5b84d6' : '#4a78cf');
  return heatmapPixels({ values: mask, stride: L, rows: range(L), columns: range(L), scale, mask });
}
