/**
 * The products by the CPU engine's WebAssembly kernels, in float32. Arrays lie in one memory that never grows, as growing would end
 * all views. The plain kernels are used: WebAssembly defines their results to the bit. Long products are cut into blocks of rows, and
 * the order of sums depends on sizes alone.
 */

import { type CompiledKernels, type CpuKernels, cpuKernels, matmulScratchBytes, panelBytes } from '../cpu/kernels.ts';
import type { Floats, Products } from './products.ts';

/** Rows that are multiplied at once. A weight's gradient is a sum of sums of so many rows. */
const blockRows = 768;

/** Height of a tile: the plain kernels are fastest with it, and all heights give the same bits. */
const tileRows = 5;

const align = (bytes: number) => Math.ceil(bytes / 64) * 64;

/** Counts the floats that `build` allocates, padding included. It gets products that can allocate only, and must not use them. */
export function countFloats(build: (products: Products) => void): number {
  let bytes = 0;
  const refuse = () => {
    throw new TypeError('These products only count what is allocated.');
  };
  build({
    allocate(length) {
      bytes += align(4 * length);
      return new Float32Array(0);
    },
    forward: refuse,
    inputGradient: refuse,
    weightGradient: refuse,
  });
  return bytes / 4;
}

/** Places in the memory, in bytes. */
interface Scratch {
  /** Panels of one operand. */
  readonly panels: number;
  /** A block of a weight's gradient. */
  readonly sums: number;
  /** The matmul kernel's own. */
  readonly matmul: number;
  readonly end: number;
}

/** Lays out room for products of matrices that are at most `widest` wide. */
function layOutScratch(widest: number): Scratch {
  const sums = align(panelBytes(widest, Math.max(widest, blockRows), 'F32'));
  const matmul = sums + align(4 * widest * widest);
  return {
    panels: 0,
    sums,
    matmul,
    end: matmul + align(matmulScratchBytes(Math.max(widest, blockRows), Math.max(widest, blockRows))),
  };
}

/**
 * Makes products with room for so many floats (see `countFloats`), whose layers have at most `widest` numbers in and out.
 * `compiled` is to be plain. Rejects with RangeError where there is not so much memory.
 */
export async function createWasmProducts(compiled: CompiledKernels, floats: number, widest: number): Promise<Products> {
  const scratch = layOutScratch(widest);
  const memory = new WebAssembly.Memory({ initial: Math.ceil((scratch.end + 4 * floats) / 65536) });
  const kernels = await cpuKernels(compiled, memory);
  let end = scratch.end;
  return {
    allocate(length) {
      const at = end;
      end += align(4 * length);
      if (end > memory.buffer.byteLength)
        throw new RangeError(`The products have room for ${floats} numbers, which are not enough; count them first.`);
      return new Float32Array(memory.buffer, at, length);
    },
    ...productsOf(kernels, memory, scratch, widest),
  };
}

function productsOf(
  kernels: CpuKernels,
  memory: WebAssembly.Memory,
  { panels, sums, matmul: own }: Scratch,
  widest: number,
): Omit<Products, 'allocate'> {
  const place = (array: Floats): number => {
    if (array.buffer !== memory.buffer)
      throw new TypeError('An array of a product lies outside its memory; expected one that these products allocated.');
    return array.byteOffset;
  };
  const checkWidth = (K: number, N: number) => {
    if (Math.max(K, N) > widest)
      throw new RangeError(`A layer has ${K} numbers in and ${N} out; there is room for ${widest}.`);
  };
  const weight = { at: panels, dtype: 'F32' } as const;
  const shared = { epilogue: 'none', weight, tileRows, scratch: own } as const;

  /** y = x · (the packed operand), block by block. */
  const multiplyRows = (y: number, x: number, rows: number, K: number, N: number) => {
    for (let from = 0; from < rows; from += blockRows) {
      const height = Math.min(blockRows, rows - from);
      const places = { x: x + 4 * from * K, xStride: K, y: y + 4 * from * N, yStride: N };
      kernels.matmul({ ...shared, ...places, rows: height, K, N });
    }
  };
  return {
    forward(y, x, w, rows, K, N) {
      checkWidth(K, N);
      kernels.pack({ dtype: 'F32', stored: place(w), rowStride: K, panels, N, K });
      multiplyRows(place(y), place(x), rows, K, N);
    },
    inputGradient(dx, dy, w, rows, K, N) {
      checkWidth(K, N);
      kernels.packTransposed({ matrix: place(w), rowStride: K, panels, N: K, K: N });
      multiplyRows(place(dx), place(dy), rows, N, K);
    },
    weightGradient(dweight, dy, x, rows, K, N) {
      checkWidth(K, N);
      const block = new Float32Array(memory.buffer, sums, N * K);
      for (let from = 0; from < rows; from += blockRows) {
        const height = Math.min(blockRows, rows - from);
        kernels.packTransposed({ matrix: place(x) + 4 * from * K, rowStride: K, panels, N: K, K: height });
        const transposed = { x: place(dy) + 4 * from * N, xStride: 1, xStep: N, y: sums, yStride: K };
        kernels.matmul({ ...shared, ...transposed, rows: N, K: height, N: K });
        for (let i = 0; i < block.length; i++) dweight[i] += block[i];
      }
    },
  };
}
