/**
 * The denoiser's kernels by the CPU engine's WebAssembly, in float32. The plain module gives the same bits everywhere: so one seed trains
 * one model, and draws one picture. The relaxed one would be faster by less than a tenth.
 */

import type { CompiledKernels } from '../cpu/kernels.ts';
import { pictureModuleKernels } from '../cpu/pictureModule.ts';
import type { AttentionSizes, Heads } from '../training/attentionLayer.ts';
import type { Floats } from '../training/products.ts';
import { blockRows, countFloats, createWasmParts, tileRows, type WasmParts } from '../training/wasmKernels.ts';
import { createDenoiser, type Denoiser, type DenoiserRoom } from './denoiser.ts';
import { type DenoiserConfig, pixelWidth, sideOf, timeWaves } from './denoiserConfig.ts';
import { type Grid, normEps, type PictureKernels } from './pictureKernels.ts';

/** Largest sizes that the kernels have room for. */
interface Room {
  /** Numbers of a row that a convolution reads or writes. */
  readonly channels: number;
  /** Pixels of a picture. */
  readonly pixels: number;
  /** Rows that a pixel can look at. */
  readonly keys: number;
}

/** Arrays that each call may use. */
interface Scratch {
  /** Neighbours of some pictures' pixels: [pixels, 9, channels]. */
  readonly gathered: Floats;
  /** A convolution's weight, turned round for the way back: [channels, 9, channels]. */
  readonly turned: Floats;
  /** Gradient of one head's probabilities: [pixels, keys]. */
  readonly scores: Floats;
}

const pixelsAtOnce = (pixels: number) => Math.max(pixels, blockRows);

const scratchOf = (allocate: (length: number) => Floats, { channels, pixels, keys }: Room): Scratch => ({
  gathered: allocate(pixelsAtOnce(pixels) * 9 * channels),
  turned: allocate(9 * channels * channels),
  scores: allocate(pixels * keys),
});

/** Counts the floats that `build` allocates. It gets kernels whose arrays are empty, and must not run them. */
export const countPictureFloats = (build: (kernels: PictureKernels) => void) =>
  countFloats((counting) => build(counting as PictureKernels));

/** Makes kernels for a denoiser with room for so many floats. Rejects with CpuError where there is not enough memory. */
export async function createPictureKernels(
  compiled: CompiledKernels,
  config: DenoiserConfig,
  room: DenoiserRoom,
  floats: number,
): Promise<PictureKernels> {
  const channels = Math.max(pixelWidth, ...config.levels.map(({ channels }) => channels));
  const inner = Math.max(...config.levels.map(({ channels, mlp }) => mlp * channels));
  const pixels = sideOf(config, 0) ** 2;
  const looked = config.levels.flatMap(({ self }, l) => (self ? [sideOf(config, l) ** 2] : []));
  const kernelRoom = { channels, pixels, keys: Math.max(room.T, ...looked) };
  const widest = Math.max(
    9 * channels,
    inner,
    config.contextWidth,
    config.timeWidth,
    2 * timeWaves,
    pixelsAtOnce(pixels),
  );
  const own = countFloats(({ allocate }) => scratchOf(allocate, kernelRoom));
  return wasmPictureKernels(await createWasmParts(compiled, own + floats, { widest, longest: 1 }), kernelRoom);
}

/**
 * Makes a denoiser in float32 on WebAssembly, to be trained. Its kernels can allocate `spare` more floats. Rejects with CpuError where
 * there is not enough memory.
 */
export async function createFastDenoiser(
  compiled: CompiledKernels,
  config: DenoiserConfig,
  room: DenoiserRoom,
  spare = 0,
): Promise<Denoiser> {
  const floats = countPictureFloats((kernels) => void createDenoiser(kernels, config, room));
  return createDenoiser(await createPictureKernels(compiled, config, room, floats + spare), config, room);
}

async function wasmPictureKernels(parts: WasmParts, room: Room): Promise<PictureKernels> {
  const { kernels, memory, place, training } = parts;
  const more = await pictureModuleKernels(memory);
  const scratch = scratchOf(training.allocate, room);
  return {
    ...training,
    layerNorm: (y, x, scale, shift, rows, d) =>
      kernels.layerNorm({
        ...{ x: place(x), weight: place(scale), bias: place(shift), y: place(y) },
        ...{ rows, d, epsilon: normEps },
      }),
    layerNormBackward: (dx, dscale, dshift, dy, x, scale, rows, d) =>
      more.layerNormBackward({
        ...{ x: place(x), weight: place(scale), dy: place(dy), dx: place(dx) },
        ...{ dweight: place(dscale), dbias: place(dshift), rows, d, epsilon: normEps },
      }),
    ...convolutionOf(parts, more, scratch),
    ...attentionOf(parts, more, scratch),
  };
}

type More = Awaited<ReturnType<typeof pictureModuleKernels>>;

function convolutionOf(
  { kernels, place, panels, matmulScratch, training }: WasmParts,
  more: More,
  { gathered, turned }: Scratch,
): Pick<PictureKernels, 'convolution' | 'convolutionInputGradient' | 'convolutionWeightGradient'> {
  /** Gathers the neighbours of a few pictures after another, so that they are still in the cache when they are multiplied. */
  const eachGathered = (
    x: Floats,
    { B, side }: Grid,
    K: number,
    call: (firstRow: number, rows: number) => void,
  ): void => {
    const pixels = side * side;
    const count = Math.max(1, Math.floor(blockRows / pixels));
    for (let b = 0; b < B; b += count) {
      const pictures = Math.min(count, B - b);
      more.gatherNeighbours(place(x) + 4 * b * pixels * K, place(gathered), pictures, side, K);
      call(b * pixels, pictures * pixels);
    }
  };
  const convolve = (y: Floats, x: Floats, weight: Floats, bias: Floats | null, grid: Grid, K: number, N: number) => {
    kernels.pack({ dtype: 'F32', stored: place(weight), rowStride: 9 * K, panels, N, K: 9 * K });
    const end = bias ? ({ epilogue: 'bias', bias: place(bias) } as const) : ({ epilogue: 'none' } as const);
    const shared = { weight: { at: panels, dtype: 'F32' }, tileRows, scratch: matmulScratch } as const;
    eachGathered(x, grid, K, (firstRow, rows) => {
      const places = { x: place(gathered), xStride: 9 * K, y: place(y) + 4 * firstRow * N, yStride: N };
      kernels.matmul({ ...shared, ...end, ...places, rows, K: 9 * K, N });
    });
  };
  return {
    convolution: convolve,
    /** The gradient is itself a convolution, of a weight whose taps are turned round: each neighbour looks back. */
    convolutionInputGradient(dx, dy, weight, grid, K, N) {
      for (let n = 0; n < N; n++)
        for (let tap = 0; tap < 9; tap++)
          for (let k = 0; k < K; k++) turned[(k * 9 + 8 - tap) * N + n] = weight[(n * 9 + tap) * K + k];
      convolve(dx, dy, turned, null, grid, N, K);
    },
    convolutionWeightGradient(dweight, dy, x, grid, K, N) {
      eachGathered(x, grid, K, (firstRow, rows) => {
        training.weightGradient(dweight, dy.subarray(firstRow * N), gathered, rows, 9 * K, N);
      });
    },
  };
}

/** Places of the rows of one head, in bytes. */
interface HeadPlaces {
  readonly q: number;
  readonly k: number;
  readonly v: number;
}

/** Attention of one head as products of small matrices. */
function attentionOf(
  { kernels, place, panels, matmulScratch }: WasmParts,
  more: More,
  { scores }: Scratch,
): Pick<PictureKernels, 'attention' | 'attentionBackward'> {
  const weight = { at: panels, dtype: 'F32' } as const;
  const shared = { epilogue: 'none', weight, tileRows, scratch: matmulScratch } as const;
  const headPlaces = ({ q, k, v }: Heads, head: number, headDim: number): HeadPlaces => {
    const column = 4 * head * headDim;
    return { q: place(q) + column, k: place(k) + column, v: place(v) + column };
  };
  /** y [rows, N] = x [rows, K] · the rows [N, K] that lie at `matrix`. */
  const multiplyByRows = (
    y: { readonly at: number; readonly stride: number },
    x: { readonly at: number; readonly stride: number },
    matrix: { readonly at: number; readonly stride: number },
    [rows, K, N]: readonly [number, number, number],
  ) => {
    kernels.pack({ dtype: 'F32', stored: matrix.at, rowStride: matrix.stride, panels, N, K });
    kernels.matmul({ ...shared, x: x.at, xStride: x.stride, y: y.at, yStride: y.stride, rows, K, N });
  };
  /** y [rows, N] = x [rows, K] · the matrix [K, N] at `matrix`; a transposed x has a step besides its stride. */
  const multiply = (
    y: { readonly at: number; readonly stride: number },
    x: { readonly at: number; readonly stride: number; readonly step?: number },
    matrix: { readonly at: number; readonly stride: number },
    [rows, K, N]: readonly [number, number, number],
  ) => {
    kernels.packTransposed({ matrix: matrix.at, rowStride: matrix.stride, panels, N, K });
    const places = { x: x.at, xStride: x.stride, xStep: x.step ?? 1, y: y.at, yStride: y.stride };
    kernels.matmul({ ...shared, ...places, rows, K, N });
  };
  return {
    attention(attended, probabilities, heads, { Lq, Lk, h, headDim, queryStride, keyStride }: AttentionSizes) {
      for (let head = 0; head < h; head++) {
        const { q, k, v } = headPlaces(heads, head, headDim);
        const p = { at: place(probabilities) + 4 * head * Lq * Lk, stride: Lk };
        multiplyByRows(p, { at: q, stride: queryStride }, { at: k, stride: keyStride }, [Lq, headDim, Lk]);
        more.softmax(p.at, Lq, Lk, 1 / Math.sqrt(headDim));
        const y = { at: place(attended) + 4 * head * headDim, stride: h * headDim };
        multiply(y, p, { at: v, stride: keyStride }, [Lq, Lk, headDim]);
      }
    },
    attentionBackward(dheads, dattended, probabilities, heads, sizes, dlooks = null) {
      const { Lq, Lk, h, headDim, queryStride, keyStride } = sizes;
      for (let head = 0; head < h; head++) {
        const { q, k, v } = headPlaces(heads, head, headDim);
        const { q: dq, k: dk, v: dv } = headPlaces(dheads, head, headDim);
        const p = { at: place(probabilities) + 4 * head * Lq * Lk, stride: Lk };
        const dp = { at: place(scores), stride: Lk };
        const upstream = { at: place(dattended) + 4 * head * headDim, stride: h * headDim };
        const transposed = ({ at }: { readonly at: number }) => ({ at, stride: 1, step: Lk });
        multiply({ at: dv, stride: keyStride }, transposed(p), upstream, [Lk, Lq, headDim]);
        multiplyByRows(dp, upstream, { at: v, stride: keyStride }, [Lq, headDim, Lk]);
        if (dlooks) for (let i = 0; i < Lq * Lk; i++) scores[i] += dlooks[head * Lq * Lk + i];
        more.softmaxBackward(p.at, dp.at, Lq, Lk, 1 / Math.sqrt(headDim));
        multiply({ at: dq, stride: queryStride }, dp, { at: k, stride: keyStride }, [Lq, Lk, headDim]);
        multiply({ at: dk, stride: keyStride }, transposed(dp), { at: q, stride: queryStride }, [Lk, Lq, headDim]);
      }
    },
  };
}
