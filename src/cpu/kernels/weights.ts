// Weights of a linear layer [N, K] in panels of 8 output columns, in the type that the file stores:
//   panel p is [K][8]: element (k, c) is weight[8p + c, k],   ⌈N/8⌉ panels one after the other, the last filled up with zeros
// One step over k then reads 8 weights that lie side by side.

/** Types of weights; the numbers are those that callers pass. */
export const F32: i32 = 0;
export const F16: i32 = 1;
export const BF16: i32 = 2;

/** Bytes of one element. */
@inline
export function element_bytes(dtype: i32): i32 {
  return dtype === F32 ? 4 : 2;
}

/** Pairs of 16 bits as 32: element i is low[i] + 65536 high[i], of the first four elements. */
@inline
function first_pairs(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

/** Pairs of 16 bits as 32, of the last four elements. */
@inline
function last_pairs(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

/**
 * Value of float16 magnitudes, exact. `bits` has the 10 bits of fraction at the top of float32's 23, and an exponent of 112
 * more. A normal half has its value already. A subnormal one, fraction f, reads 2⁻¹⁵ (1 + f) and is 2⁻¹⁴ f = 2 bits − 2⁻¹⁴,
 * which is the smaller of the two there and nowhere else. No number on the way is a subnormal float32, which some processors
 * are slow with.
 */
@inline
function f16_value(bits: v128, sign: v128): v128 {
  return v128.or(f32x4.pmin(bits, f32x4.sub(f32x4.add(bits, bits), f32x4.splat(6.103515625e-5))), sign);
}

/** High 16 bits of what f16_value reads; the exponent of infinity and NaN becomes float32's. */
@inline
function f16_high(magnitude: v128): v128 {
  const infinite = v128.and(i16x8.gt_s(magnitude, i16x8.splat(0x7bff)), i16x8.splat(0x3800));
  return i16x8.add(i16x8.add(i16x8.shr_u(magnitude, 3), i16x8.splat(0x3800)), infinite);
}

/** The first four of the 8 weights of one k, as float32, exact. */
@inline
export function weights_0_to_3(DTYPE: i32, at: usize): v128 {
  const stored = v128.load(at);
  if (DTYPE === F32) return stored;
  const zero = i16x8.splat(0);
  if (DTYPE === BF16) return first_pairs(zero, stored);
  const sign = v128.and(stored, i16x8.splat(-0x8000));
  const magnitude = v128.xor(stored, sign);
  return f16_value(first_pairs(i16x8.shl(magnitude, 13), f16_high(magnitude)), first_pairs(zero, sign));
}

/** The last four of the 8 weights of one k, as float32, exact. */
@inline
export function weights_4_to_7(DTYPE: i32, at: usize): v128 {
  if (DTYPE === F32) return v128.load(at, 16);
  const stored = v128.load(at);
  const zero = i16x8.splat(0);
  if (DTYPE === BF16) return last_pairs(zero, stored);
  const sign = v128.and(stored, i16x8.splat(-0x8000));
  const magnitude = v128.xor(stored, sign);
  return f16_value(last_pairs(i16x8.shl(magnitude, 13), f16_high(magnitude)), last_pairs(zero, sign));
}

@inline
function unpack_as(DTYPE: i32, panel: usize, K: i32, to: usize): void {
  for (const end = panel + 16 * K; panel < end; panel += 16, to += 32) {
    v128.store(to, weights_0_to_3(DTYPE, panel));
    v128.store(to, weights_4_to_7(DTYPE, panel), 16);
  }
}

/** Part of a panel [K][8] → float32. `to` may be `panel` where that is float32 already. */
export function unpack(dtype: i32, panel: usize, K: i32, to: usize): void {
  if (dtype === F32) memory.copy(to, panel, 32 * K);
  else if (dtype === F16) unpack_as(F16, panel, K, to);
  else unpack_as(BF16, panel, K, to);
}

@inline
function pack_as<T>(weight: usize, row_stride: i32, panels: usize, N: i32, K: i32): void {
  const size: i32 = sizeof<T>();
  for (let n = 0; n < N; n += 8) {
    const columns = min(8, N - n);
    if (columns < 8) memory.fill(panels, 0, 8 * K * size);
    for (let c = 0; c < columns; c++) {
      const row = weight + (n + c) * row_stride * size;
      for (let k = 0; k < K; k++) store<T>(panels + (8 * k + c) * size, load<T>(row + k * size));
    }
    panels += 8 * K * size;
  }
}

/**
 * Stored elements → panels, bits unchanged.
 *   dtype       0 F32, 1 F16, 2 BF16
 *   weight      [N, K]        as stored, rows `row_stride` elements apart
 *   panels      [⌈N/8⌉, K, 8] output, must not overlap `weight`
 */
export function pack(dtype: i32, weight: usize, row_stride: i32, panels: usize, N: i32, K: i32): void {
  if (dtype === F32) pack_as<u32>(weight, row_stride, panels, N, K);
  else pack_as<u16>(weight, row_stride, panels, N, K);
}
