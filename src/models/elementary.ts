/**
 * exp, log and the cosine of a half turn from + − × ÷ alone, which IEEE 754 rounds in one way: the same bits in every engine.
 * Math.exp, log, pow, sin and cos may differ in the last bit, and a training run makes any such bit large.
 */

/** ln 2 = high + low; the last 20 bits of `high` are zero, so that its product with an exponent is exact. */
const ln2 = { high: 0.6931471803691238, low: 1.9082149292705877e-10 };

/** Parts that the interval from a power of two to the next is cut into. */
const steps = 64;
const stepsPerUnit = 92.33248261893581;

/** 2^(j / 64), [64], by square roots, which are exact to half a unit in the last place, and at most 5 products. */
const fractionalPowers = powersBelowTwo();

function powersBelowTwo(): Float64Array {
  const powers = new Float64Array(steps).fill(1);
  let root = 2;
  for (let bit = steps / 2; bit >= 1; bit /= 2) {
    root = Math.sqrt(root);
    for (let j = 0; j < steps; j++) if (j & bit) powers[j] *= root;
  }
  return powers;
}

/** Exponents that a result, subnormals included, can have. */
const exponents = { least: -1075, most: 1024 };

/** 2^k for each of these exponents. */
const powersOfTwo = Float64Array.from({ length: exponents.most - exponents.least + 1 }, (_, i) => {
  const k = i + exponents.least;
  let power = 1;
  for (let n = 0; n < Math.abs(k); n++) power *= k < 0 ? 0.5 : 2;
  return power;
});

/** eˣ, to 4 units in the last place: 2^(n / 64) · eʳ with |r| ≤ ln 2 / 128, and eʳ by its Taylor series of degree 5. */
export function exp(x: number): number {
  if (!(x > -746)) return x <= -746 ? 0 : Number.NaN;
  if (x > 710) return Number.POSITIVE_INFINITY;
  const n = Math.floor(x * stepsPerUnit + 0.5);
  const r = x - n * (ln2.high / steps) - n * (ln2.low / steps);
  const tail = r + r * r * (0.5 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120))));
  const power = fractionalPowers[n & (steps - 1)];
  return (power + power * tail) * powersOfTwo[(n >> 6) - exponents.least];
}

const double = new Float64Array(1);
/** Its two halves, the low one first: WebAssembly runs on such machines alone at full speed, and so do browsers. */
const halves = new Uint32Array(double.buffer);

/** ln x, to 3 units in the last place: x = 2^k m with √½ ≤ m < √2, and ln m = 2 artanh((m − 1) / (m + 1)) by its series. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  // Subnormal numbers are made normal.
  const isSmall = x < 2.2250738585072014e-308;
  double[0] = isSmall ? x * 18014398509481984 : x;
  let k = (halves[1] >>> 20) - 1023 - (isSmall ? 54 : 0);
  halves[1] = (halves[1] & 0xfffff) | (1023 << 20);
  let m = double[0];
  if (m >= Math.SQRT2) {
    m /= 2;
    k++;
  }
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let series = 0;
  for (let degree = 23; degree >= 3; degree -= 2) series = (series + 1 / degree) * square;
  return k * ln2.high + (k * ln2.low + 2 * s * series + 2 * s);
}

/** ln(1 + x) for x ≥ 0, to 4 units in the last place. */
export function log1p(x: number): number {
  const sum = 1 + x;
  // The rounding of the sum is put right to first order.
  return log(sum) - (sum - 1 - x) / sum;
}

/** cos(π t) for 0 ≤ t ≤ 1, to 2.3e-16: the Taylor series of sin(π (½ − t)). */
export function cosineOfHalfTurn(t: number): number {
  const x = Math.PI * (0.5 - t);
  const square = x * x;
  let series = 0;
  for (let degree = 23; degree >= 3; degree -= 2) series = (series + 1) * (-square / (degree * (degree - 1)));
  return x + x * series;
}

/** cos(2π t) */
export function cosineOfTurn(t: number): number {
  const part = t - Math.floor(t);
  return cosineOfHalfTurn(part <= 0.5 ? 2 * part : 2 - 2 * part);
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(x: number): number {
  return 1 / (1 + exp(-x));
}
