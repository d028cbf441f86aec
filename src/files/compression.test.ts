import { afterEach, expect, test, vi } from 'vitest';
import { compress, decompress } from './compression.ts';

afterEach(() => vi.unstubAllGlobals());

const noise = Uint8Array.from({ length: 100_000 }, (_, i) => (Math.imul(i, 2654435761) ^ (i * i)) >>> 13);

test('there and back, across many slices', async () => {
  const packed = await compress(noise, 'deflate-raw');
  expect(packed.length).toBeGreaterThan(2_000);
  expect(await decompress(Uint8Array.from(packed), 'deflate-raw', noise.length)).toEqual(noise);
  expect(await decompress(Uint8Array.from(packed), 'deflate-raw', noise.length - 1)).toBeNull();
});

test('bytes that are cut off or damaged give nothing', async () => {
  const packed = Uint8Array.from(await compress(new TextEncoder().encode('a photo of a cat '.repeat(999)), 'deflate'));
  expect(await decompress(packed.slice(0, -6), 'deflate', 1e6)).toBeNull();
  const damaged = packed.map((byte, i) => (i === 20 ? byte ^ 255 : byte));
  expect(await decompress(damaged, 'deflate', 1e6)).toBeNull();
});

test('of a bomb hardly more is unpacked than is asked for', async () => {
  let unpacked = 0;
  /** Unpacks all that it is handed before any of it is read, as browsers do: a byte to 1,032. */
  class Unpacking extends TransformStream<Uint8Array, Uint8Array> {
    constructor() {
      super({
        transform(chunk, controller) {
          unpacked += 1_032 * chunk.length;
          for (const _ of chunk) controller.enqueue(new Uint8Array(1_032));
        },
      });
    }
  }
  vi.stubGlobal('DecompressionStream', Unpacking);
  expect(await decompress(new Uint8Array(1e6), 'deflate-raw', 1 << 20)).toBeNull();
  expect(unpacked).toBeLessThan(3 << 20);
});
