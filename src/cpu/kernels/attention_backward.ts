// Gradient of softmax attention (eq. 28, 29, 32 to 34) of every head of one sequence, from the probabilities that attention.ts left:
//   dv[j] = Σ_i p[i, j] do[i],   dp[i, j] = do[i] · v[j],   ds[i, j] = p[i, j] (dp[i, j] − Σ_j p[i, j] dp[i, j]) / √head_dim,
//   dq[i] = Σ_j ds[i, j] k[j],   dk[j] = Σ_i ds[i, j] q[i]
//   qkv            [L, 3, h, head_dim]  f32
//   probabilities  [h, L, L]            f32
//   dattended      [L, h, head_dim]     f32
//   dqkv           [L, 3, h, head_dim]  f32, written
//   scratch        [L]                  f32
// head_dim is a multiple of 4. A key of probability 0 takes no part, so that a mask is not needed. Sums go in ascending order.
import { lane_sum, madd } from './simd';

/** a += factor · b, of `width` bytes. */
@inline
function add_scaled(a: usize, factor: v128, b: usize, width: usize): void {
  for (let c: usize = 0; c < width; c += 16) v128.store(a + c, madd(factor, v128.load(b + c), v128.load(a + c)));
}

/** dp of one query → `scratch` [L], and its part of dv. Returns Σ_j p dp. */
function values_backward(p: usize, upstream: usize, v: usize, dv: usize, stride: usize, scratch: usize, L: i32, width: usize): f32 {
  let mean: f32 = 0;
  for (let j = 0; j < L; j++, v += stride, dv += stride) {
    const probability = load<f32>(p + 4 * j);
    if (probability === 0) continue;
    let sum = f32x4.splat(0);
    for (let c: usize = 0; c < width; c += 16) sum = madd(v128.load(upstream + c), v128.load(v + c), sum);
    const dp = lane_sum(sum);
    store<f32>(scratch + 4 * j, dp);
    mean += probability * dp;
    add_scaled(dv, f32x4.splat(probability), upstream, width);
  }
  return mean;
}

export function attention_backward(
  qkv: usize,
  probabilities: usize,
  dattended: usize,
  dqkv: usize,
  scratch: usize,
  L: i32,
  h: i32,
  head_dim: i32,
): void {
  const width = <usize>head_dim * 4;
  const d = <usize>h * width;
  const stride = d + d + d;
  const scale: f32 = 1 / sqrt<f32>(<f32>head_dim);
  memory.fill(dqkv, 0, <usize>L * stride);
  for (let head = 0; head < h; head++) {
    const column = <usize>head * width;
    for (let i = 0; i < L; i++) {
      const p = probabilities + 4 * (head * L + i) * L;
      const row = <usize>i * stride + column;
      const upstream = dattended + <usize>i * d + column;
      const values = d + d + column;
      const mean = values_backward(p, upstream, qkv + values, dqkv + values, stride, scratch, L, width);
      let key = d + column;
      for (let j = 0; j < L; j++, key += stride) {
        const probability = load<f32>(p + 4 * j);
        if (probability === 0) continue;
        const ds = f32x4.splat(probability * (load<f32>(scratch + 4 * j) - mean) * scale);
        add_scaled(dqkv + row, ds, qkv + key, width);
        add_scaled(dqkv + key, ds, qkv + row, width);
      }
    }
  }
}
