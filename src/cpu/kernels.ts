/**
 * The kernels of the CPU engine: WebAssembly that reads and writes one memory. What each computes, and the shapes and types of
 * its tensors, are said in the headers of kernels/*.ts, where the functions here have the same names.
 *
 * Places of tensors are byte offsets into the memory, multiples of 16; strides are in elements.
 */

import { type WeightDtype, weightBytes } from '../files/dtypes.ts';

/** WebAssembly, or the part of it that the kernels need, is missing or forbidden. */
export class CpuUnavailableError extends Error {
  override readonly name = 'CpuUnavailableError';
  /** A clause that says what is missing. */
  readonly reason: string;
  constructor(reason: string, more: string, options?: ErrorOptions) {
    super(reason + more, options);
    this.reason = reason;
  }
}

/** The operations that follow a matrix product (kernels/linear.ts). */
export const cpuEpilogues = { bias: 0, quickGelu: 1, residual: 2, none: 3 } as const;
export type CpuEpilogue = keyof typeof cpuEpilogues;

const dtypes = { F32: 0, F16: 1, BF16: 2 } as const satisfies Record<WeightDtype, number>;

/** Output columns of a panel of weights. */
export const panelColumns = 8;

/** Heights that a tile of the matrix product can have; 4 fits into every compiler's registers. Results are to the bit the same. */
export const tileHeights = [4, 5, 6] as const;
export type TileRows = (typeof tileHeights)[number];

/** A weight [N, K] in panels of 8 columns, [⌈N/8⌉, K, 8]: kernels/weights.ts. */
export interface Panels {
  readonly at: number;
  readonly dtype: WeightDtype;
}

/** y = epilogue(x Wᵀ): kernels/matmul.ts. */
export interface MatmulArguments {
  readonly epilogue: CpuEpilogue;
  /** [rows, K] */
  readonly x: number;
  readonly xStride: number;
  /** Elements from a column of x to the next: 1 unless x is a transposed matrix, whose stride is 1. */
  readonly xStep?: number;
  /** [N, K] */
  readonly weight: Panels;
  /** [N]; not read for the epilogue `none`. */
  readonly bias?: number;
  /** [rows, N], with the stride of y; read for the epilogue `residual` only. Must not overlap y. */
  readonly residual?: number;
  /** [rows, N] */
  readonly y: number;
  readonly yStride: number;
  readonly rows: number;
  readonly K: number;
  readonly N: number;
  readonly tileRows: TileRows;
  /** `matmulScratchBytes(rows, K)` bytes that are free. */
  readonly scratch: number;
}

/** Attention of the queries first … end − 1 of one pass: kernels/attention.ts. */
export interface AttentionArguments {
  /** [L, 3, h, headDim] */
  readonly qkv: number;
  /** [L, L], bytes */
  readonly mask: number;
  /** [h, L, L] */
  readonly probabilities: number;
  /** [L, h, headDim] */
  readonly attended: number;
  readonly L: number;
  readonly h: number;
  readonly headDim: number;
  readonly first: number;
  readonly end: number;
}

/** LayerNorm of some rows: kernels/layer_norm.ts. */
export interface LayerNormArguments {
  /** [rows, d] */
  readonly x: number;
  /** [d] */
  readonly weight: number;
  /** [d] */
  readonly bias: number;
  /** [rows, d] */
  readonly y: number;
  readonly rows: number;
  readonly d: number;
  readonly epsilon: number;
}

/** merged = weight + upᵀ · down: kernels/lora_merge.ts. */
export interface LoraMergeArguments {
  /** [N, K] */
  readonly weight: Panels;
  /** [R, N rounded up to 8], scaled */
  readonly up: number;
  readonly upStride: number;
  /** [R, K] */
  readonly down: number;
  readonly downStride: number;
  /** Panels of float32; may be those of `weight` where they are F32. */
  readonly merged: number;
  readonly N: number;
  readonly K: number;
  readonly R: number;
}

/** Stored elements → panels: kernels/weights.ts. */
export interface PackArguments {
  readonly dtype: WeightDtype;
  /** [N, K], elements as stored, rows `rowStride` elements apart; any offset. */
  readonly stored: number;
  readonly rowStride: number;
  /** `panelBytes(N, K, dtype)` bytes, which must not overlap `stored`. */
  readonly panels: number;
  readonly N: number;
  readonly K: number;
}

export interface CpuKernels {
  /** Whether multiply-add is left to the processor: faster, and equal to the bit on one machine only. */
  readonly relaxed: boolean;
  /** hidden = tokenRows + positions, `count` elements each, a multiple of 4: kernels/embeddings.ts. */
  embeddings(tokenRows: number, positions: number, hidden: number, count: number): void;
  layerNorm(of: LayerNormArguments): void;
  matmul(of: MatmulArguments): void;
  attention(of: AttentionArguments): void;
  loraMerge(of: LoraMergeArguments): void;
  /** Throws RangeError if an F16 element is infinite, NaN or not below 128 in magnitude: the panels are to be of F32 then. */
  pack(of: PackArguments): void;
}

/** Bytes of a weight [N, K] in panels. */
export function panelBytes(N: number, K: number, dtype: WeightDtype): number {
  return Math.ceil(N / panelColumns) * panelColumns * K * weightBytes[dtype];
}

/** Longest block of K, BLOCK of kernels/matmul.ts. */
const longestBlock = 768;

/** Bytes that matmul needs for itself: an unpacked block of a panel, the sums of a panel, and a copy of x. */
export function matmulScratchBytes(rows: number, K: number): number {
  const columns = panelColumns * longestBlock + panelColumns * rows + rows * K;
  return 16 * Math.ceil((4 * columns) / 16);
}

/** The modules' exports, with the parameters of kernels/*.ts in order. */
type Exports = Record<
  'attention' | 'embeddings' | 'layer_norm' | 'lora_merge' | 'matmul' | 'pack',
  (...parameters: number[]) => number
>;

/** A compiled module. It can be sent to other threads. */
export interface CompiledKernels {
  readonly module: WebAssembly.Module;
  readonly relaxed: boolean;
}

/** The bytes of a module that is kept as text, two hexadecimal digits a byte. */
export function moduleBytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g)!, (byte) => Number.parseInt(byte, 16));
}

/** The smallest module with a relaxed multiply-add, f32x4.relaxed_madd of three zeros: tells whether there are such instructions. */
const relaxedProbe = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // One type, () → v128, and one function of it.
  ...[1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0],
  // Its body: i8x16.splat of i32.const 0, three times, and the multiply-add.
  ...[10, 19, 1, 17, 0, 0x41, 0, 0xfd, 15, 0x41, 0, 0xfd, 15, 0x41, 0, 0xfd, 15, 0xfd, 0x85, 2, 0x0b],
);

/**
 * Compiles the relaxed module where there is relaxed SIMD, and the plain one elsewhere or where `relaxed` is false. Rejects with
 * CpuUnavailableError where neither can be run.
 */
export async function compileKernels(relaxed = true): Promise<CompiledKernels> {
  if (typeof WebAssembly === 'undefined')
    throw new CpuUnavailableError(
      'There is no WebAssembly here',
      ', which the encoder needs to run on the processor. Some browsers switch it off in a strict security mode; try another browser.',
    );
  const runsRelaxed = relaxed && validates(relaxedProbe);
  // Each module is loaded only where it is run.
  const { default: hex } = runsRelaxed
    ? await import('./kernels/kernels_relaxed.wasm.hex?raw')
    : await import('./kernels/kernels.wasm.hex?raw');
  const chosen = moduleBytes(hex);
  if (!validates(chosen))
    throw new CpuUnavailableError(
      'WebAssembly has no SIMD here',
      ', which the encoder needs to run on the processor. Browsers have it since Chrome 91, Firefox 89 and Safari 16.4, on processors with SSE 4.1 or NEON; try a newer browser.',
    );
  try {
    return { module: await WebAssembly.compile(chosen), relaxed: runsRelaxed };
  } catch (error) {
    throw new CpuUnavailableError(
      'WebAssembly is not allowed here',
      `: ${(error as Error).message} A page with a Content-Security-Policy must name 'wasm-unsafe-eval' in script-src.`,
      { cause: error },
    );
  }
}

function validates(bytes: Uint8Array<ArrayBuffer>): boolean {
  try {
    return WebAssembly.validate(bytes);
  } catch {
    return false;
  }
}

/** Makes the kernels work on `memory`, which may grow later. */
export async function cpuKernels(
  { module, relaxed }: CompiledKernels,
  memory: WebAssembly.Memory,
): Promise<CpuKernels> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const run = instance.exports as Exports;
  return {
    relaxed,
    embeddings: (tokenRows, positions, hidden, count) => run.embeddings(tokenRows, positions, hidden, count),
    layerNorm: ({ x, weight, bias, y, rows, d, epsilon }) => run.layer_norm(x, weight, bias, y, rows, d, epsilon),
    matmul: ({ epilogue, x, xStride, xStep = 1, weight, bias = 0, residual = 0, y, yStride, ...rest }) =>
      run.matmul(
        ...[dtypes[weight.dtype], cpuEpilogues[epilogue], x, xStride, xStep, weight.at, bias, residual, y, yStride],
        ...[rest.rows, rest.K, rest.N, rest.tileRows, rest.scratch],
      ),
    attention: ({ qkv, mask, probabilities, attended, L, h, headDim, first, end }) =>
      run.attention(qkv, mask, probabilities, attended, L, h, headDim, first, end),
    loraMerge: ({ weight, up, upStride, down, downStride, merged, N, K, R }) =>
      run.lora_merge(dtypes[weight.dtype], weight.at, up, upStride, down, downStride, merged, N, K, R),
    pack({ dtype, stored, rowStride, panels, N, K }) {
      if (!run.pack(dtypes[dtype], stored, rowStride, panels, N, K))
        throw new RangeError('An F16 weight has an element that is not below 128; expected it to be held as F32.');
    },
  };
}

/**
 * Shape of the product that is timed. Its rows fill tiles of every height, and it takes about 2 ms, because browsers tell the time to
 * 0.1 ms at best.
 */
const timed = { rows: 120, K: 768, N: 512 };

/** Milliseconds of timing. Engines run unoptimised code at first, so it goes on while times fall. */
const [steadyTiming, longestTiming] = [80, 300];

/**
 * Times tiles of each height in turn, for about 0.1 s, and returns the height of the fastest. How many rows fit into registers
 * depends on the engine's compiler.
 */
export async function fastestTile(compiled: CompiledKernels): Promise<TileRows> {
  const { rows, K, N } = timed;
  const sizes = [rows * K * 4, panelBytes(N, K, 'F32'), rows * N * 4, matmulScratchBytes(rows, K)];
  const places: number[] = [];
  let end = 0;
  for (const size of sizes) {
    places.push(end);
    end += 16 * Math.ceil(size / 16);
  }
  const [x, at, y, scratch] = places;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(end / 65536) });
  const kernels = await cpuKernels(compiled, memory);
  const shared = { epilogue: 'none', x, xStride: K, weight: { at, dtype: 'F32' }, y, yStride: N, ...timed } as const;

  const best = tileHeights.map(() => Number.POSITIVE_INFINITY);
  const start = performance.now();
  let improved = start;
  for (let now = start; now - start < longestTiming && now - improved < steadyTiming; now = performance.now())
    for (const [i, tileRows] of tileHeights.entries()) {
      const before = performance.now();
      kernels.matmul({ ...shared, tileRows, scratch });
      const after = performance.now();
      // A time that is shorter by far shows that optimised code has come.
      if (after - before < 0.7 * best[i]) improved = after;
      best[i] = Math.min(best[i], after - before);
    }
  return tileHeights[best.indexOf(Math.min(...best))];
}
