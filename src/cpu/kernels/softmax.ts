// Softmax of the rows of a matrix (eq. 32, 33) and its gradient, in place:
//   p[i, :] = softmax(scale · s[i, :])
//   ds[i, j] = scale · p[i, j] (dp[i, j] − Σ_j p[i, j] dp[i, j])
//   s → p    [rows, columns]  f32
//   dp → ds  [rows, columns]  f32
// Nothing is masked. The argument of exp is never positive, so it cannot overflow.
import { exp, lane_max, lane_sum, madd } from './simd';

export function softmax(s: usize, rows: i32, columns: i32, scale: f32): void {
  const width: usize = 4 * columns;
  const whole: usize = 16 * (columns >> 2);
  const factor = f32x4.splat(scale);
  for (let row = 0; row < rows; row++, s += width) {
    let largest = f32x4.splat(load<f32>(s));
    for (let c: usize = 0; c < whole; c += 16) largest = f32x4.pmax(largest, v128.load(s + c));
    for (let c = whole; c < width; c += 4) largest = f32x4.pmax(largest, v128.load32_splat(s + c));
    const top = f32x4.splat(lane_max(largest));
    let sums = f32x4.splat(0);
    for (let c: usize = 0; c < whole; c += 16) {
      const e = exp(f32x4.mul(f32x4.sub(v128.load(s + c), top), factor));
      v128.store(s + c, e);
      sums = f32x4.add(sums, e);
    }
    let sum = lane_sum(sums);
    for (let c = whole; c < width; c += 4) {
      const e = f32x4.extract_lane(exp(f32x4.mul(f32x4.sub(v128.load32_splat(s + c), top), factor)), 0);
      store<f32>(s + c, e);
      sum += e;
    }
    const normaliser: f32 = 1 / sum;
    for (let c: usize = 0; c < whole; c += 16) v128.store(s + c, f32x4.mul(v128.load(s + c), f32x4.splat(normaliser)));
    for (let c = whole; c < width; c += 4) store<f32>(s + c, load<f32>(s + c) * normaliser);
  }
}

export function softmax_backward(p: usize, dp: usize, rows: i32, columns: i32, scale: f32): void {
  const width: usize = 4 * columns;
  const whole: usize = 16 * (columns >> 2);
  for (let row = 0; row < rows; row++, p += width, dp += width) {
    let sums = f32x4.splat(0);
    for (let c: usize = 0; c < whole; c += 16) sums = madd(v128.load(p + c), v128.load(dp + c), sums);
    let sum = lane_sum(sums);
    for (let c = whole; c < width; c += 4) sum += load<f32>(p + c) * load<f32>(dp + c);
    const mean = f32x4.splat(sum);
    const factor = f32x4.splat(scale);
    for (let c: usize = 0; c < whole; c += 16) {
      const slope = f32x4.mul(v128.load(p + c), factor);
      v128.store(dp + c, f32x4.mul(slope, f32x4.sub(v128.load(dp + c), mean)));
    }
    for (let c = whole; c < width; c += 4)
      store<f32>(dp + c, load<f32>(p + c) * scale * (load<f32>(dp + c) - sum));
  }
}
