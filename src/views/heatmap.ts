import { type ColourScale, flatScale, tableIndex } from './color.ts';

/** A matrix, or a part of one, to be drawn one pixel a cell. */
export interface MatrixPicture {
  /** [·, stride] Row-major; cell (r, c) is values[offset + r · stride + c]. */
  readonly values: ArrayLike<number>;
  readonly stride: number;
  readonly offset?: number;
  /** Which rows and columns to draw, in order. */
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly scale: ColourScale;
  /** [·, stride] Without offset: 0 where a cell is masked. */
  readonly mask?: ArrayLike<number>;
}

/** What a value that is not a number is drawn as: it must never pass for one. */
const notANumber = [255, 0, 255, 255];

/**
 * [rows, columns, 4] RGBA. Masked cells are left transparent: the hatch behind the picture shows through, so that they
 * cannot be taken for small values.
 */
export function heatmapPixels({
  values,
  stride,
  offset = 0,
  rows,
  columns,
  scale,
  mask,
}: MatrixPicture): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(rows.length * columns.length * 4);
  let at = 0;
  for (const row of rows)
    for (const column of columns) {
      if (mask?.[row * stride + column] !== 0) {
        const value = values[offset + row * stride + column];
        if (Number.isNaN(value)) rgba.set(notANumber, at);
        else {
          const from = tableIndex(scale, value) * 4;
          rgba[at] = scale.table[from];
          rgba[at + 1] = scale.table[from + 1];
          rgba[at + 2] = scale.table[from + 2];
          rgba[at + 3] = 255;
        }
      }
      at += 4;
    }
  return rgba;
}

/** 0, 1, …, n − 1 */
export function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** A mask [L, L]: what is visible in one colour, what is masked transparent. */
export function maskPixels(mask: Uint8Array, L: number, dark: boolean): Uint8ClampedArray<ArrayBuffer> {
  const scale = flatScale(dark ? '#5b84d6' : '#4a78cf');
  return heatmapPixels({ values: mask, stride: L, rows: range(L), columns: range(L), scale, mask });
}
