import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { readPngTexts, withPngText } from './pngText.ts';
import { spySource } from './testing/faultySources.ts';
import { memorySource } from './testing/memorySource.ts';
import { chunk, iTXt, png, tEXt, zTXt } from './testing/png.ts';

const read = async (bytes: Uint8Array) => Object.fromEntries((await readPngTexts(memorySource(bytes))).texts);
const text = 'a (red:1.3) car\nNegative prompt: café\nSteps: 20, Sampler: Euler a, Clip skip: 2';

test.each([
  ['tEXt', tEXt('parameters', text)],
  ['zTXt', zTXt('parameters', text)],
  ['iTXt', iTXt('parameters', text, false)],
  ['iTXt, compressed', iTXt('parameters', text, true)],
])('%s', async (_, textChunk) => expect(await read(png(textChunk))).toEqual({ parameters: text }));

test('text beyond Latin-1 comes in iTXt', async () => {
  expect(await read(png(iTXt('parameters', '小さな猫 😀', true)))).toEqual({ parameters: '小さな猫 😀' });
});

test('text after the pixels, and several of them', async () => {
  const bytes = png(tEXt('a', '1'), chunk('IDAT', new Uint8Array(5000)), tEXt('b', '2'), tEXt('a', '3'));
  expect(await read(bytes)).toEqual({ a: '1', b: '2' });
});

test('a picture that another program wrote', async () => {
  expect(await read(readFileSync('src/files/recorded/parameters.png'))).toEqual({
    parameters: 'a (red:1.3) car\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Clip skip: 2',
    Software: '小',
  });
});

test('texts that are added come first and are read again, whatever they hold', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (added) => {
      const bytes = withPngText(png(tEXt('a', '1'), chunk('IDAT', new Uint8Array(50))), { Title: '小', prompt: added });
      expect(await read(bytes)).toEqual({ Title: '小', prompt: added, a: '1' });
    }),
    { numRuns: 30 },
  );
});

test('a picture with added texts is one for other programs: checksums are right', () => {
  const bytes = withPngText(png(chunk('IDAT', new Uint8Array(5))), { Title: 'a cat' });
  const view = new DataView(bytes.buffer);
  // The head of 13 bytes stays where it was; the text is behind it.
  const at = 8 + 12 + 13;
  const length = view.getUint32(at);
  expect(new TextDecoder().decode(bytes.subarray(at + 4, at + 8))).toBe('iTXt');
  // crc32 of Node's zlib is another one than the page's.
  expect(view.getUint32(at + 8 + length)).toBe(crc32(bytes.subarray(at + 4, at + 8 + length)));
});

test('only heads and texts are read', async () => {
  const source = spySource(memorySource(png(chunk('IDAT', new Uint8Array(1 << 20)), tEXt('a', '1'))));
  expect((await readPngTexts(source)).texts.get('a')).toBe('1');
  expect(source.reads.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(10_000);
});

test('a picture of thousands of small chunks takes few reads', async () => {
  const source = spySource(memorySource(png(...Array(10_000).fill(chunk('tIME', new Uint8Array(1))), tEXt('a', '1'))));
  expect((await readPngTexts(source)).texts.get('a')).toBe('1');
  expect(source.reads.length).toBeLessThan(50);
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['another file', new TextEncoder().encode('{"a": 1}')],
  ['the signature alone', png().subarray(0, 8)],
  ['no keyword', png(chunk('tEXt', new Uint8Array([0, 65])))],
  ['no end of the keyword', png(chunk('tEXt', new Uint8Array([65, 66])))],
  ['an unknown compression', png(chunk('zTXt', new Uint8Array([65, 0, 1, 2, 3])))],
  ['damaged compression', png(chunk('zTXt', new Uint8Array([65, 0, 0, 1, 2, 3])))],
  ['iTXt without its languages', png(chunk('iTXt', new Uint8Array([65, 0, 0, 0, 66])))],
  ['a chunk longer than the file', png(chunk('tEXt', new Uint8Array([65, 0, 66]), 0xffffffff))],
  ['a text that unpacks to 100 MB', png(zTXt('a', 'x'.repeat(100_000_000)))],
  ['a text chunk of 17 MB', png(tEXt('a', 'x'.repeat(17_000_000)))],
])('%s gives no text', async (_, bytes) => expect(await read(bytes)).toEqual({}));

test('what stands before the damage is read', async () => {
  const whole = png(tEXt('a', '1'), tEXt('b', 'x'.repeat(100)));
  expect(await read(whole.subarray(0, whole.length - 60))).toEqual({ a: '1' });
});

test('texts that unpack without end leave room for nothing more, and take no more', async () => {
  const bomb = (i: number) => zTXt(`${i}`, 'x'.repeat(30_000_000));
  const texts = await read(png(tEXt('first', 'a cat'), ...Array.from({ length: 20 }, (_, i) => bomb(i))));
  expect(texts).toEqual({ first: 'a cat' });
  const large = (i: number) => zTXt(`${i}`, 'x'.repeat(4_000_000));
  const kept = await read(png(...Array.from({ length: 20 }, (_, i) => large(i))));
  expect(Object.values(kept).reduce((sum, text) => sum + text.length, 0)).toBeLessThanOrEqual(1 << 24);
  expect(Object.keys(kept)).toHaveLength(4);
});

test('any bytes after the signature are lived with', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('tEXt', 'zTXt', 'iTXt', 'IDAT'), fc.uint8Array({ maxLength: 40 }), fc.nat(60))),
      async (chunks) => {
        await read(png(...chunks.map(([type, data, length]) => chunk(type, data, length % 7 ? data.length : length))));
      },
    ),
    { numRuns: 300 },
  );
});
