import { expect, test } from 'vitest';
import { bfloat16Bits, firstNonFinite, float16Bits, float16ToNumber, fromFloat32, toFloat32 } from './dtypes.ts';

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);
const bitsOf = (value: number) => {
  float[0] = value;
  return word[0];
};
const all = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** Counts which of the 65536 halves pass; a loop of expects would take seconds. */
const failures = (holds: (half: number) => boolean) => Array.from(all.filter((half) => !holds(half))).slice(0, 5);

test('halves have the values of the standard', () => {
  expect(float16ToNumber(0x0001)).toBe(2 ** -24);
  expect(float16ToNumber(0x03ff)).toBe(1023 * 2 ** -24);
  expect(float16ToNumber(0x0400)).toBe(2 ** -14);
  expect(float16ToNumber(0x3555)).toBe(0.333251953125);
  expect(float16ToNumber(0x3c00)).toBe(1);
  expect(float16ToNumber(0xc000)).toBe(-2);
  expect(float16ToNumber(0x7bff)).toBe(65504);
  expect(float16ToNumber(0xfc00)).toBe(Number.NEGATIVE_INFINITY);
  expect(float16ToNumber(0x7c01)).toBeNaN();
  expect(float16ToNumber(0x8000)).toBe(-0);
});

test.each(['F32', 'F16', 'BF16'] as const)(
  'a NaN of %s is found among thousands, and beside what is large',
  (dtype) => {
    const values = Float32Array.from({ length: 5001 }, (_, i) => (i % 2 ? -1 : 1.9));
    for (const large of [1, 60000])
      for (const at of [0, 1023, 1024, 3000, 4095, 4096, 5000]) {
        const bytes = fromFloat32(values.with(2500, large).with(at, Number.NaN), dtype);
        expect(firstNonFinite(bytes, dtype)).toBe(at);
        expect(firstNonFinite(shifted(bytes), dtype)).toBe(at);
      }
    expect(firstNonFinite(fromFloat32(values.with(2500, 60000), dtype), dtype)).toBe(-1);
  },
);

test.each([
  ['F16', 0x7c00],
  ['BF16', 0x7f80],
] as const)('all 65536 %s survive float32 and back; NaN stays NaN of its sign', (dtype, infinity) => {
  const values = toFloat32(new Uint8Array(all.slice().buffer), dtype);
  const back = new Uint16Array(fromFloat32(values, dtype).buffer);
  const standsForNaN = (half: number) => (half & 0x7fff) > infinity;
  expect(failures((half) => Number.isNaN(values[half]) === standsForNaN(half))).toEqual([]);
  expect(failures((half) => (standsForNaN(half) ? standsForNaN(back[half]) : back[half] === half))).toEqual([]);
});

test('the table agrees with the arithmetic for every half', () => {
  const values = toFloat32(new Uint8Array(all.slice().buffer), 'F16');
  expect(failures((half) => Object.is(values[half], float16ToNumber(half)))).toEqual([]);
});

test.each([
  ['F16', float16Bits, float16ToNumber, 0x7c00],
  ['BF16', bfloat16Bits, (half: number) => toFloat32(new Uint8Array(Uint16Array.of(half).buffer), 'BF16')[0], 0x7f80],
] as const)(
  '%s: between any two neighbours the tie goes to the even one, all else to the nearer',
  (_, round, value, infinity) => {
    const wrong = (half: number) => {
      const sign = half & 0x8000;
      const magnitude = half & 0x7fff;
      if (magnitude >= infinity) return false;
      // If the upper neighbour is infinity, rounding works as if the format went on for one more step.
      const low = Math.abs(value(half));
      const high = magnitude + 1 < infinity ? Math.abs(value(half + 1)) : low + (low - Math.abs(value(half - 1)));
      const tie = bitsOf((low + high) / 2);
      const even = magnitude & 1 ? half + 1 : half;
      const signBit = sign ? 0x80000000 : 0;
      return !(
        round((tie | signBit) >>> 0) === even &&
        round(((tie - 1) | signBit) >>> 0) === half &&
        round(((tie + 1) | signBit) >>> 0) === half + 1
      );
    };
    expect(failures((half) => !wrong(half))).toEqual([]);
  },
);

test('too large becomes infinity, too small zero, each with its sign', () => {
  const f16 = (value: number) => float16Bits(bitsOf(value));
  expect(f16(65519.99)).toBe(0x7bff);
  expect(f16(65520)).toBe(0x7c00);
  expect(f16(70000)).toBe(0x7c00);
  expect(f16(-1e30)).toBe(0xfc00);
  expect(f16(Number.POSITIVE_INFINITY)).toBe(0x7c00);
  expect(f16(2 ** -25)).toBe(0);
  expect(f16(2 ** -25 * 1.0001)).toBe(1);
  expect(f16(-(2 ** -26))).toBe(0x8000);
  expect(f16(1e-45)).toBe(0);
  const bf16 = (value: number) => bfloat16Bits(bitsOf(value));
  expect(bf16(3.4028234e38)).toBe(0x7f80);
  expect(bf16(-3.4028234e38)).toBe(0xff80);
  expect(bf16(1e-45)).toBe(0);
  expect(bf16(Number.NaN) & 0x7fff).toBeGreaterThan(0x7f80);
});

test('NaN whose payload lies in the bits that are dropped stays NaN', () => {
  expect(float16Bits(0x7f800001) & 0x7fff).toBeGreaterThan(0x7c00);
  expect(bfloat16Bits(0x7f800001) & 0x7fff).toBeGreaterThan(0x7f80);
  expect(bfloat16Bits(0xffffffff)).toBe(0xffff);
});

/** Copies bytes to an odd offset in memory. */
function shifted(bytes: Uint8Array) {
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes, 1);
  return out.subarray(1);
}

test('bytes that begin at an odd offset are read alike', () => {
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    const bytes = fromFloat32(Float32Array.of(1, -2.5, 0.125), dtype);
    expect(Array.from(toFloat32(shifted(bytes), dtype))).toEqual([1, -2.5, 0.125]);
    expect(firstNonFinite(shifted(bytes), dtype)).toBe(-1);
  }
});

test.each(['F32', 'F16', 'BF16'] as const)(
  'the first NaN or infinity of %s is found, and nothing finite is taken for one',
  (dtype) => {
    const largest = dtype === 'F16' ? 65504 : 3.38e38;
    const extremes = Float32Array.of(0, -0, largest, -largest, 2 ** -24, 1e-40);
    expect(firstNonFinite(fromFloat32(extremes, dtype), dtype)).toBe(-1);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (let at = 0; at < 5; at++) {
        const values = Float32Array.of(1, 2, -3, largest, 5).with(at, bad);
        expect(firstNonFinite(fromFloat32(values, dtype), dtype)).toBe(at);
        // Halves are checked in pairs, and one by one if they do not begin at a multiple of 4.
        const paired = fromFloat32(Float32Array.of(...values, bad), dtype);
        expect(firstNonFinite(paired, dtype)).toBe(at);
        expect(firstNonFinite(shifted(paired), dtype)).toBe(at);
      }
  },
);

test.each([
  ['F16', 0x7c00],
  ['BF16', 0x7f80],
] as const)('of all 65536 %s, in pairs, those are found that are not finite', (dtype, infinity) => {
  const wrong = failures((half) => {
    const pair = (low: number, high: number) => new Uint8Array(Uint16Array.of(low, high).buffer);
    const isBad = (half & infinity) === infinity;
    const found = [firstNonFinite(pair(half, 0x8000), dtype), firstNonFinite(pair(0xffff & ~infinity, half), dtype)];
    return isBad ? found[0] === 0 && found[1] === 1 : found[0] === -1 && found[1] === -1;
  });
  expect(wrong).toEqual([]);
});
