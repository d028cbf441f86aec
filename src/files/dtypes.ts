/** Types in which an encoder's weights may be stored. */
export type WeightDtype = 'F32' | 'F16' | 'BF16';

/** Bytes of one element. */
export const weightBytes = { F32: 4, F16: 2, BF16: 2 } as const satisfies Record<WeightDtype, number>;

/** 2^-24, the step of the float16 subnormals. */
const float16Step = 2 ** -24;

/** Views `bytes` as float32. Copies them only if the offset is not a multiple of 4. */
export function float32View(bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2);
}

/** Views `bytes` as 16-bit words. Copies them only if the offset is odd. */
export function uint16View(bytes: Uint8Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}

/** IEEE 754 binary16 → number, exact. */
export function float16ToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * float16Step;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

let float16Table: Float32Array | undefined;

/** Returns all 65536 halves as float32: for a million weights, a table is several times faster than arithmetic. */
function float16Values(): Float32Array {
  float16Table ??= Float32Array.from({ length: 65536 }, (_, half) => float16ToNumber(half));
  return float16Table;
}

/** float32 bits → binary16 bits, round to nearest, ties to even; too large becomes infinity. */
export function float16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    if (magnitude < 0x33000000) return sign;
    const shift = 126 - (magnitude >>> 23);
    const significand = 0x800000 | (magnitude & 0x7fffff);
    const half = significand >>> shift;
    const rest = significand & ((1 << shift) - 1);
    const tie = 1 << (shift - 1);
    return sign | (half + (rest > tie || (rest === tie && half & 1) ? 1 : 0));
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** float32 bits → bfloat16 bits, round to nearest, ties to even. */
export function bfloat16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Elements as stored → float32, exact. The result may share memory with `bytes`. */
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, dtype: WeightDtype): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') return float32View(bytes);
  const halves = uint16View(bytes);
  const out = new Float32Array(halves.length);
  if (dtype === 'F16') {
    const values = float16Values();
    for (let i = 0; i < halves.length; i++) out[i] = values[halves[i]];
  } else {
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  }
  return out;
}

/** float32 → elements as stored, rounded to nearest even. The result may share memory with `values`. */
export function fromFloat32(values: Float32Array<ArrayBuffer>, dtype: WeightDtype): Uint8Array<ArrayBuffer> {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  const round = dtype === 'F16' ? float16Bits : bfloat16Bits;
  for (let i = 0; i < bits.length; i++) out[i] = round(bits[i]);
  return new Uint8Array(out.buffer);
}

/** The types that weights can be read from, for messages. */
const readableDtypes = 'F32, F16, BF16, F64, F8_E4M3, F8_E5M2 or F4';

/** Completes "stores tensor … as …" for a type that cannot be read as weights. */
export function unreadable(dtype: string): string {
  return dtype.startsWith('F6_')
    ? `${dtype}, whose six bits no program has settled how to pack; expected ${readableDtypes}`
    : `${dtype}; expected ${readableDtypes}`;
}

/** The types of 8 and 4 bits that are exact in float16. */
const smallDtypes = ['F8_E4M3', 'F8_E5M2', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ', 'F4'];

/** Whether `dtype` has so few bits that files keep factors beside such weights. */
export const isSmall = (dtype: string) => smallDtypes.includes(dtype) || dtype === 'F8_E8M0';

/**
 * The type that weights stored as `dtype` are converted to (float64 and powers of two to float32, other types of 8 and 4 bits
 * to float16); undefined if they cannot be read as floats.
 */
export function readAs(dtype: string): WeightDtype | undefined {
  if (dtype === 'F64' || dtype === 'F8_E8M0') return 'F32';
  if (smallDtypes.includes(dtype)) return 'F16';
  return Object.hasOwn(weightBytes, dtype) ? (dtype as WeightDtype) : undefined;
}

/** Elements stored as `dtype` → elements of the type that readAs gives; only float64 is rounded. May be `bytes` itself. */
export function toReadable(bytes: Uint8Array<ArrayBuffer>, dtype: string): Uint8Array<ArrayBuffer> {
  switch (dtype) {
    case 'F64':
      return fromFloat64(bytes);
    case 'F8_E4M3':
      return new Uint8Array(Uint16Array.from(bytes, e4m3ToFloat16).buffer);
    case 'F8_E5M2':
      // Its bits are the upper half of float16's.
      return new Uint8Array(Uint16Array.from(bytes, (byte) => byte << 8).buffer);
    case 'F8_E4M3FNUZ':
      return fnuzToFloat16(bytes, 3);
    case 'F8_E5M2FNUZ':
      return fnuzToFloat16(bytes, 2);
    case 'F8_E8M0':
      // An exponent alone, with bias 127; 255 is NaN. The least is a subnormal of float32.
      return new Uint8Array(Float32Array.from(bytes, (byte) => (byte === 255 ? Number.NaN : 2 ** (byte - 127))).buffer);
    case 'F4': {
      const halves = new Uint16Array(bytes.length * 2);
      for (const [i, byte] of bytes.entries()) {
        halves[2 * i] = e2m1Float16[byte & 15];
        halves[2 * i + 1] = e2m1Float16[byte >> 4];
      }
      return new Uint8Array(halves.buffer);
    }
    default:
      return bytes;
  }
}

/**
 * E4M3 as the OCP 8-bit specification has it (sign, 4 bits of exponent with bias 7, 3 of fraction; no infinities, NaN where
 * all other bits are set) → binary16 bits.
 */
function e4m3ToFloat16(byte: number): number {
  const sign = (byte & 0x80) << 8;
  const magnitude = byte & 0x7f;
  if (magnitude === 0x7f) return sign | 0x7e00;
  // A subnormal is that many steps of 2^-9, and normal in float16.
  if (magnitude < 8) return magnitude === 0 ? sign : sign | float16Bits(float32Bits(magnitude * 2 ** -9));
  return sign | ((magnitude << 7) + (8 << 10));
}

/**
 * FNUZ types (arXiv 2206.02915), with so many bits of fraction: the bias is one more than that of the type without FNUZ, NaN is
 * where −0 would be, and there are no infinities. → binary16.
 */
function fnuzToFloat16(bytes: Uint8Array, fractionBits: 2 | 3): Uint8Array<ArrayBuffer> {
  const [bias, one] = fractionBits === 3 ? [8, 8] : [16, 4];
  const halves = Uint16Array.from(bytes, (byte) => {
    if (byte === 0x80) return 0x7e00;
    const [exponent, fraction] = [(byte & 0x7f) >> fractionBits, byte & (one - 1)];
    const value = exponent === 0 ? (fraction / one) * 2 ** (1 - bias) : (1 + fraction / one) * 2 ** (exponent - bias);
    return ((byte & 0x80) << 8) | float16Bits(float32Bits(value));
  });
  return new Uint8Array(halves.buffer);
}

/** E2M1 of the OCP microscaling specification → binary16 bits. Of two in a byte the first has the lower four bits. */
const e2m1Float16 = [0, 0.5, 1, 1.5, 2, 3, 4, 6].flatMap((value) => float16Bits(float32Bits(value)));
e2m1Float16.push(...e2m1Float16.map((half) => half | 0x8000));

function float32Bits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

/** float64 as stored → float32 as stored, rounded to nearest even; too large becomes infinity. */
function fromFloat64(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const doubles = new Float64Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 3);
  return new Uint8Array(Float32Array.from(doubles).buffer);
}

const exponents: Readonly<Record<WeightDtype, number>> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };

/** Words of 32 bits that are looked at together: a multiple of 4. */
const together = 1024;

/** Returns the index of the first element that is NaN or infinite (exponent all ones), or -1. */
export function firstNonFinite(bytes: Uint8Array<ArrayBuffer>, dtype: WeightDtype): number {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
  const elements = dtype === 'F32' ? words : uint16View(aligned);
  const exponent = exponents[dtype];
  const inWord = 4 / weightBytes[dtype];
  for (let word = 0; word * inWord < elements.length; word += together) {
    if (allBelowTwo(words, word, dtype)) continue;
    const from = word * inWord;
    const at = elements.subarray(from, from + together * inWord).findIndex((bits) => (bits & exponent) === exponent);
    if (at >= 0) return from + at;
  }
  return -1;
}

/**
 * Whether a whole block of words has only elements below 2 in magnitude, as nearly all weights are: the highest bit of the
 * exponent is 0 then. It is the same bit in all types.
 */
function allBelowTwo(words: Int32Array, from: number, dtype: WeightDtype): boolean {
  const end = from + together;
  if (end > words.length) return false;
  let any = 0;
  for (let i = from; i < end; i += 4) any |= words[i] | words[i + 1] | words[i + 2] | words[i + 3];
  return (any & (dtype === 'F32' ? 0x40000000 : 0x40004000)) === 0;
}
