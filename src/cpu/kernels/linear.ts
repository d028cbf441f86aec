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

/**
 * Finishes some columns of y.
 *   sums      [rows, columns] f32, rows `sums_stride` bytes apart, may be y itself
 *   bias      [columns]       f32, not read for epilogue 3
 *   residual  [rows, columns] f32, rows `y_stride` bytes apart, read for epilogue 2 only
 *   y         [rows, columns] f32, rows `y_stride` bytes apart
 * `columns` is 1 to 8; each of up to 7 is computed as four equal lanes, so that nothing past the end is read or written.
 */
export function finish_columns(
  epilogue: i32,
  sums: usize,
  sums_stride: usize,
  bias: usize,
  residual: usize,
  y: usize,
  y_stride: usize,
  rows: i32,
  columns: i32,
): void {
  const zero = f32x4.splat(0);
  const has_bias = epilogue !== NONE;
  const has_residual = epilogue === RESIDUAL;
  for (let row = 0; row < rows; row++) {
    if (columns === 8) {
      for (let c: usize = 0; c < 32; c += 16) {
        const b = has_bias ? v128.load(bias + c) : zero;
        const r = has_residual ? v128.load(residual + c) : zero;
        v128.store(y + c, finish(epilogue, v128.load(sums + c), b, r));
      }
    } else {
      for (let c: usize = 0; c < <usize>columns * 4; c += 4) {
        const b = has_bias ? v128.load32_splat(bias + c) : zero;
        const r = has_residual ? v128.load32_splat(residual + c) : zero;
        store<f32>(y + c, f32x4.extract_lane(finish(epilogue, v128.load32_splat(sums + c), b, r), 0));
      }
    }
    sums += sums_stride;
    residual += y_stride;
    y += y_stride;
  }
}
