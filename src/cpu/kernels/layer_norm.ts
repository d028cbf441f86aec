// LayerNorm over the last dimension (eq. 24 to 26, 41, 43, 48, 58, 59), biased variance:
//   y = (x − mean) / sqrt(var + ε) · weight + bias
//   x        [rows, d]  f32
//   weight   [d]        f32
//   bias     [d]        f32
//   y        [rows, d]  f32
// d is a multiple of 4. The variance is taken in a second pass about the mean: E[x²] − E[x]² would lose most of float32's digits.
import { lane_sum, madd } from './simd';

export function layer_norm(x: usize, weight: usize, bias: usize, y: usize, rows: i32, d: i32, epsilon: f32): void {
  const width = <usize>d * 4;
  for (let row = 0; row < rows; row++) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < width; i += 16) sum = f32x4.add(sum, v128.load(x + i));
    const mean = f32x4.splat(lane_sum(sum) / <f32>d);

    let squares = f32x4.splat(0);
    for (let i: usize = 0; i < width; i += 16) {
      const centred = f32x4.sub(v128.load(x + i), mean);
      squares = madd(centred, centred, squares);
    }
    const scale = f32x4.splat(1 / sqrt<f32>(lane_sum(squares) / <f32>d + epsilon));

    for (let i: usize = 0; i < width; i += 16) {
      const normalised = f32x4.mul(f32x4.sub(v128.load(x + i), mean), scale);
      v128.store(y + i, madd(normalised, v128.load(weight + i), v128.load(bias + i)));
    }
    x += width;
    y += width;
  }
}
