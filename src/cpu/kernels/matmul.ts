// Matrix product of a linear layer (eq. 30, 31, 35, 37, 39), with what linear.ts adds to it:
//   y[r, n] = Σ_k x[r, k] weight[n, k]
// K is in and N is out of the linear layer; rows are some of B · L. In order:
//   dtype      0 F32, 1 F16, 2 BF16
//   epilogue   0 bias, 1 QuickGELU, 2 residual, 3 none (see linear.ts)
//   x          [rows, K]      f32, rows `x_stride` and columns `x_step` floats apart; a transposed matrix has a stride of 1
//   weight     [⌈N/8⌉, K, 8]  panels of `dtype` (see weights.ts)
//   bias       [N]            f32, not read for epilogue 3
//   residual   [rows, N]      f32, rows `y_stride` floats apart, read for epilogue 2 only; must not overlap y
//   y          [rows, N]      f32, rows `y_stride` floats apart
//   tile_rows  4, 5 or 6, the height of a tile
//   scratch    as many bytes as matmulScratchBytes of kernels.ts says, aligned to 16
// A tile of tile_rows × 8 sums stays in registers while k runs. K is cut into blocks, so that a panel's block and a tile's part of x
// stay in cache; x is copied so that the rows of a tile lie side by side. Every y[r, n] is one sum in ascending k, whatever the
// tile, so a row is the same to the bit alone and among others. Half weights are unpacked once a block, or read as they are for few
// rows. The weights of a pass come from memory: while a block is multiplied, the next one is touched, so that it is in the cache then.
// Measured on one core (Zen 4, 77 rows, the encoder's four shapes, weights from memory, GFLOP/s at tiles of 4, 5, 6 rows): Chromium
// 156 relaxed 49, 50, 54, of the 58 that multiply-add alone reaches; plain 43, 45. In Node 20, relaxed 49, 51, 26 (6 rows spill there),
// plain 38 with 4 rows. F16 and BF16 0.9 and 0.95 of F32. Two rows: F32 24, of the 25 that reading the weights alone would allow (22
// with one panel at a time); F16 23, BF16 25. Without touching, 77 rows take 1.08 of the time and two rows 1.05. Blocks of 256 and 384
// are no faster than 768.
import { finish_columns } from './linear';
import { madd } from './simd';
import { BF16, element_bytes, F16, F32, unpack, weights_0_to_3, weights_4_to_7 } from './weights';

/** Longest block of K where there are more than a few rows: 24 KB of a float32 panel. */
const BLOCK: i32 = 768;

/** Most rows that read half weights as they are; more share what is unpacked once. */
const FEW_ROWS: i32 = 4;

/**
 * Bytes from one touch of the weights that come next to another. Many tiles take so long that each line of the cache can be touched:
 * the processor sees an ascending order, and has fetched each line before. Few touch each half page, which spares them the time
 * that a page's first line takes; the processor fetches the rest when it is read.
 */
const LINE: i32 = 64;
const HALF_PAGE: i32 = 2048;

/** Fewest tiles that touch each line. */
const MANY_TILES: i32 = 4;

/** Four sums of a tile; zeros where they are `fresh` or belong to a row that the tile does not have. */
@inline
function load_sums(used: bool, fresh: bool, sums: usize): v128 {
  return !used || fresh ? f32x4.splat(0) : v128.load(sums);
}

@inline
function store_sums(sums: usize, first: v128, last: v128): void {
  v128.store(sums, first);
  v128.store(sums, last, 16);
}

/**
 * Adds the products of a block of K to sums [SUMS, 8]; where they are `fresh`, they are taken for zeros. With one panel [K][8], SUMS
 * is the number of rows of x [K][rows]. With two PANELS, `gap` bytes apart, the first half of the sums is the rows' with one of
 * them and the last half is the same rows' with the other. Where panels are F32, a byte of each is read before each `touch_steps`
 * of k, from `ahead` on, each `touch_bytes` after the last.
 */
@inline
function tile(
  PANELS: i32,
  SUMS: i32,
  DTYPE: i32,
  x: usize,
  panel: usize,
  K: i32,
  sums: usize,
  fresh: bool,
  ahead: usize,
  touch_bytes: usize,
  touch_steps: i32,
  gap: usize,
): void {
  const x_step = (4 * SUMS) / PANELS;
  let first0 = load_sums(true, fresh, sums);
  let last0 = load_sums(true, fresh, sums + 16);
  let first1 = load_sums(SUMS > 1, fresh, sums + 32);
  let last1 = load_sums(SUMS > 1, fresh, sums + 48);
  let first2 = load_sums(SUMS > 2, fresh, sums + 64);
  let last2 = load_sums(SUMS > 2, fresh, sums + 80);
  let first3 = load_sums(SUMS > 3, fresh, sums + 96);
  let last3 = load_sums(SUMS > 3, fresh, sums + 112);
  let first4 = load_sums(SUMS > 4, fresh, sums + 128);
  let last4 = load_sums(SUMS > 4, fresh, sums + 144);
  let first5 = load_sums(SUMS > 5, fresh, sums + 160);
  let last5 = load_sums(SUMS > 5, fresh, sums + 176);
  for (const end = x + x_step * K; x < end; ahead += touch_bytes) {
    if (DTYPE === F32) load<u8>(ahead);
    if (PANELS > 1) load<u8>(ahead + gap);
    const pause = DTYPE === F32 ? min(end, x + x_step * touch_steps) : end;
    for (; x < pause; x += x_step, panel += 8 * element_bytes(DTYPE)) {
      const first = weights_0_to_3(DTYPE, panel);
      const last = weights_4_to_7(DTYPE, panel);
      const other_first = PANELS > 1 ? weights_0_to_3(DTYPE, panel + gap) : first;
      const other_last = PANELS > 1 ? weights_4_to_7(DTYPE, panel + gap) : last;
      // Four rows are loaded at once where Node 20 would else load five before it multiplies, for which it has no registers.
      const four = SUMS === 5 ? v128.load(x) : f32x4.splat(0);
      const x0 = SUMS === 5 ? v128.shuffle<f32>(four, four, 0, 0, 0, 0) : v128.load32_splat(x);
      first0 = madd(x0, first, first0);
      last0 = madd(x0, last, last0);
      if (SUMS > 1) {
        const x1 = PANELS === SUMS ? x0 : SUMS === 5 ? v128.shuffle<f32>(four, four, 1, 1, 1, 1) : v128.load32_splat(x, 4);
        first1 = madd(x1, PANELS === SUMS ? other_first : first, first1);
        last1 = madd(x1, PANELS === SUMS ? other_last : last, last1);
        if (SUMS > 2) {
          const x2 = PANELS > 1 ? x0 : SUMS === 5 ? v128.shuffle<f32>(four, four, 2, 2, 2, 2) : v128.load32_splat(x, 8);
          first2 = madd(x2, other_first, first2);
          last2 = madd(x2, other_last, last2);
        }
        if (SUMS > 3) {
          const x3 = PANELS > 1 ? x1 : SUMS === 5 ? v128.shuffle<f32>(four, four, 3, 3, 3, 3) : v128.load32_splat(x, 12);
          first3 = madd(x3, other_first, first3);
          last3 = madd(x3, other_last, last3);
        }
      }
      if (SUMS > 4) {
        const x4 = v128.load32_splat(x, 16);
        first4 = madd(x4, first, first4);
        last4 = madd(x4, last, last4);
      }
      if (SUMS > 5) {
        const x5 = v128.load32_splat(x, 20);
        first5 = madd(x5, first, first5);
        last5 = madd(x5, last, last5);
      }
    }
  }
  store_sums(sums, first0, last0);
  if (SUMS > 1) store_sums(sums + 32, first1, last1);
  if (SUMS > 2) store_sums(sums + 64, first2, last2);
  if (SUMS > 3) store_sums(sums + 96, first3, last3);
  if (SUMS > 4) store_sums(sums + 128, first4, last4);
  if (SUMS > 5) store_sums(sums + 160, first5, last5);
}

/** A tile of float32 weights: of one panel, or of two for one or two rows. */
function f32_tile(
  panels: i32,
  rows: i32,
  x: usize,
  panel: usize,
  K: i32,
  sums: usize,
  fresh: bool,
  ahead: usize,
  touch_bytes: usize,
  touch_steps: i32,
  gap: usize,
): void {
  if (panels === 2) {
    if (rows === 2) tile(2, 4, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, gap);
    else tile(2, 2, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, gap);
  } else if (rows === 6) tile(1, 6, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, 0);
  else if (rows === 5) tile(1, 5, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, 0);
  else if (rows === 4) tile(1, 4, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, 0);
  else if (rows === 3) tile(1, 3, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, 0);
  else if (rows === 2) tile(1, 2, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, 0);
  else tile(1, 1, F32, x, panel, K, sums, fresh, ahead, touch_bytes, touch_steps, 0);
}

/** A tile of at most FEW_ROWS rows of half weights as they are stored, all of K. Touching halves ahead gains nothing. */
@inline
function half_tile(DTYPE: i32, rows: i32, x: usize, panel: usize, K: i32, sums: usize): void {
  if (rows === 4) tile(1, 4, DTYPE, x, panel, K, sums, true, 0, 0, K, 0);
  else if (rows === 3) tile(1, 3, DTYPE, x, panel, K, sums, true, 0, 0, K, 0);
  else if (rows === 2) tile(1, 2, DTYPE, x, panel, K, sums, true, 0, 0, K, 0);
  else tile(1, 1, DTYPE, x, panel, K, sums, true, 0, 0, K, 0);
}

function f16_tile(rows: i32, x: usize, panel: usize, K: i32, sums: usize): void {
  half_tile(F16, rows, x, panel, K, sums);
}

function bf16_tile(rows: i32, x: usize, panel: usize, K: i32, sums: usize): void {
  half_tile(BF16, rows, x, panel, K, sums);
}

/** Copies some columns of x, so that the rows of each tile lie side by side: [K][rows of the tile], tile after tile. */
function interleave(x: usize, stride: usize, rows: i32, tile_rows: i32, K: i32, to: usize): void {
  for (let row = 0; row < rows; row += tile_rows) {
    const height = min(tile_rows, rows - row);
    for (let r = 0; r < height; r++) {
      const from = x + <usize>(row + r) * stride;
      let at = to + 4 * r;
      for (let k = 0; k < K; k++, at += 4 * height) store<f32>(at, load<f32>(from + 4 * k));
    }
    to += 4 * height * K;
  }
}

/** Does what `interleave` does where columns are `step` bytes apart: it goes along k, so that each column is fetched once a tile. */
function interleave_columns(x: usize, stride: usize, step: usize, rows: i32, tile_rows: i32, K: i32, to: usize): void {
  for (let row = 0; row < rows; row += tile_rows) {
    const height = min(tile_rows, rows - row);
    let column = x + <usize>row * stride;
    for (let k = 0; k < K; k++, column += step)
      for (let r = 0; r < height; r++, to += 4) store<f32>(to, load<f32>(column + <usize>r * stride));
  }
}

export function matmul(
  dtype: i32,
  epilogue: i32,
  x: usize,
  x_stride: i32,
  x_step: i32,
  weight: usize,
  bias: usize,
  residual: usize,
  y: usize,
  y_stride: i32,
  rows: i32,
  K: i32,
  N: i32,
  tile_rows: i32,
  scratch: usize,
): void {
  const x_row = <usize>x_stride * 4;
  const y_row = <usize>y_stride * 4;
  const tile_count = (rows + tile_rows - 1) / tile_rows;
  const panel_step = 8 * element_bytes(dtype);
  // Few rows read each weight once, and need no block that stays in cache.
  const block = rows <= FEW_ROWS ? K : BLOCK;
  const direct = dtype === F32 || rows <= FEW_ROWS;
  // One or two rows leave so few sums that each waits for its last addition: they read two panels at once, one from each half.
  const panels = dtype === F32 && rows <= 2 && N % 16 === 0 ? 2 : 1;
  const columns = N / panels;
  const gap = <usize>columns * K * 4;
  const unpacked = scratch;
  const panel_sums = panels > 1 ? unpacked : unpacked + 32 * BLOCK;
  const tiles = unpacked + 32 * BLOCK + 32 * <usize>rows;
  for (let from = 0; from < K; from += block) {
    const length = min(block, K - from);
    const block_x = x + 4 * from * x_step;
    const to = tiles + 4 * from * rows;
    if (x_step === 1) interleave(block_x, x_row, rows, tile_rows, length, to);
    else interleave_columns(block_x, x_row, <usize>x_step * 4, rows, tile_rows, length, to);
  }

  const spacing = tile_count < MANY_TILES ? HALF_PAGE : LINE;
  const touch_steps = (spacing * tile_count) / panel_step;
  const end = weight + <usize>((columns + 7) >> 3) * K * panel_step;
  let next = weight;
  for (let n = 0; n < columns; n += 8) {
    for (let from = 0; from < K; from += block) {
      const length = min(block, K - from);
      let panel = next;
      next += length * panel_step;
      // The last block reads its own weights again. Nothing past the end is read: it may be the end of the memory.
      const touches = ((length + touch_steps - 1) / touch_steps) * tile_count;
      const touch_bytes = min(spacing, min(<i32>(end - next), length * panel_step) / touches);
      let ahead = next < end ? next : panel;
      if (!direct) {
        unpack(dtype, panel, length, unpacked);
        panel = unpacked;
      }
      let tile_x = tiles + 4 * from * rows;
      for (let row = 0; row < rows; row += tile_rows) {
        const height = min(tile_rows, rows - row);
        const sums = panel_sums + 32 * row;
        if (dtype === F32 || !direct)
          f32_tile(panels, height, tile_x, panel, length, sums, from === 0, ahead, touch_bytes, touch_steps, gap);
        else if (dtype === F16) f16_tile(height, tile_x, panel, K, sums);
        else bf16_tile(height, tile_x, panel, K, sums);
        tile_x += 4 * height * length;
        ahead += (touches / tile_count) * touch_bytes;
      }
    }
    for (let column = n, sums = panel_sums; column < N; column += columns, sums += 32 * rows) {
      const at = 4 * column;
      finish_columns(epilogue, sums, bias + at, residual + at, y + at, y_row, rows, min(8, N - column));
    }
  }
}
