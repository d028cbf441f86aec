/** Bytes of a page, in which a memory grows. */
const pageBytes = 65536;

/** Blocks begin at multiples of a cache line. */
const alignment = 64;
const align = (bytes: number) => Math.max(1, Math.ceil(bytes / alignment)) * alignment;

/** The blocks of one WebAssembly memory. Views end when it grows, so they are to be made anew after each allocation. */
export interface Heap {
  readonly memory: WebAssembly.Memory;
  /** Returns where a block of so many bytes begins, or null where there is no room. The memory grows where it has to. */
  allocate(bytes: number): number | null;
  free(block: number): void;
  bytes(at: number, length: number): Uint8Array<ArrayBuffer>;
  floats(at: number, length: number): Float32Array<ArrayBuffer>;
}

/** Makes a heap whose memory is empty. A block takes the first gap that is large enough. */
export function createHeap(): Heap {
  const memory = new WebAssembly.Memory({ initial: 0 });
  /** Free bytes between blocks, in ascending order, [from, to). */
  let gaps: (readonly [from: number, to: number])[] = [];
  const sizes = new Map<number, number>();

  const addGap = (from: number, to: number) => {
    const sorted = [...gaps, [from, to] as const].sort(([a], [b]) => a - b);
    gaps = [];
    for (const [start, end] of sorted) {
      const last = gaps.at(-1);
      if (last && last[1] === start) gaps[gaps.length - 1] = [last[0], end];
      else gaps.push([start, end]);
    }
  };

  /** Adds pages, so that the last gap has so many bytes. */
  const grow = (bytes: number): boolean => {
    const size = memory.buffer.byteLength;
    const last = gaps.at(-1);
    const there = last && last[1] === size ? size - last[0] : 0;
    try {
      memory.grow(Math.ceil((bytes - there) / pageBytes));
    } catch {
      return false;
    }
    addGap(size, memory.buffer.byteLength);
    return true;
  };

  const allocate = (wanted: number): number | null => {
    const bytes = align(wanted);
    const at = gaps.findIndex(([from, to]) => to - from >= bytes);
    if (at < 0) return grow(bytes) ? allocate(wanted) : null;
    const [from, to] = gaps[at];
    gaps.splice(at, 1, ...(to - from > bytes ? [[from + bytes, to] as const] : []));
    sizes.set(from, bytes);
    return from;
  };

  return {
    memory,
    allocate,
    free(block) {
      addGap(block, block + sizes.get(block)!);
      sizes.delete(block);
    },
    bytes: (at, length) => new Uint8Array(memory.buffer, at, length),
    floats: (at, length) => new Float32Array(memory.buffer, at, length),
  };
}
