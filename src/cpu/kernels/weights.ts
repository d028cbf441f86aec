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
  const normal = i16x8.add(magnitude, i16x8.splat(10 << 10));
  const is_subnormal = i16x8.lt_s(magnitude, i16x8.splat(0x400));
  // Weights are hardly ever so small.
  if (!v128.any_true(is_subnormal)) return v128.or(normal, v128.xor(halves, magnitude));
  const subnormal = i16x8.narrow_i32x4_u(
    subnormal_elements(i32x4.extend_low_i16x8_u(magnitude)),
    subnormal_elements(i32x4.extend_high_i16x8_u(magnitude)),
  );
  const sign = v128.and(v128.xor(halves, magnitude), i16x8.ne(magnitude, i16x8.splat(0)));
  return v128.or(v128.bitselect(subnormal, normal, is_subnormal), sign);
}

/** Elements of 32 bits from four rows. */
@inline
function column_of_4(row0: usize, row1: usize, row2: usize, row3: usize): v128 {
  let column = v128.load32_splat(row0);
  column = v128.load32_lane(row1, column, 1);
  column = v128.load32_lane(row2, column, 2);
  return v128.load32_lane(row3, column, 3);
}

/** Elements of 16 bits from eight rows. */
@inline
function column_of_8(
  row0: usize,
  row1: usize,
  row2: usize,
  row3: usize,
  row4: usize,
  row5: usize,
  row6: usize,
  row7: usize,
): v128 {
  let column = v128.load16_splat(row0);
  column = v128.load16_lane(row1, column, 1);
  column = v128.load16_lane(row2, column, 2);
  column = v128.load16_lane(row3, column, 3);
  column = v128.load16_lane(row4, column, 4);
  column = v128.load16_lane(row5, column, 5);
  column = v128.load16_lane(row6, column, 6);
  return v128.load16_lane(row7, column, 7);
}

/** 32 bits of a and of b in turn, from their first halves. */
@inline
function first_words(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}

/** 32 bits of a and of b in turn, from their last halves. */
@inline
function last_words(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}

/** The first half of a, then that of b. */
@inline
function first_halves(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** The last half of a, then that of b. */
@inline
function last_halves(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

/** Four elements of 32 bits of each of four rows → `to`, a column every 32 bytes. */
@inline
function store_transposed_4(r0: v128, r1: v128, r2: v128, r3: v128, to: usize): void {
  const a = first_words(r0, r1);
  const b = first_words(r2, r3);
  const c = last_words(r0, r1);
  const d = last_words(r2, r3);
  v128.store(to, first_halves(a, b));
  v128.store(to, last_halves(a, b), 32);
  v128.store(to, first_halves(c, d), 64);
  v128.store(to, last_halves(c, d), 96);
}

/** Pairs of 16-bit elements of each of four pairs of rows → `to`, a column every 16 bytes. */
@inline
function store_transposed_pairs(r01: v128, r23: v128, r45: v128, r67: v128, to: usize): void {
  const a = first_words(r01, r23);
  const b = first_words(r45, r67);
  const c = last_words(r01, r23);
  const d = last_words(r45, r67);
  v128.store(to, first_halves(a, b));
  v128.store(to, last_halves(a, b), 16);
  v128.store(to, first_halves(c, d), 32);
  v128.store(to, last_halves(c, d), 48);
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
    const panel = panels;
    let k = 0;
    for (; k <= K * SIZE - 16; k += 16, panels += 128) {
      let r0 = v128.load(row0 + k);
      let r1 = v128.load(row1 + k);
      let r2 = v128.load(row2 + k);
      let r3 = v128.load(row3 + k);
      let r4 = v128.load(row4 + k);
      let r5 = v128.load(row5 + k);
      let r6 = v128.load(row6 + k);
      let r7 = v128.load(row7 + k);
      if (SIZE === 4) {
        store_transposed_4(r0, r1, r2, r3, panels);
        store_transposed_4(r4, r5, r6, r7, panels + 16);
        continue;
      }
      if (dtype === F16) {
        const a = i16x8.max_u(i16x8.max_u(i16x8.shl(r0, 1), i16x8.shl(r1, 1)), i16x8.max_u(i16x8.shl(r2, 1), i16x8.shl(r3, 1)));
        const b = i16x8.max_u(i16x8.max_u(i16x8.shl(r4, 1), i16x8.shl(r5, 1)), i16x8.max_u(i16x8.shl(r6, 1), i16x8.shl(r7, 1)));
        largest = i16x8.max_u(largest, i16x8.max_u(a, b));
        r0 = f16_elements(r0);
        r1 = f16_elements(r1);
        r2 = f16_elements(r2);
        r3 = f16_elements(r3);
        r4 = f16_elements(r4);
        r5 = f16_elements(r5);
        r6 = f16_elements(r6);
        r7 = f16_elements(r7);
      }
      store_transposed_pairs(first_pairs(r0, r1), first_pairs(r2, r3), first_pairs(r4, r5), first_pairs(r6, r7), panels);
      store_transposed_pairs(last_pairs(r0, r1), last_pairs(r2, r3), last_pairs(r4, r5), last_pairs(r6, r7), panels + 64);
    }
    for (; k < K * SIZE; k += SIZE, panels += 8 * SIZE) {
      if (SIZE === 4) {
        v128.store(panels, column_of_4(row0 + k, row1 + k, row2 + k, row3 + k));
        v128.store(panels, column_of_4(row4 + k, row5 + k, row6 + k, row7 + k), 16);
        continue;
      }
      let column = column_of_8(row0 + k, row1 + k, row2 + k, row3 + k, row4 + k, row5 + k, row6 + k, row7 + k);
      if (dtype === F16) {
        largest = i16x8.max_u(largest, i16x8.shl(column, 1));
        column = f16_elements(column);
      }
      v128.store(panels, column);
    }
    if (last < 7)
      for (let column = panel; column < panels; column += 8 * SIZE)
        memory.fill(column + (last + 1) * SIZE, 0, (7 - last) * SIZE);
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
