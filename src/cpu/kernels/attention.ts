// Masked softmax attention of every head (eq. 28, 29, 32 to 34), with its probabilities, for the queries `first` to `end` − 1
// of one pass:
//   s[i, j] = q[i] · k[j] / √head_dim,   p[i, :] = softmax of s[i, j] over the j with mask[i, j] = 1, 0 elsewhere,
//   o[i] = Σ_j p[i, j] v[j],             the heads side by side in o.
//   qkv            [L, 3, h, head_dim]  f32
//   mask           [L, L]               u8, 1 where query i may look at key j
//   probabilities  [h, L, L]            f32, rows first … end − 1 of each head are written
//   attended       [L, h, head_dim]     f32, rows first … end − 1 are written
// head_dim is a multiple of 4. Nothing passes through infinity, and masked probabilities are exact zeros; a query that may look
// at nothing gets rows of zeros. A masked key may hold anything: it is never read.
import { exp, lane_max, lane_sum, madd } from './simd';

/** Score that stands for a masked key: lower than any other. */
const MASKED: f32 = -3.4e38;

/** Scores of one query → `scores` [L]. Returns the largest. q [width] and each key [width] in bytes, keys `stride` bytes apart. */
function score_row(q: usize, keys: usize, stride: usize, visible: usize, scores: usize, L: i32, width: usize): f32 {
  const scale: f32 = 1 / sqrt<f32>(<f32>width / 4);
  let largest = f32x4.splat(MASKED);
  for (let j = 0; j < L; j++, keys += stride) {
    let score = MASKED;
    if (load<u8>(visible + j)) {
      let sum = f32x4.splat(0);
      for (let c: usize = 0; c < width; c += 16) sum = madd(v128.load(q + c), v128.load(keys + c), sum);
      score = lane_sum(sum) * scale;
      largest = f32x4.pmax(largest, f32x4.splat(score));
    }
    store<f32>(scores + 4 * j, score);
  }
  return lane_max(largest);
}

/** exp(score − largest), 0 where masked. */
@inline
function unnormalised(score: v128, largest: v128): v128 {
  return v128.andnot(exp(f32x4.sub(score, largest)), f32x4.eq(score, f32x4.splat(MASKED)));
}

/** Scores [L] → probabilities, in place. */
function softmax_row(row: usize, L: i32, largest: f32): void {
  const top = f32x4.splat(largest);
  const end = row + 4 * L;
  const whole = row + 16 * (L >> 2);
  let sums = f32x4.splat(0);
  for (let at = row; at < whole; at += 16) {
    const e = unnormalised(v128.load(at), top);
    v128.store(at, e);
    sums = f32x4.add(sums, e);
  }
  let sum = lane_sum(sums);
  for (let at = whole; at < end; at += 4) {
    const e = f32x4.extract_lane(unnormalised(v128.load32_splat(at), top), 0);
    store<f32>(at, e);
    sum += e;
  }
  const normaliser: f32 = sum === 0 ? 0 : 1 / sum;
  for (let at = row; at < whole; at += 16) v128.store(at, f32x4.mul(v128.load(at), f32x4.splat(normaliser)));
  for (let at = whole; at < end; at += 4) store<f32>(at, load<f32>(at) * normaliser);
}

/** Mean of BLOCKS · 4 columns of the values, weighted by probabilities [L] → o. Values are `stride` bytes apart. */
@inline
function attend_columns(BLOCKS: i32, probabilities: usize, values: usize, stride: usize, o: usize, L: i32): void {
  let o0 = f32x4.splat(0);
  let o1 = o0;
  let o2 = o0;
  let o3 = o0;
  for (const end = probabilities + 4 * L; probabilities < end; probabilities += 4, values += stride) {
    // 0 times infinity would not be 0.
    if (load<f32>(probabilities) === 0) continue;
    const p = v128.load32_splat(probabilities);
    o0 = madd(p, v128.load(values), o0);
    if (BLOCKS > 1) {
      o1 = madd(p, v128.load(values, 16), o1);
      o2 = madd(p, v128.load(values, 32), o2);
      o3 = madd(p, v128.load(values, 48), o3);
    }
  }
  v128.store(o, o0);
  if (BLOCKS > 1) {
    v128.store(o, o1, 16);
    v128.store(o, o2, 32);
    v128.store(o, o3, 48);
  }
}

export function attention(
  qkv: usize,
  mask: usize,
  probabilities: usize,
  attended: usize,
  L: i32,
  h: i32,
  head_dim: i32,
  first: i32,
  end: i32,
): void {
  const width = <usize>head_dim * 4;
  const d = <usize>h * width;
  const stride = d + d + d;
  for (let head = 0; head < h; head++) {
    const column = <usize>head * width;
    for (let i = first; i < end; i++) {
      const row = probabilities + 4 * (head * L + i) * L;
      const q = qkv + <usize>i * stride + column;
      const largest = score_row(q, qkv + d + column, stride, mask + i * L, row, L, width);
      softmax_row(row, L, largest);
      const values = qkv + d + d + column;
      const o = attended + <usize>i * d + column;
      let c: usize = 0;
      for (; c + 64 <= width; c += 64) attend_columns(4, row, values + c, stride, o + c, L);
      for (; c < width; c += 16) attend_columns(1, row, values + c, stride, o + c, L);
    }
  }
}
