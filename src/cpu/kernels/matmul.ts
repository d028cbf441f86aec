// Matrix product of a linear layer (eq. 30, 31, 35, 37, 39), with what linear.ts adds to it:
//   y[r, n] = Σ_k x[r, k] weight[n, k]
// K is in and N is out of the linear layer; rows are some of B · L. In order:
//   dtype      0 F32, 1 F16, 2 BF16
//   epilogue   0 bias, 1 QuickGELU, 2 residual, 3 none (see linear.ts)
//   x          [rows, K]      f32, rows `x_stride` and columns `x_step` floats apart; a transposed matrix has a stride of 1
//   weight     [⌈N/8⌉, K, 8]  panels of `dtype` (see weights.ts)
//   bias       [N]            f32, not read for epilogue 3
//   residual   [rows, N]      f32, rows `y_stride` floats apart, read for epilogue 2 only; must not overlap y
//   y          [rows, N]      f32, rows `y_stride` floats apart; holds partial sums on the way
//   tile_rows  4, 5 or 6, the height of a tile
//   scratch    as many bytes as matmulScratchBytes of kernels.ts says, aligned to 16
// A tile of tile_rows × 8 sums stays in registers while k runs. K is cut into blocks, so that x and a panel stay in cache; x is
// copied so that the rows of a tile lie side by side. Every y[r, n] is one sum in ascending k, whatever the tile, so a row is
// the same to the bit alone and among others. Half weights are unpacked once a block, or read as they are for few rows.
// Measured on one core (Zen, 77 rows, the encoder's four shapes, GFLOP/s at tiles of 4, 5, 6 rows): relaxed 46, 48, 50, plain
// 37, 40, 28, as a sixth row spills there; F16 and BF16 0.92 to 0.97 of F32. Two rows: F32 17 to 25, F16 20 to 24, BF16 22 to 28,
// which is 10 to 25 GB/s of weights. Blocks of 256 and 384 are up to 0.1 slower than 768.
import { finish_columns } from './linear';
import { madd } from './simd';
import { BF16, element_bytes, F16, F32, unpack, weights_0_to_3, weights_4_to_7 } from './weights';

/** Longest block of K where there is more than one tile: 24 KB of a float32 panel. */
const BLOCK: i32 = 768;

/** Most rows that read half weights as they are; more share what is unpacked once. */
const FEW_ROWS: i32 = 4;

@inline
function store_sums(sums: usize, first: v128, last: v128): void {
  v128.store(sums, first);
  v128.store(sums, last, 16);
}

/** Adds the products of a block of K to sums [ROWS, 8], whose rows are `stride` bytes apart. x is [K][ROWS], the panel [K][8]. */
@inline
function tile(ROWS: i32, DTYPE: i32, x: usize, panel: usize, K: i32, sums: usize, stride: usize): void {
  const zero = f32x4.splat(0);
  let first0 = v128.load(sums);
  let last0 = v128.load(sums, 16);
  let first1 = ROWS > 1 ? v128.load(sums + stride) : zero;
  let last1 = ROWS > 1 ? v128.load(sums + stride, 16) : zero;
  let first2 = ROWS > 2 ? v128.load(sums + 2 * stride) : zero;
  let last2 = ROWS > 2 ? v128.load(sums + 2 * stride, 16) : zero;
  let first3 = ROWS > 3 ? v128.load(sums + 3 * stride) : zero;
  let last3 = ROWS > 3 ? v128.load(sums + 3 * stride, 16) : zero;
  let first4 = ROWS > 4 ? v128.load(sums + 4 * stride) : zero;
  let last4 = ROWS > 4 ? v128.load(sums + 4 * stride, 16) : zero;
  let first5 = ROWS > 5 ? v128.load(sums + 5 * stride) : zero;
  let last5 = ROWS > 5 ? v128.load(sums + 5 * stride, 16) : zero;
  for (const end = x + 4 * ROWS * K; x < end; x += 4 * ROWS, panel += 8 * element_bytes(DTYPE)) {
    const first = weights_0_to_3(DTYPE, panel);
    const last = weights_4_to_7(DTYPE, panel);
    const x0 = v128.load32_splat(x);
    first0 = madd(x0, first, first0);
    last0 = madd(x0, last, last0);
    if (ROWS > 1) {
      const x1 = v128.load32_splat(x, 4);
      first1 = madd(x1, first, first1);
      last1 = madd(x1, last, last1);
    }
    if (ROWS > 2) {
      const x2 = v128.load32_splat(x, 8);
      first2 = madd(x2, first, first2);
      last2 = madd(x2, last, last2);
    }
    if (ROWS > 3) {
      const x3 = v128.load32_splat(x, 12);
      first3 = madd(x3, first, first3);
      last3 = madd(x3, last, last3);
    }
    if (ROWS > 4) {
      const x4 = v128.load32_splat(x, 16);
      first4 = madd(x4, first, first4);
      last4 = madd(x4, last, last4);
    }
    if (ROWS > 5) {
      const x5 = v128.load32_splat(x, 20);
      first5 = madd(x5, first, first5);
      last5 = madd(x5, last, last5);
    }
  }
  store_sums(sums, first0, last0);
  if (ROWS > 1) store_sums(sums + stride, first1, last1);
  if (ROWS > 2) store_sums(sums + 2 * stride, first2, last2);
  if (ROWS > 3) store_sums(sums + 3 * stride, first3, last3);
  if (ROWS > 4) store_sums(sums + 4 * stride, first4, last4);
  if (ROWS > 5) store_sums(sums + 5 * stride, first5, last5);
}

/** A tile of float32 weights. */
function f32_tile(rows: i32, x: usize, panel: usize, K: i32, sums: usize, stride: usize): void {
  if (rows === 6) tile(6, F32, x, panel, K, sums, stride);
  else if (rows === 5) tile(5, F32, x, panel, K, sums, stride);
  else if (rows === 4) tile(4, F32, x, panel, K, sums, stride);
  else if (rows === 3) tile(3, F32, x, panel, K, sums, stride);
  else if (rows === 2) tile(2, F32, x, panel, K, sums, stride);
  else tile(1, F32, x, panel, K, sums, stride);
}

/** A tile of at most FEW_ROWS rows of half weights as they are stored. */
@inline
function half_tile(DTYPE: i32, rows: i32, x: usize, panel: usize, K: i32, sums: usize, stride: usize): void {
  if (rows === 4) tile(4, DTYPE, x, panel, K, sums, stride);
  else if (rows === 3) tile(3, DTYPE, x, panel, K, sums, stride);
  else if (rows === 2) tile(2, DTYPE, x, panel, K, sums, stride);
  else tile(1, DTYPE, x, panel, K, sums, stride);
}

function f16_tile(rows: i32, x: usize, panel: usize, K: i32, sums: usize, stride: usize): void {
  half_tile(F16, rows, x, panel, K, sums, stride);
}

function bf16_tile(rows: i32, x: usize, panel: usize, K: i32, sums: usize, stride: usize): void {
  half_tile(BF16, rows, x, panel, K, sums, stride);
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
  const y_step = <usize>y_stride * 4;
  // Few rows read each weight once, and a panel that is read from end to end comes fastest from memory.
  const block = rows <= FEW_ROWS ? K : BLOCK;
  const direct = dtype === F32 || rows <= FEW_ROWS;
  const unpacked = scratch;
  // The last columns have sums of their own where a whole panel would reach past the end of y.
  const rest = scratch + 32 * BLOCK;
  const tiles = rest + 32 * <usize>rows;
  for (let row = 0; row < rows; row++) memory.fill(y + <usize>row * y_step, 0, 4 * N);
  memory.fill(rest, 0, 32 * rows);

  for (let from = 0; from < K; from += block) {
    const length = min(block, K - from);
    const block_x = x + 4 * from * x_step;
    const x_row = <usize>x_stride * 4;
    if (x_step === 1) interleave(block_x, x_row, rows, tile_rows, length, tiles);
    else interleave_columns(block_x, x_row, <usize>x_step * 4, rows, tile_rows, length, tiles);
    for (let n = 0; n < N; n += 8) {
      const whole = n + 8 <= N;
      const sums = whole ? y + 4 * n : rest;
      const stride: usize = whole ? y_step : 32;
      let panel = weight + <usize>(n * K + 8 * from) * element_bytes(dtype);
      if (!direct) {
        unpack(dtype, panel, length, unpacked);
        panel = unpacked;
      }
      for (let row = 0; row < rows; row += tile_rows) {
        const height = min(tile_rows, rows - row);
        const tile_x = tiles + 4 * row * length;
        const tile_sums = sums + <usize>row * stride;
        if (dtype === F32 || !direct) f32_tile(height, tile_x, panel, length, tile_sums, stride);
        else if (dtype === F16) f16_tile(height, tile_x, panel, length, tile_sums, stride);
        else bf16_tile(height, tile_x, panel, length, tile_sums, stride);
      }
      if (from + length === K)
        finish_columns(epilogue, sums, stride, bias + 4 * n, residual + 4 * n, y + 4 * n, y_step, rows, min(8, N - n));
    }
  }
}
