// Arithmetic on four floats at once that the other kernels share.

/**
 * a · b + c. The plain module rounds twice. In the relaxed one the processor decides: nearly all have an instruction that
 * rounds once.
 */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** Sum of the four lanes: (0 + 2) + (1 + 3). */
@inline
export function lane_sum(a: v128): f32 {
  const pairs = f32x4.add(a, i8x16.shuffle(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Largest of the four lanes. */
@inline
export function lane_max(a: v128): f32 {
  const pairs = f32x4.pmax(a, i8x16.shuffle(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/**
 * exp(x) for x ≤ 0, to 2 units in the last place; 0 below −87.3, close to where normal numbers end. NaN stays NaN.
 *   x = n ln 2 + r with |r| ≤ ln 2 / 2,   exp(x) = 2ⁿ (1 + r + r² P(r))
 * ln 2 is split in two so that n times its first part is exact. P is the minimax polynomial of Cephes' expf.
 */
@inline
export function exp(x: v128): v128 {
  // From 1.5 · 2²³ on, floats are whole numbers: adding it rounds, and leaves n in the last bits.
  const whole = f32x4.splat(1.5 * 8388608);
  const shifted = f32x4.add(f32x4.mul(x, f32x4.splat(1.44269504088896341)), whole);
  const n = f32x4.sub(shifted, whole);
  const r = madd(n, f32x4.splat(2.12194440e-4), madd(n, f32x4.splat(-0.693359375), x));
  let p = f32x4.splat(1.9875691500e-4);
  p = madd(p, r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, power), f32x4.lt(x, f32x4.splat(-87.3)));
}
