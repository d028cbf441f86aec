// Weights of a linear layer [N, K] in panels of 8 output columns, with as many bits as the file stores:
//   panel p is [K][8]: element (k, c) is weight[8p + c, k],   ⌈N/8⌉ panels one after the other, the last filled up with zeros
// One step over k then reads 8 weights that lie side by side.
//   F32, BF16  bits as stored
//   F16        sign, 5 bits of exponent with bias 25, 10 of fraction; 0 is zero. Halves below 128 are exact in it, and as it has
//              no subnormals, 8 are widened in 8 instructions. Binary16 takes 20 and makes two rows take twice as long.

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

/** Low 16 bits of the float32 that an element of an F16 panel stands for. */
@inline
function f16_low(stored: v128): v128 {
  return i16x8.shl(stored, 13);
}

/** High 16 bits: the exponent moves from bias 25 to 127, and a zero keeps no exponent. */
@inline
function f16_high(stored: v128): v128 {
  const moved = v128.and(i16x8.shr_s(stored, 3), i16x8.splat(-0x7001));
  return v128.andnot(i16x8.add(moved, i16x8.splat(102 << 7)), i16x8.eq(stored, i16x8.splat(0)));
}

/** The first four of the 8 weights of one k, as float32, exact. */
@inline
export function weights_0_to_3(DTYPE: i32, at: usize): v128 {
  const stored = v128.load(at);
  if (DTYPE === F32) return stored;
  return DTYPE === BF16 ? first_pairs(i16x8.splat(0), stored) : first_pairs(f16_low(stored), f16_high(stored));
}

/** The last four of the 8 weights of one k, as float32, exact. */
@inline
export function weights_4_to_7(DTYPE: i32, at: usize): v128 {
  if (DTYPE === F32) return v128.load(at, 16);
  const stored = v128.load(at);
  return DTYPE === BF16 ? last_pairs(i16x8.splat(0), stored) : last_pairs(f16_low(stored), f16_high(stored));
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

/** Four magnitudes of subnormal halves, steps of 2⁻²⁴ → exponent and fraction of F16 panels; a zero gives less than 0. */
@inline
function subnormal_elements(steps: v128): v128 {
  return i32x4.sub(i32x4.shr_u(f32x4.convert_i32x4_u(steps), 13), i32x4.splat(126 << 10));
}

/** 8 of binary16 below 128 → elements of an F16 panel. */
@inline
function f16_elements(halves: v128): v128 {
  const magnitude = v128.and(halves, i16x8.splat(0x7fff));
  const subnormal = i16x8.narrow_i32x4_u(
    subnormal_elements(i32x4.extend_low_i16x8_u(magnitude)),
    subnormal_elements(i32x4.extend_high_i16x8_u(magnitude)),
  );
  const normal = i16x8.add(magnitude, i16x8.splat(10 << 10));
  const unsigned = v128.bitselect(subnormal, normal, i16x8.lt_s(magnitude, i16x8.splat(0x400)));
  const sign = v128.and(v128.xor(halves, magnitude), i16x8.ne(magnitude, i16x8.splat(0)));
  return v128.or(unsigned, sign);
}

/** Elements of 32 bits from four rows. */
@inline
function column_of_4(row0: usize, row1: usize, row2: usize, row3: usize): v128 {
  let column = v128.load32_splat(row0);
  column = v128.load32_lane(row1, column, 1);
  column = v128.load32_lane(row2, column, 2);
  return v128.load32_lane(row3, column, 3);
}

/** Packs elements of SIZE bytes. Returns whether panels can hold all of them. */
@inline
function pack_sized(SIZE: i32, dtype: i32, weight: usize, row_bytes: i32, panels: usize, N: i32, K: i32): bool {
  // Twice the magnitude, as the sign is shifted out.
  let largest = i16x8.splat(0);
  for (let n = 0; n < N; n += 8) {
    const row0 = weight + n * row_bytes;
    // A last panel that is not whole repeats the last row, and is cleared after.
    const last = N - 1 - n;
    const row1 = row0 + (last >= 1 ? row_bytes : 0);
    const row2 = row1 + (last >= 2 ? row_bytes : 0);
    const row3 = row2 + (last >= 3 ? row_bytes : 0);
    const row4 = row3 + (last >= 4 ? row_bytes : 0);
    const row5 = row4 + (last >= 5 ? row_bytes : 0);
    const row6 = row5 + (last >= 6 ? row_bytes : 0);
    const row7 = row6 + (last >= 7 ? row_bytes : 0);
    for (let k = 0; k < K * SIZE; k += SIZE, panels += 8 * SIZE) {
      if (SIZE === 4) {
        v128.store(panels, column_of_4(row0 + k, row1 + k, row2 + k, row3 + k));
        v128.store(panels, column_of_4(row4 + k, row5 + k, row6 + k, row7 + k), 16);
      } else {
        let column = v128.load16_splat(row0 + k);
        column = v128.load16_lane(row1 + k, column, 1);
        column = v128.load16_lane(row2 + k, column, 2);
        column = v128.load16_lane(row3 + k, column, 3);
        column = v128.load16_lane(row4 + k, column, 4);
        column = v128.load16_lane(row5 + k, column, 5);
        column = v128.load16_lane(row6 + k, column, 6);
        column = v128.load16_lane(row7 + k, column, 7);
        if (dtype === F16) {
          largest = i16x8.max_u(largest, i16x8.shl(column, 1));
          column = f16_elements(column);
        }
        v128.store(panels, column);
      }
      if (last < 7) memory.fill(panels + (last + 1) * SIZE, 0, (7 - last) * SIZE);
    }
  }
  return !v128.any_true(i16x8.gt_u(largest, i16x8.splat(<i16>(2 * 0x57ff))));
}

/**
 * Stored elements → panels.
 *   dtype       0 F32, 1 F16, 2 BF16
 *   weight      [N, K]        as stored, rows `row_stride` elements apart
 *   panels      [⌈N/8⌉, K, 8] output, must not overlap `weight`
 * Returns 0 if there is an F16 element that is not below 128, so that the panels are wrong, and 1 otherwise.
 */
export function pack(dtype: i32, weight: usize, row_stride: i32, panels: usize, N: i32, K: i32): bool {
  return dtype === F32
    ? pack_sized(4, dtype, weight, 4 * row_stride, panels, N, K)
    : pack_sized(2, dtype, weight, 2 * row_stride, panels, N, K);
}

/**
 * A transposed float32 matrix → panels.
 *   matrix      [K, N]        rows `row_stride` floats apart
 *   panels      [⌈N/8⌉, K, 8] output, must not overlap `matrix`
 */
export function pack_transposed(matrix: usize, row_stride: i32, panels: usize, N: i32, K: i32): void {
  const row_step = <usize>row_stride * 4;
  for (let n = 0; n < N; n += 8, matrix += 32) {
    const columns = min(8, N - n);
    let row = matrix;
    if (columns < 8) memory.fill(panels, 0, 32 * K);
    for (let k = 0; k < K; k++, row += row_step, panels += 32) {
      if (columns === 8) {
        v128.store(panels, v128.load(row));
        v128.store(panels, v128.load(row, 16), 16);
      } else for (let c: usize = 0; c < <usize>columns * 4; c += 4) store<f32>(panels + c, load<f32>(row + c));
    }
  }
}
