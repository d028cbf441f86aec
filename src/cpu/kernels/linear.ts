// The end of a linear layer, after its matrix product: the biases of the Q, K, V and output projections (eq. 30, 31, 35, which
// leave them out) and of the MLP's two layers (eq. 36 to 39), QuickGELU (eq. 27) and the residual sums (eq. 42 to 44, 47).
//   y = x Wᵀ + b                        epilogue 0
//   y = quick_gelu(x Wᵀ + b)            epilogue 1
//   y = residual + x Wᵀ + b             epilogue 2
//   y = x Wᵀ                            epilogue 3, for a part of K whose sum is completed elsewhere
import { quick_gelu } from './quick_gelu';

const QUICK_GELU: i32 = 1;
const RESIDUAL: i32 = 2;
const NONE: i32 = 3;

@inline
function finish(epilogue: i32, product: v128, bias: v128, residual: v128): v128 {
  if (epilogue === NONE) return product;
  const sum = f32x4.add(product, bias);
  if (epilogue === QUICK_GELU) return quick_gelu(sum);
  return epilogue === RESIDUAL ? f32x4.add(residual, sum) : sum;
}

/** All 8 columns of a panel. */
function finish_panel(
  epilogue: i32,
  sums: usize,
  bias: usize,
  residual: usize,
  y: usize,
  y_stride: usize,
  rows: i32,
): void {
  const zero = f32x4.splat(0);
  const first_bias = epilogue === NONE ? zero : v128.load(bias);
  const last_bias = epilogue === NONE ? zero : v128.load(bias, 16);
  for (const end = sums + 32 * rows; sums < end; sums += 32, residual += y_stride, y += y_stride) {
    const first_residual = epilogue === RESIDUAL ? v128.load(residual) : zero;
    const last_residual = epilogue === RESIDUAL ? v128.load(residual, 16) : zero;
    const first = finish(epilogue, v128.load(sums), first_bias, first_residual);
    const last = finish(epilogue, v128.load(sums, 16), last_bias, last_residual);
    v128.store(y, first);
    v128.store(y, last, 16);
  }
}

/** Up to 7 columns; each is computed as four equal lanes, so that nothing past the end is read or written. */
function finish_rest(
  epilogue: i32,
  sums: usize,
  bias: usize,
  residual: usize,
  y: usize,
  y_stride: usize,
  rows: i32,
  columns: i32,
): void {
  const zero = f32x4.splat(0);
  for (const end = sums + 32 * rows; sums < end; sums += 32, residual += y_stride, y += y_stride) {
    for (let c: usize = 0; c < <usize>columns * 4; c += 4) {
      const b = epilogue === NONE ? zero : v128.load32_splat(bias + c);
      const r = epilogue === RESIDUAL ? v128.load32_splat(residual + c) : zero;
      store<f32>(y + c, f32x4.extract_lane(finish(epilogue, v128.load32_splat(sums + c), b, r), 0));
    }
  }
}

/**
 * Finishes the columns of a panel.
 *   sums      [rows, 8]        f32
 *   bias      [columns]        f32, not read for epilogue 3
 *   residual  [rows, columns]  f32, rows `y_stride` bytes apart, read for epilogue 2 only
 *   y         [rows, columns]  f32, rows `y_stride` bytes apart
 * `columns` is 1 to 8.
 */
export function finish_columns(
  epilogue: i32,
  sums: usize,
  bias: usize,
  residual: usize,
  y: usize,
  y_stride: usize,
  rows: i32,
  columns: i32,
): void {
  if (columns < 8) finish_rest(epilogue, sums, bias, residual, y, y_stride, rows, columns);
  else finish_panel(epilogue, sums, bias, residual, y, y_stride, rows);
}
