/** Rearrangements between pictures and rows of pixels, and between the levels of a U-Net. Each is its own backward pass, the other way. */

import type { Floats } from '../training/products.ts';
import { drawnPlanes } from './drawnPicture.ts';
import type { Grid } from './pictureKernels.ts';

/** Calls with the place of each number of pictures [B, 4, 2 side, 2 side] and of rows [B, side², 2, 2, 4]. */
function eachPixel({ B, side }: Grid, call: (inPicture: number, inRow: number) => void): void {
  const S = 2 * side;
  let place = 0;
  for (let b = 0; b < B; b++)
    for (let channel = 0; channel < drawnPlanes; channel++)
      for (let y = 0; y < S; y++)
        for (let x = 0; x < S; x++, place++) {
          const row = (b * side + (y >> 1)) * side + (x >> 1);
          call(place, ((row * 2 + (y & 1)) * 2 + (x & 1)) * drawnPlanes + channel);
        }
}

/** Pictures [B, 4, 2 side, 2 side] → rows [B · side², 16]. */
export function picturesToRows(rows: Floats, pictures: ArrayLike<number>, grid: Grid): void {
  eachPixel(grid, (inPicture, inRow) => {
    rows[inRow] = pictures[inPicture];
  });
}

/** Rows [B · side², 16] → pictures [B, 4, 2 side, 2 side]. */
export function rowsToPictures(pictures: Floats, rows: Floats, grid: Grid): void {
  eachPixel(grid, (inPicture, inRow) => {
    pictures[inPicture] = rows[inRow];
  });
}

/** Calls with the first place of a fine row [B · (2 side)², C], and with its place in a coarse one [B · side², 2, 2, C]. */
function eachFineRow({ B, side }: Grid, C: number, call: (fine: number, coarse: number) => void): void {
  const S = 2 * side;
  let fine = 0;
  for (let b = 0; b < B; b++)
    for (let y = 0; y < S; y++)
      for (let x = 0; x < S; x++, fine += C) {
        const row = (b * side + (y >> 1)) * side + (x >> 1);
        call(fine, ((row * 2 + (y & 1)) * 2 + (x & 1)) * C);
      }
}

/** Writes coarse rows [B · side², 4 C]: squares of 2 × 2 fine rows [B · (2 side)², C]. `grid` is the coarse one. */
export function gatherSquares(coarse: Floats, fine: Floats, grid: Grid, C: number): void {
  eachFineRow(grid, C, (from, to) => {
    for (let c = 0; c < C; c++) coarse[to + c] = fine[from + c];
  });
}

/** Adds coarse rows [B · side², 4 C] to the fine rows [B · (2 side)², C] that are their squares. `grid` is the coarse one. */
export function scatterSquares(fine: Floats, coarse: Floats, grid: Grid, C: number): void {
  eachFineRow(grid, C, (to, from) => {
    for (let c = 0; c < C; c++) fine[to + c] += coarse[from + c];
  });
}
