import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { pictureFormat } from './pictureFormat.ts';
import { readPictureTexts } from './pictureTexts.ts';
import { spySource } from './testing/faultySources.ts';
import { memorySource } from './testing/memorySource.ts';
import { commentBlock, exifBlock, exifJpeg, jpeg, utf16, webp } from './testing/pictures.ts';
import { chunk, png } from './testing/png.ts';

const text =
  'a (red:1.3) fox, 猫\nNegative prompt: blurry, [bad]\nSteps: 24, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 8x8, Clip skip: 2, Version: v1.10.1';
const utf8 = (of: string) => new TextEncoder().encode(of);

async function read(bytes: Uint8Array) {
  const format = pictureFormat(bytes.subarray(0, 12));
  if (!format) throw new Error('no picture');
  return readPictureTexts(memorySource(bytes), format);
}

test.each(['a.jpg', 'le.jpg', 'a.webp', 'comment.avif', 'exif.png'])('%s: the EXIF comment', async (file) => {
  const { exif, comment } = await read(readFileSync(`src/files/recorded/pictures/${file}`));
  expect([exif?.comment, comment]).toEqual([text, null]);
});

test.each(['c.gif', 'comment.jpg'])('%s: the comment', async (file) => {
  const { exif, comment } = await read(readFileSync(`src/files/recorded/pictures/${file}`));
  expect([exif, comment]).toEqual([null, text]);
});

test('B52: a compressed iTXt with a language is text in UTF-8', async () => {
  const { texts } = await read(readFileSync('src/files/recorded/pictures/itxt_zip_lang.png'));
  expect(texts.get('parameters')).toBe(text);
});

test.each<[string, string, Uint8Array, string]>([
  ['big-endian', 'UNICODE', utf16(text, false), text],
  ['little-endian', 'UNICODE', utf16(text, true), text],
  ['big-endian after its mark', 'UNICODE', utf16(`\ufeff${text}`, false), text],
  ['little-endian after its mark', 'UNICODE', utf16(`\ufeff${text}`, true), text],
  ['of CJK alone, big-endian', 'UNICODE', utf16('小さな猫', false), '小さな猫'],
  ['ended by zeros', 'UNICODE', utf16('a cat\0\0', false), 'a cat'],
  ['ASCII', 'ASCII', utf8('a cat'), 'a cat'],
  ['UTF-8 under the name of ASCII', 'ASCII', utf8(text), text],
  ['of no said encoding', '', utf8(text), text],
  ['without a name of its encoding', 'a cat on', utf8(' a log'), 'a cat on a log'],
  ['Shift JIS', 'JIS', Uint8Array.from([0x8f, 0xac, 0x82, 0xb3, 0x82, 0xc8, 0x94, 0x4c]), '小さな猫'],
  ['ISO-2022-JP', 'JIS', Uint8Array.from([0x1b, 0x24, 0x42, 0x3e, 0x2e, 0x1b, 0x28, 0x42]), '小'],
  ['empty', 'UNICODE', new Uint8Array(0), ''],
])('a user comment, %s', async (_, encoding, bytes, expected) => {
  for (const littleEndian of [false, true]) {
    const block = commentBlock(encoding, bytes, littleEndian);
    const inWebp = webp(['VP8X', new Uint8Array(10)], ['EXIF', block]);
    for (const picture of [exifJpeg(block), inWebp, png(chunk('eXIf', block))])
      expect((await read(picture)).exif?.comment).toBe(expected || null);
  }
});

test('texts of the first directory, short and long', async () => {
  const block = exifBlock({
    first: [
      [0x010e, 2, utf8('ab\0')],
      [0x010f, 2, utf8('workflow:{}\0')],
      [0x0112, 3, utf8('xx')],
    ],
  });
  expect((await read(exifJpeg(block))).exif).toEqual({ comment: null, others: ['ab', 'workflow:{}'] });
  const { exif } = await read(readFileSync('src/files/recorded/pictures/comfy.webp'));
  expect(exif?.others.map((other) => other.slice(0, 9))).toEqual(['workflow:', 'prompt:{"']);
});

test('the last comment of a JPEG, and the first EXIF', async () => {
  const exif = (comment: string) =>
    [0xe1, Uint8Array.from([...utf8('Exif\0\0'), ...commentBlock('ASCII', utf8(comment))])] as const;
  const bytes = jpeg(
    [0xe0, utf8('JFIF\0')],
    [0xfe, utf8('one')],
    exif('first'),
    [0xe1, utf8('http://ns.adobe.com')],
    exif('second'),
    [0xfe, utf8('two')],
  );
  expect(await read(bytes)).toMatchObject({ comment: 'two', exif: { comment: 'first' } });
});

test('only the heads of parts and texts are read', async () => {
  const pixels = new Uint8Array(1 << 22);
  const bytes = webp(['VP8L', pixels], ['EXIF', commentBlock('ASCII', utf8('a'))]);
  const source = spySource(memorySource(bytes));
  expect((await readPictureTexts(source, 'WebP')).exif?.comment).toBe('a');
  expect(source.reads.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(200);
});

/** An EXIF block whose directories point at themselves and each other. */
function looping(): Uint8Array {
  const block = exifBlock({ exif: [[0x8769, 4, new Uint8Array(4)]] });
  new DataView(block.buffer).setUint32(8 + 2 + 8, 8);
  return block;
}

/** An EXIF block that says it has 65535 entries, each of which is 4 GB long. */
function countless(): Uint8Array {
  return new Uint8Array(100_000).fill(0xff).map((byte, i) => [0x4d, 0x4d, 0, 42, 0, 0, 0, 8][i] ?? byte);
}

test.each<[string, Uint8Array]>([
  ['a JPEG that ends in its first marker', Uint8Array.of(0xff, 0xd8, 0xff)],
  ['a JPEG of 0xff', new Uint8Array(100_000).fill(0xff).map((byte, i) => (i === 1 ? 0xd8 : byte))],
  ['a JPEG segment longer than the file', jpeg([0xe1, utf8('Exif\0\0')]).map((byte, i) => (i === 4 ? 0xff : byte))],
  ['a JPEG segment of length 0', Uint8Array.of(0xff, 0xd8, 0xff, 0xe1, 0, 0, 0xff, 0xd9)],
  ['EXIF directories in a circle', exifJpeg(looping())],
  ['65535 EXIF entries of 4 GB', webp(['EXIF', countless()])],
  ['EXIF of no TIFF', exifJpeg(utf8('XX*\0\0\0\0\x08'))],
  ['EXIF that is cut off', exifJpeg(commentBlock('UNICODE', utf16(text, false)).subarray(0, 40))],
  ['a WebP chunk of 4 GB', webp(['EXIF', new Uint8Array(0)]).map((byte, i) => (i >= 16 ? 0xff : byte))],
  ['a GIF that ends in its palette', utf8('GIF89a\0\0\0\0\x87')],
  ['a GIF comment without an end', Uint8Array.from([...utf8('GIF89a'), 0, 0, 0, 0, 0, 0, 0, 0x21])],
  ['an AVIF of its first box', utf8('\0\0\0\x0cftypavif')],
  ['an AVIF box of length 0', utf8('\0\0\0\x0cftypavif\0\0\0\0meta')],
  ['an AVIF meta box that is cut off', utf8('\0\0\0\x0cftypavif\0\0\0\x18meta\0\0\0\0\0\0\0\x0ciinf\0')],
])('%s has no text', async (_, bytes) => {
  const { texts, exif, comment } = await read(bytes);
  expect([texts.size, exif?.comment ?? null, exif?.others ?? [], comment || null]).toEqual([0, null, [], null]);
});

test('pictures that are cut off or changed anywhere are lived with', async () => {
  const pictures = ['a.jpg', 'a.webp', 'c.gif', 'comment.avif', 'exif.png', 'comfy.webp'].map((file) =>
    readFileSync(`src/files/recorded/pictures/${file}`),
  );
  for (const bytes of pictures) for (let end = 12; end < bytes.length; end++) await read(bytes.subarray(0, end));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...pictures),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)), { minLength: 1, maxLength: 8 }),
      async (picture, changes) => {
        const bytes = Uint8Array.from(picture);
        for (const [place, byte] of changes) bytes[12 + (place % (bytes.length - 12))] = byte;
        await read(bytes);
      },
    ),
    { numRuns: 3000 },
  );
});
