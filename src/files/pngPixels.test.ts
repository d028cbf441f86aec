import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { mostPixels, readPngPixels } from './pngPixels.ts';
import { memorySource } from './testing/memorySource.ts';
import { chunk } from './testing/png.ts';

interface Head {
  readonly width: number;
  readonly height: number;
  readonly depth?: number;
  readonly colour?: number;
  readonly interlace?: number;
}

/** Makes a PNG of these rows, each behind the number of its filter. */
function pngOf(
  { width, height, depth = 8, colour = 2, interlace = 0 }: Head,
  rows: Uint8Array,
  ...before: Uint8Array[]
) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([depth, colour, 0, 0, interlace], 8);
  const packed = deflateSync(rows);
  const half = packed.length >> 1;
  const data = [packed.subarray(0, half), packed.subarray(half)].map((part) => chunk('IDAT', part));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head),
    ...before,
    ...data,
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const read = (bytes: Uint8Array) => readPngPixels(memorySource(bytes));
const rgbOf = async (bytes: Uint8Array) => Array.from((await read(bytes))?.rgb ?? []);

test.each<[string, Head, number[], number[]]>([
  ['RGB', { width: 2, height: 1 }, [0, 1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]],
  [
    'RGBA, whose alpha changes nothing',
    { width: 2, height: 1, colour: 6 },
    [0, 1, 2, 3, 0, 4, 5, 6, 7],
    [1, 2, 3, 4, 5, 6],
  ],
  ['grey', { width: 2, height: 1, colour: 0 }, [0, 7, 8], [7, 7, 7, 8, 8, 8]],
  ['grey and alpha', { width: 1, height: 1, colour: 4 }, [0, 7, 0], [7, 7, 7]],
  [
    'filters',
    { width: 2, height: 5, colour: 0 },
    [0, 10, 20, 1, 10, 10, 2, 5, 5, 3, 2, 2, 4, 1, 1],
    [10, 20, 10, 20, 15, 25, 9, 19, 10, 20].flatMap((v) => [v, v, v]),
  ],
])('%s', async (_, head, rows, rgb) => expect(await rgbOf(pngOf(head, Uint8Array.from(rows)))).toEqual(rgb));

test('a palette; an index outside of it is black', async () => {
  const palette = chunk('PLTE', Uint8Array.of(1, 2, 3, 4, 5, 6));
  expect(await rgbOf(pngOf({ width: 3, height: 1, colour: 3 }, Uint8Array.of(0, 1, 0, 9), palette))).toEqual([
    4, 5, 6, 1, 2, 3, 0, 0, 0,
  ]);
});

test('interlaced rows are the same pixels', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), async (width, height) => {
      const pixel = (x: number, y: number) => (x * 16 + y) & 255;
      const rows: number[] = [];
      for (const [x0, y0, dx, dy] of [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
      ])
        for (let y = y0; y < height && x0 < width; y += dy) {
          rows.push(0);
          for (let x = x0; x < width; x += dx) rows.push(pixel(x, y));
        }
      const rgb = Array.from({ length: width * height }, (_, i) => pixel(i % width, Math.floor(i / width))).flatMap(
        (v) => [v, v, v],
      );
      expect(await rgbOf(pngOf({ width, height, colour: 0, interlace: 1 }, Uint8Array.from(rows)))).toEqual(rgb);
    }),
    { numRuns: 60 },
  );
});

const whole = pngOf({ width: 2, height: 1 }, Uint8Array.of(0, 1, 2, 3, 4, 5, 6));
test.each<[string, Uint8Array]>([
  ['no PNG', Buffer.from('GIF89a..................')],
  ['cut off', whole.subarray(0, whole.length - 30)],
  ['16 bits', pngOf({ width: 1, height: 1, depth: 16 }, new Uint8Array(7))],
  ['a colour type that is none', pngOf({ width: 1, height: 1, colour: 5 }, new Uint8Array(7))],
  ['a filter that is none', pngOf({ width: 1, height: 1 }, Uint8Array.of(5, 1, 2, 3))],
  ['fewer rows than said', pngOf({ width: 1, height: 2 }, Uint8Array.of(0, 1, 2, 3))],
  ['more rows than said', pngOf({ width: 1, height: 1 }, new Uint8Array(80_000_000))],
  ['no pixels', pngOf({ width: 0, height: 1 }, Uint8Array.of(0))],
  ['too many pixels', pngOf({ width: mostPixels, height: 2 }, Uint8Array.of(0))],
  [
    'a head that is too short',
    Buffer.concat([whole.subarray(0, 8), chunk('IHDR', Buffer.alloc(5)), chunk('IDAT', Buffer.alloc(5))]),
  ],
])('%s has none', async (_, bytes) => expect(await read(bytes)).toBeNull());
