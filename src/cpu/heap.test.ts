import { expect, test, vi } from 'vitest';
import { createHeap } from './heap.ts';

test('blocks do not overlap, begin at cache lines, and take the gaps that others left', () => {
  const heap = createHeap();
  const [a, b, c] = [100, 64, 1000].map((bytes) => heap.allocate(bytes)!);
  expect([a, b, c]).toEqual([0, 128, 192]);
  heap.free(a);
  heap.free(b);
  // The gaps of both are one.
  expect(heap.allocate(192)).toBe(0);
  expect(heap.allocate(1)).toBe(192 + 1024);
});

test('the memory grows by what is missing at its end, and keeps what is in it', () => {
  const heap = createHeap();
  const first = heap.allocate(40_000)!;
  heap.bytes(first, 40_000).fill(7);
  expect(heap.memory.buffer.byteLength).toBe(65_536);
  const second = heap.allocate(80_000)!;
  expect([second, heap.memory.buffer.byteLength]).toEqual([40_000, 2 * 65_536]);
  expect(heap.bytes(first, 40_000).every((byte) => byte === 7)).toBe(true);
});

test('a memory that cannot grow changes nothing', () => {
  const heap = createHeap();
  const first = heap.allocate(10)!;
  const full = vi.spyOn(heap.memory, 'grow').mockImplementation(() => {
    throw new RangeError('Maximum memory size exceeded');
  });
  expect(heap.allocate(100_000)).toBeNull();
  expect(heap.allocate(10)).toBe(64);
  full.mockRestore();
  expect(heap.allocate(100_000)).toBe(128);
  heap.free(first);
  expect(heap.allocate(64)).toBe(first);
});
