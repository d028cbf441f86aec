// Gradient of LayerNorm (eq. 24 to 26). With n the normalised row and g = dy · weight:
//   dx += (g − mean(g) − n · mean(g n)) / sqrt(var + ε),   dweight += Σ_rows dy · n,   dbias += Σ_rows dy
//   x, dy, dx              [rows, d]  f32; dx is added to
//   weight                 [d]        f32
//   dweight, dbias         [d]        f32, added to
// d is a multiple of 4. Mean and variance are computed again from x.
import { lane_sum, madd } from './simd';

export function layer_norm_backward(
  x: usize,
  weight: usize,
  dy: usize,
  dx: usize,
  dweight: usize,
  dbias: usize,
  rows: i32,
  d: i32,
  epsilon: f32,
): void {
  const width = <usize>d * 4;
  const share: f32 = 1 / <f32>d;
  for (let row = 0; row < rows; row++) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < width; i += 16) sum = f32x4.add(sum, v128.load(x + i));
    const mean = f32x4.splat(lane_sum(sum) * share);
    let squares = f32x4.splat(0);
    for (let i: usize = 0; i < width; i += 16) {
      const centred = f32x4.sub(v128.load(x + i), mean);
      squares = madd(centred, centred, squares);
    }
    const scale = f32x4.splat(1 / sqrt<f32>(lane_sum(squares) * share + epsilon));

    let sums = f32x4.splat(0);
    let along = f32x4.splat(0);
    for (let i: usize = 0; i < width; i += 16) {
      const upstream = v128.load(dy + i);
      const normalised = f32x4.mul(f32x4.sub(v128.load(x + i), mean), scale);
      const g = f32x4.mul(upstream, v128.load(weight + i));
      sums = f32x4.add(sums, g);
      along = madd(g, normalised, along);
      v128.store(dweight + i, madd(upstream, normalised, v128.load(dweight + i)));
      v128.store(dbias + i, f32x4.add(upstream, v128.load(dbias + i)));
    }
    const mean_g = f32x4.splat(lane_sum(sums) * share);
    const mean_along = f32x4.splat(lane_sum(along) * share);
    for (let i: usize = 0; i < width; i += 16) {
      const normalised = f32x4.mul(f32x4.sub(v128.load(x + i), mean), scale);
      const g = f32x4.mul(v128.load(dy + i), v128.load(weight + i));
      const change = f32x4.sub(f32x4.sub(g, mean_g), f32x4.mul(normalised, mean_along));
      v128.store(dx + i, madd(change, scale, v128.load(dx + i)));
    }
    x += width;
    dy += width;
    dx += width;
  }
}
