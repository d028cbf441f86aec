// QuickGELU (eq. 27), which the first layer of the MLP ends with:
//   quick_gelu(u) = u · sigmoid(1.702 u)
//   quick_gelu′(u) = s + 1.702 u s (1 − s),   s = sigmoid(1.702 u)
// The argument of exp is never positive, so it cannot overflow.
import { exp, madd } from './simd';

/** sigmoid(a) */
@inline
function sigmoid(a: v128): v128 {
  const one = f32x4.splat(1);
  const e = exp(f32x4.neg(f32x4.abs(a)));
  return f32x4.div(v128.bitselect(one, e, f32x4.ge(a, f32x4.splat(0))), f32x4.add(one, e));
}

@inline
export function quick_gelu(u: v128): v128 {
  const one = f32x4.splat(1);
  const e = exp(f32x4.neg(f32x4.abs(f32x4.mul(u, f32x4.splat(1.702)))));
  const numerator = v128.bitselect(one, e, f32x4.ge(u, f32x4.splat(0)));
  return f32x4.div(f32x4.mul(u, numerator), f32x4.add(one, e));
}

/** y = quick_gelu(u) of `count` floats, a multiple of 4. */
export function quick_gelu_forward(y: usize, u: usize, count: i32): void {
  for (const end = u + 4 * count; u < end; u += 16, y += 16) v128.store(y, quick_gelu(v128.load(u)));
}

/** dy → dy · quick_gelu′(u), in place, of `count` floats, a multiple of 4. */
export function quick_gelu_backward(dy: usize, u: usize, count: i32): void {
  const one = f32x4.splat(1);
  for (const end = u + 4 * count; u < end; u += 16, dy += 16) {
    const a = f32x4.mul(v128.load(u), f32x4.splat(1.702));
    const s = sigmoid(a);
    const slope = f32x4.mul(s, madd(a, f32x4.sub(one, s), one));
    v128.store(dy, f32x4.mul(v128.load(dy), slope));
  }
}
