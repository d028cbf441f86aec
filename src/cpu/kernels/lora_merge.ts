// Adds low-rank updates to a linear layer's weight. The updates of several LoRAs are stacked into one, whose rank R is the sum
// of theirs.
//   merged = weight + upᵀ · down
// K is in and N is out of the linear layer.
//   dtype    0 F32, 1 F16, 2 BF16
//   weight   [⌈N/8⌉, K, 8]  panels of `dtype` (see weights.ts)
//   up       [R, N′]        f32, N′: N rounded up to 8, rows `up_stride` floats apart; multiplier · alpha / rank is in it
//   down     [R, K]         f32, rows `down_stride` floats apart
//   merged   [⌈N/8⌉, K, 8]  f32 panels, as half precision would round small updates away; may be `weight` where it is F32
// The update is summed before the weight is added, so that a large weight does not round each rank's share of it.
import { madd } from './simd';
import { unpack } from './weights';

/** Adds the update of COUNT steps of k, 1 or 4, of one panel. Strides are in bytes. */
@inline
function add_update(
  COUNT: i32,
  up: usize,
  up_stride: usize,
  down: usize,
  down_stride: usize,
  merged: usize,
  R: i32,
): void {
  let first0 = f32x4.splat(0);
  let last0 = first0;
  let first1 = first0;
  let last1 = first0;
  let first2 = first0;
  let last2 = first0;
  let first3 = first0;
  let last3 = first0;
  for (let r = 0; r < R; r++, up += up_stride, down += down_stride) {
    const first = v128.load(up);
    const last = v128.load(up, 16);
    const across0 = v128.load32_splat(down);
    first0 = madd(across0, first, first0);
    last0 = madd(across0, last, last0);
    if (COUNT > 1) {
      const across1 = v128.load32_splat(down, 4);
      first1 = madd(across1, first, first1);
      last1 = madd(across1, last, last1);
      const across2 = v128.load32_splat(down, 8);
      first2 = madd(across2, first, first2);
      last2 = madd(across2, last, last2);
      const across3 = v128.load32_splat(down, 12);
      first3 = madd(across3, first, first3);
      last3 = madd(across3, last, last3);
    }
  }
  add(merged, first0, last0);
  if (COUNT > 1) {
    add(merged + 32, first1, last1);
    add(merged + 64, first2, last2);
    add(merged + 96, first3, last3);
  }
}

@inline
function add(merged: usize, first: v128, last: v128): void {
  v128.store(merged, f32x4.add(v128.load(merged), first));
  v128.store(merged, f32x4.add(v128.load(merged, 16), last), 16);
}

export function lora_merge(
  dtype: i32,
  weight: usize,
  up: usize,
  up_stride: i32,
  down: usize,
  down_stride: i32,
  merged: usize,
  N: i32,
  K: i32,
  R: i32,
): void {
  const up_step = <usize>up_stride * 4;
  const down_step = <usize>down_stride * 4;
  unpack(dtype, weight, K * ((N + 7) / 8), merged);
  for (let n = 0; n < N; n += 8, up += 32) {
    let k = 0;
    for (; k + 4 <= K; k += 4, merged += 128) add_update(4, up, up_step, down + 4 * k, down_step, merged, R);
    for (; k < K; k++, merged += 32) add_update(1, up, up_step, down + 4 * k, down_step, merged, R);
  }
}
