/** Inputs of kernels with their results in float64: the table by which the kernels of every engine are judged. */
import { expect } from 'vitest';
import { add, attention, layerNorm, linear, quickGelu } from '../../clip/reference.ts';
import { expectClose } from '../../clip/testing/recorded.ts';
import { fromFloat32, toFloat32, type WeightDtype } from '../../files/dtypes.ts';

/** [count] repeatable numbers, uniform in ±range. */
export function numbers(count: number, seed: number, range = 1): Float32Array<ArrayBuffer> {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state >>> 8) * 2 ** -23 - 1) * range;
  });
}

export const wide = (values: Float32Array) => Float64Array.from(values);
export const weightDtypes: readonly WeightDtype[] = ['F32', 'F16', 'BF16'];

/** Rows and width of LayerNorms. */
export const layerNormShapes = [
  [1, 4],
  [63, 64],
  [65, 68],
  [77, 768],
  [2, 3072],
] as const;

/** A LayerNorm of rows that are far from zero mean: a one-pass variance would fail here. x [rows, d] */
export function layerNormCase(rows: number, d: number) {
  const x = numbers(rows * d, 3).map((v, i) => v + 40 + (i % d === 1 ? 25 : 0));
  const [weight, bias] = [numbers(d, 4), numbers(d, 5)];
  const expected = layerNorm(wide(x), wide(weight), wide(bias), 1e-5);
  return {
    x,
    weight,
    bias,
    epsilon: 1e-5,
    expect: (y: Float32Array) => expectClose('layer_norm', y, expected, 5e-5, 5e-5),
  };
}

export interface LinearCase {
  /** [M, K] */
  readonly x: Float32Array<ArrayBuffer>;
  /** [N, K] as stored. */
  readonly weight: Uint8Array<ArrayBuffer>;
  readonly dtype: WeightDtype;
  /** [N] */
  readonly bias: Float32Array<ArrayBuffer>;
  /** [M, N] */
  readonly residual: Float32Array<ArrayBuffer>;
  readonly M: number;
  readonly K: number;
  readonly N: number;
}

/** y [M, N] by what follows the product. */
export type LinearResults = Readonly<Record<'none' | 'bias' | 'quickGelu' | 'residual', Float64Array>>;

export function linearCase(dtype: WeightDtype, M: number, K: number, N: number): LinearCase {
  const weight = fromFloat32(numbers(N * K, 9, 1 / Math.sqrt(K)), dtype);
  return { x: numbers(M * K, 8), weight, dtype, bias: numbers(N, 10), residual: numbers(M * N, 11, 4), M, K, N };
}

export function linearResults({ x, weight, dtype, bias, residual, K, N }: LinearCase): LinearResults {
  const none = linear(wide(x), wide(toFloat32(weight, dtype)), null, K, N);
  const biased = none.map((v, i) => v + bias[i % N]);
  return { none, bias: biased, quickGelu: quickGelu(biased), residual: add(biased, wide(residual)) };
}

/** Arguments of QuickGELU at which exp overflows, or nearly. */
export const steepArguments = Float32Array.of(-1e4, -200, -60, -1, 0, 1, 60, 200, 1e4, 3e38, -3e38, 1e-30);

export const expectQuickGelu = (y: Float32Array) =>
  expectClose('quick_gelu', y, quickGelu(wide(steepArguments)), 1e-30, 2e-6);

export type AttentionKind =
  | 'causal'
  | 'causal with hidden keys'
  | 'none'
  | 'a row that sees nothing'
  | 'causal, not finite from row 30 on';

/** Kind of mask, L, heads and head size. */
export const attentionShapes = [
  ['causal', 1, 1, 4],
  ['causal', 63, 3, 16],
  ['causal with hidden keys', 77, 12, 64],
  ['none', 65, 2, 64],
  ['causal with hidden keys', 248, 2, 64],
  ['a row that sees nothing', 5, 2, 8],
  ['causal, not finite from row 30 on', 40, 2, 8],
] as const satisfies (readonly [AttentionKind, ...number[]])[];

/** Attention of one pass. qkv [L, 3d], mask [L, L] */
export function attentionCase(kind: AttentionKind, L: number, h: number, headDim: number, seed = 12) {
  const d = h * headDim;
  const qkv = numbers(L * 3 * d, seed, 3);
  const mask = Uint8Array.from({ length: L * L }, (_, at) => {
    const [i, j] = [Math.floor(at / L), at % L];
    if (kind === 'none') return 1;
    if (kind === 'a row that sees nothing') return i === 2 ? 0 : 1;
    return j <= i && (kind !== 'causal with hidden keys' || j % 5 !== 3) ? 1 : 0;
  });
  // Later rows must not reach earlier ones: 0 times infinity or NaN is not 0.
  const finite = kind.endsWith('row 30 on') ? 30 : L;
  if (finite < L) qkv.fill(Number.POSITIVE_INFINITY, finite * 3 * d, (L - 1) * 3 * d).fill(Number.NaN, (L - 1) * 3 * d);
  const column = (which: number) =>
    Float64Array.from({ length: L * d }, (_, i) => qkv[(Math.floor(i / d) * 3 + which) * d + (i % d)]);
  const expected = attention(column(0), column(1), column(2), mask, L, h, headDim);
  return {
    qkv,
    mask,
    /** Compares the finite rows of probabilities [h, L, L] and of the attended values [L, d]. */
    expect(probabilities: Float32Array, attended: Float32Array) {
      for (let head = 0; head < h; head++) {
        const [from, to] = [head * L * L, (head * L + finite) * L];
        const computed = probabilities.subarray(from, to);
        expectClose('probabilities', computed, expected.probabilities.subarray(from, to), 2e-6, 1e-5);
        for (let i = 0; i < computed.length; i++)
          if (!mask[i] && computed[i] !== 0) expect.fail(`probabilities[${from + i}] is masked but not 0`);
      }
      expectClose('attended', attended.subarray(0, finite * d), expected.output.subarray(0, finite * d), 1e-5, 1e-5);
    },
  };
}
