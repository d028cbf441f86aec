/**
 * The kernels that training needs besides those of the encoder, in a module of their own, which nobody loads who does not train. There
 * is only a plain one: WebAssembly defines its results to the bit. Places are said as in kernels.ts.
 */

import backwardModule from './kernels/kernels_backward.wasm.hex?raw';
import { moduleBytes } from './kernels.ts';

/** Gradient of one sequence's attention: kernels/attention_backward.ts. */
export interface AttentionBackwardArguments {
  /** [L, 3, h, headDim] */
  readonly qkv: number;
  /** [h, L, L] */
  readonly probabilities: number;
  /** [L, h, headDim] */
  readonly dattended: number;
  /** [L, 3, h, headDim] */
  readonly dqkv: number;
  /** [L] */
  readonly scratch: number;
  readonly L: number;
  readonly h: number;
  readonly headDim: number;
}

/** A transposed float32 matrix → panels: kernels/weights.ts. */
export interface PackTransposedArguments {
  /** [K, N], rows `rowStride` elements apart. */
  readonly matrix: number;
  readonly rowStride: number;
  /** `panelBytes(N, K, 'F32')` bytes, which must not overlap `matrix`. */
  readonly panels: number;
  readonly N: number;
  readonly K: number;
}

export interface BackwardKernels {
  attentionBackward(of: AttentionBackwardArguments): void;
  /** y = QuickGELU of u, `count` elements, a multiple of 4: kernels/quick_gelu.ts. */
  quickGelu(y: number, u: number, count: number): void;
  /** Multiplies dy by the slope of QuickGELU at u, in place. */
  quickGeluBackward(dy: number, u: number, count: number): void;
  packTransposed(of: PackTransposedArguments): void;
}

/** The module's exports, with the parameters of kernels/*.ts in order. */
type Exports = Record<
  'attention_backward' | 'pack_transposed' | 'quick_gelu_backward' | 'quick_gelu_forward',
  (...parameters: number[]) => void
>;

/** Makes the kernels work on `memory`. Rejects with WebAssembly.CompileError where there is no SIMD, which kernels.ts tells in words. */
export async function backwardKernels(memory: WebAssembly.Memory): Promise<BackwardKernels> {
  const { instance } = await WebAssembly.instantiate(moduleBytes(backwardModule), { env: { memory } });
  const run = instance.exports as Exports;
  return {
    attentionBackward: ({ qkv, probabilities, dattended, dqkv, scratch, L, h, headDim }) =>
      run.attention_backward(qkv, probabilities, dattended, dqkv, scratch, L, h, headDim),
    quickGelu: (y, u, count) => run.quick_gelu_forward(y, u, count),
    quickGeluBackward: (dy, u, count) => run.quick_gelu_backward(dy, u, count),
    packTransposed: ({ matrix, rowStride, panels, N, K }) => run.pack_transposed(matrix, rowStride, panels, N, K),
  };
}
