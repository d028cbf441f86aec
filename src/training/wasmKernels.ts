/**
 * Training kernels by the CPU engine's WebAssembly, in float32. Arrays lie in one memory that never grows, as growing would end all
 * views. The plain module is used: WebAssembly defines its results to the bit. Long products are cut into blocks of rows, and the
 * order of sums depends on sizes alone.
 */

import { type BackwardKernels, backwardKernels } from '../cpu/backwardKernels.ts';
import { CpuError } from '../cpu/cpuError.ts';
import { type CompiledKernels, type CpuKernels, cpuKernels, matmulScratchBytes, panelBytes } from '../cpu/kernels.ts';
import type { Floats, Products } from './products.ts';
import { type SelfAttentionSizes, sequencePlaces, type TrainingKernels } from './trainingKernels.ts';

/** Rows that are multiplied at once. A weight's gradient is a sum of sums of so many rows. */
export const blockRows = 768;

/** Height of a tile: the largest that fits into the registers of every compiler. All heights give the same bits. */
export const tileRows = 4;

/** Largest sizes that the kernels have room for. */
export interface KernelRoom {
  /** Numbers in and out of a linear layer. */
  readonly widest: number;
  /** Rows of a sequence. */
  readonly longest: number;
}

const align = (bytes: number) => Math.ceil(bytes / 64) * 64;

/** Counts the floats that `build` allocates, padding included. It gets kernels whose arrays are empty, and must not run them. */
export function countFloats(build: (kernels: TrainingKernels) => void): number {
  let bytes = 0;
  const refuse = () => {
    throw new TypeError('These kernels only count what is allocated.');
  };
  build({
    allocate(length) {
      bytes += align(4 * length);
      return new Float32Array(0);
    },
    forward: refuse,
    inputGradient: refuse,
    weightGradient: refuse,
    quickGelu: refuse,
    quickGeluBackward: refuse,
    selfAttention: refuse,
    selfAttentionBackward: refuse,
  });
  return bytes / 4;
}

/** Places in the memory, in bytes. */
interface Scratch {
  /** Panels of one operand of a product. */
  readonly panels: number;
  /** A block of a weight's gradient. */
  readonly sums: number;
  /** The matmul kernel's own. */
  readonly matmul: number;
  /** [L, L], bytes */
  readonly mask: number;
  /** [L] */
  readonly row: number;
  readonly end: number;
}

function layOutScratch({ widest, longest }: KernelRoom): Scratch {
  const longer = Math.max(widest, blockRows);
  const sums = align(panelBytes(widest, longer, 'F32'));
  const matmul = sums + align(4 * widest * widest);
  const mask = matmul + align(matmulScratchBytes(longer, longer));
  const row = mask + align(longest * longest);
  return { panels: 0, sums, matmul, mask, row, end: row + align(4 * longest) };
}

/** Parts that the kernels of this file are made of, for such as need more than these. */
export interface WasmParts {
  readonly kernels: CpuKernels & BackwardKernels;
  readonly memory: WebAssembly.Memory;
  readonly place: Place;
  /** Places of what a matrix product needs, in bytes: panels of a [widest, widest] weight in blocks of `blockRows`, and the kernel's own. */
  readonly panels: number;
  readonly matmulScratch: number;
  readonly training: TrainingKernels;
}

/**
 * Makes kernels with room for so many floats (see `countFloats`). `compiled` is to be plain where results are to be the same
 * everywhere. Rejects with CpuError where there is not so much memory.
 */
export async function createWasmKernels(
  compiled: CompiledKernels,
  floats: number,
  room: KernelRoom,
): Promise<TrainingKernels> {
  return (await createWasmParts(compiled, floats, room)).training;
}

/** Does what `createWasmKernels` does, and gives the parts. */
export async function createWasmParts(compiled: CompiledKernels, floats: number, room: KernelRoom): Promise<WasmParts> {
  const scratch = layOutScratch(room);
  const memory = memoryOf(scratch.end + 4 * floats);
  const kernels = { ...(await cpuKernels(compiled, memory)), ...(await backwardKernels(memory)) };
  let end = scratch.end;
  const place: Place = (array) => {
    if (array.buffer !== memory.buffer)
      throw new TypeError("An array lies outside the kernels' memory; expected one that they allocated.");
    return array.byteOffset;
  };
  const training: TrainingKernels = {
    allocate(length) {
      const at = end;
      end += align(4 * length);
      if (end > memory.buffer.byteLength)
        throw new RangeError(`The kernels have room for ${floats} numbers, which are not enough; count them first.`);
      return new Float32Array(memory.buffer, at, length);
    },
    ...productsOf(kernels, memory, scratch, room, place),
    quickGelu: (y, x, count) => kernels.quickGelu(place(y), place(x), wholeVectors(count)),
    quickGeluBackward: (dy, x, count) => kernels.quickGeluBackward(place(dy), place(x), wholeVectors(count)),
    ...attentionOf(kernels, memory, scratch, room, place),
  };
  return { kernels, memory, place, panels: scratch.panels, matmulScratch: scratch.matmul, training };
}

function memoryOf(bytes: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
  } catch (cause) {
    const megabytes = Math.ceil(bytes / 1e6);
    throw new CpuError(`There are no ${megabytes} MB of memory to train with; choose smaller batches.`, { cause });
  }
}

/** Gives the byte offset of an array. Throws TypeError for one of another memory. */
export type Place = (array: Floats) => number;

function wholeVectors(count: number): number {
  if (count % 4) throw new RangeError(`${count} numbers are no multiple of 4, which these kernels need.`);
  return count;
}

function productsOf(
  kernels: CpuKernels & BackwardKernels,
  memory: WebAssembly.Memory,
  { panels, sums, matmul: own }: Scratch,
  { widest }: KernelRoom,
  place: Place,
): Omit<Products, 'allocate'> {
  const checkWidth = (K: number, N: number) => {
    if (Math.max(K, N) > widest)
      throw new RangeError(`A layer has ${K} numbers in and ${N} out; there is room for ${widest}.`);
  };
  const weight = { at: panels, dtype: 'F32' } as const;
  const shared = { weight, tileRows, scratch: own } as const;

  /** y = x · (the packed operand) + bias, block by block. */
  const multiplyRows = (y: number, x: number, bias: Floats | null, rows: number, K: number, N: number) => {
    const end = bias ? ({ epilogue: 'bias', bias: place(bias) } as const) : ({ epilogue: 'none' } as const);
    for (let from = 0; from < rows; from += blockRows) {
      const height = Math.min(blockRows, rows - from);
      const places = { x: x + 4 * from * K, xStride: K, y: y + 4 * from * N, yStride: N };
      kernels.matmul({ ...shared, ...end, ...places, rows: height, K, N });
    }
  };
  return {
    forward(y, x, w, bias, rows, K, N) {
      checkWidth(K, N);
      kernels.pack({ dtype: 'F32', stored: place(w), rowStride: K, panels, N, K });
      multiplyRows(place(y), place(x), bias, rows, K, N);
    },
    inputGradient(dx, dy, w, rows, K, N) {
      checkWidth(K, N);
      kernels.packTransposed({ matrix: place(w), rowStride: K, panels, N: K, K: N });
      multiplyRows(place(dx), place(dy), null, rows, N, K);
    },
    weightGradient(dweight, dy, x, rows, K, N) {
      checkWidth(K, N);
      const block = new Float32Array(memory.buffer, sums, N * K);
      for (let from = 0; from < rows; from += blockRows) {
        const height = Math.min(blockRows, rows - from);
        kernels.packTransposed({ matrix: place(x) + 4 * from * K, rowStride: K, panels, N: K, K: height });
        const transposed = { x: place(dy) + 4 * from * N, xStride: 1, xStep: N, y: sums, yStride: K };
        kernels.matmul({ ...shared, ...transposed, epilogue: 'none', rows: N, K: height, N: K });
        for (let i = 0; i < block.length; i++) dweight[i] += block[i];
      }
    },
  };
}

function attentionOf(
  kernels: CpuKernels & BackwardKernels,
  memory: WebAssembly.Memory,
  { mask, row }: Scratch,
  { longest }: KernelRoom,
  place: Place,
): Pick<TrainingKernels, 'selfAttention' | 'selfAttentionBackward'> {
  const check = ({ lengths, headDim }: SelfAttentionSizes) => {
    for (let b = 0; b < lengths.length; b++)
      if (lengths[b] > longest)
        throw new RangeError(`A sequence has ${lengths[b]} rows; there is room for ${longest}.`);
    wholeVectors(headDim);
  };
  const writeMask = (L: number, causal: boolean) => {
    const seen = new Uint8Array(memory.buffer, mask, L * L);
    for (let i = 0; i < L; i++) for (let j = 0; j < L; j++) seen[i * L + j] = !causal || j <= i ? 1 : 0;
  };
  return {
    selfAttention(attended, probabilities, heads, sizes) {
      check(sizes);
      const { h, headDim, causal } = sizes;
      const [qkv, p, o] = [place(heads), place(probabilities), place(attended)];
      let masked = 0;
      for (const { L, row: from, probabilities: at } of sequencePlaces(sizes)) {
        if (L !== masked) writeMask(L, causal);
        masked = L;
        kernels.attention({
          qkv: qkv + 4 * from * 3 * h * headDim,
          mask,
          probabilities: p + 4 * at,
          attended: o + 4 * from * h * headDim,
          ...{ L, h, headDim, first: 0, end: L },
        });
      }
    },
    selfAttentionBackward(dheads, dattended, probabilities, heads, sizes) {
      check(sizes);
      const { h, headDim } = sizes;
      const [dqkv, qkv, p, dO] = [place(dheads), place(heads), place(probabilities), place(dattended)];
      for (const { L, row: from, probabilities: at } of sequencePlaces(sizes))
        kernels.attentionBackward({
          qkv: qkv + 4 * from * 3 * h * headDim,
          probabilities: p + 4 * at,
          dattended: dO + 4 * from * h * headDim,
          dqkv: dqkv + 4 * from * 3 * h * headDim,
          scratch: row,
          ...{ L, h, headDim },
        });
    },
  };
}
