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

/** Scores of one query for four keys, not scaled. Each is the sum that lane_sum gives. */
@inline
function four_scores(q: usize, keys: usize, stride: usize, width: usize): v128 {
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (const end = q + width; q < end; q += 16, keys += 16) {
    const x = v128.load(q);
    sum0 = madd(x, v128.load(keys), sum0);
    sum1 = madd(x, v128.load(keys + stride), sum1);
    sum2 = madd(x, v128.load(keys + 2 * stride), sum2);
    sum3 = madd(x, v128.load(keys + 3 * stride), sum3);
  }
  const pairs01 = f32x4.add(v128.shuffle<f32>(sum0, sum1, 0, 1, 4, 5), v128.shuffle<f32>(sum0, sum1, 2, 3, 6, 7));
  const pairs23 = f32x4.add(v128.shuffle<f32>(sum2, sum3, 0, 1, 4, 5), v128.shuffle<f32>(sum2, sum3, 2, 3, 6, 7));
  return f32x4.add(
    v128.shuffle<f32>(pairs01, pairs23, 0, 2, 4, 6),
    v128.shuffle<f32>(pairs01, pairs23, 1, 3, 5, 7),
  );
}

/** Four bytes of a mask that are all 1. */
const ALL_VISIBLE: i32 = 0x01010101;

/**
 * Scores of one query → `scores` [seen], the keys up to the last that it may look at. Returns the largest. q [width] and each key
 * [width] in bytes, keys `stride` bytes apart.
 */
function score_row(q: usize, keys: usize, stride: usize, visible: usize, scores: usize, seen: i32, width: usize): f32 {
  const scale: f32 = 1 / sqrt<f32>(<f32>width / 4);
  let largest = f32x4.splat(MASKED);
  let j = 0;
  while (j < seen) {
    if (j + 4 <= seen && load<i32>(visible + j) === ALL_VISIBLE) {
      const four = f32x4.mul(four_scores(q, keys, stride, width), f32x4.splat(scale));
      largest = f32x4.pmax(largest, four);
      v128.store(scores + 4 * j, four);
      keys += 4 * stride;
      j += 4;
      continue;
    }
    let score = MASKED;
    if (load<u8>(visible + j)) {
      let sum = f32x4.splat(0);
      for (let c: usize = 0; c < width; c += 16) sum = madd(v128.load(q + c), v128.load(keys + c), sum);
      score = lane_sum(sum) * scale;
      largest = f32x4.pmax(largest, f32x4.splat(score));
    }
    store<f32>(scores + 4 * j, score);
    keys += stride;
    j++;
  }
  return lane_max(largest);
}

/** exp(score − largest), 0 where masked. */
@inline
function unnormalised(score: v128, largest: v128): v128 {
  return v128.andnot(exp(f32x4.sub(score, largest)), f32x4.eq(score, f32x4.splat(MASKED)));
}

/** Scores [seen] → probabilities, in place. */
function softmax_row(row: usize, seen: i32, largest: f32): void {
  const top = f32x4.splat(largest);
  const end = row + 4 * seen;
  const whole = row + 16 * (seen >> 2);
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

/** Mean of BLOCKS · 4 columns of the values, weighted by probabilities [seen] → o. Values are `stride` bytes apart. */
@inline
function attend_columns(BLOCKS: i32, probabilities: usize, values: usize, stride: usize, o: usize, seen: i32): void {
  let o0 = f32x4.splat(0);
  let o1 = o0;
  let o2 = o0;
  let o3 = o0;
  let o4 = o0;
  let o5 = o0;
  let o6 = o0;
  let o7 = o0;
  for (const end = probabilities + 4 * seen; probabilities < end; probabilities += 4, values += stride) {
    // 0 times infinity would not be 0.
    if (load<f32>(probabilities) === 0) continue;
    const p = v128.load32_splat(probabilities);
    o0 = madd(p, v128.load(values), o0);
    if (BLOCKS > 1) {
      o1 = madd(p, v128.load(values, 16), o1);
      o2 = madd(p, v128.load(values, 32), o2);
      o3 = madd(p, v128.load(values, 48), o3);
      o4 = madd(p, v128.load(values, 64), o4);
      o5 = madd(p, v128.load(values, 80), o5);
      o6 = madd(p, v128.load(values, 96), o6);
      o7 = madd(p, v128.load(values, 112), o7);
    }
  }
  v128.store(o, o0);
  if (BLOCKS > 1) {
    v128.store(o, o1, 16);
    v128.store(o, o2, 32);
    v128.store(o, o3, 48);
    v128.store(o, o4, 64);
    v128.store(o, o5, 80);
    v128.store(o, o6, 96);
    v128.store(o, o7, 112);
  }
}

/** Number of the keys up to the last that a query may look at, rounded up to a multiple of 4 or all L. */
function keys_seen(visible: usize, L: i32): i32 {
  let seen = L;
  while (seen > 0 && load<u8>(visible + seen - 1) === 0) seen--;
  return min(L, (seen + 3) & ~3);
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
  for (let i = first; i < end; i++) {
    const visible = mask + i * L;
    const seen = keys_seen(visible, L);
    for (let head = 0; head < h; head++) {
      const column = <usize>head * width;
      const row = probabilities + 4 * (head * L + i) * L;
      const q = qkv + <usize>i * stride + column;
      const largest = score_row(q, qkv + d + column, stride, visible, row, seen, width);
      softmax_row(row, seen, largest);
      memory.fill(row + 4 * seen, 0, 4 * (L - seen));
      const values = qkv + d + d + column;
      const o = attended + <usize>i * d + column;
      let c: usize = 0;
      for (; c + 128 <= width; c += 128) attend_columns(8, row, values + c, stride, o + c, seen);
      for (; c < width; c += 16) attend_columns(1, row, values + c, stride, o + c, seen);
    }
  }
}
