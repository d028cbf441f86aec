// QuickGELU (eq. 27), which the first layer of the MLP ends with:
//   quick_gelu(u) = u · sigmoid(1.702 u)
// The argument of exp is never positive, so it cannot overflow.
import { exp } from './simd';

@inline
export function quick_gelu(u: v128): v128 {
  const one = f32x4.splat(1);
  const e = exp(f32x4.neg(f32x4.abs(f32x4.mul(u, f32x4.splat(1.702)))));
  const numerator = v128.bitselect(one, e, f32x4.ge(u, f32x4.splat(0)));
  return f32x4.div(f32x4.mul(u, numerator), f32x4.add(one, e));
}
