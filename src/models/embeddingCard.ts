import { decompress } from '../files/compression.ts';
import type { PictureFormat } from '../files/pictureFormat.ts';
import { type Pixels, readPngPixels } from '../files/pngPixels.ts';
import { readPngTexts } from '../files/pngText.ts';
import type { ByteSource } from '../files/sources.ts';
import { readWebpPixels } from '../files/webpPixels.ts';

/** The longest JSON of an embedding, in bytes: 75 vectors take 1.5 million. */
export const longestCardJson = 3 << 20;

/**
 * Reads the JSON of an embedding in one of A1111's pictures: its text `sd-ti-embedding`, in base64, else what is hidden in
 * the pixels of a PNG or a lossless WebP. Null where there is none; empty where the text is damaged. Throws NoDecoderError
 * for a WebP outside of a browser, and SourceError.
 */
export async function cardJson(source: ByteSource, format: PictureFormat): Promise<string | null> {
  const text = format === 'PNG' ? (await readPngTexts(source)).texts.get('sd-ti-embedding') : undefined;
  if (text !== undefined) return decodeBase64(text);
  const pixels =
    format === 'PNG' ? await readPngPixels(source) : format === 'WebP' ? await readWebpPixels(source) : null;
  return pixels && jsonInPixels(pixels);
}

function decodeBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    return '';
  }
}

/**
 * Reads the JSON that A1111 1.10 hides in the pixels of an embedding's card (`extract_image_data_embed`): left and right of
 * the picture, behind a black column each, stand the low and the high halves of its packed bytes, in the lowest four bits.
 * Null where there is none.
 */
async function jsonInPixels(pixels: Pixels): Promise<string | null> {
  const packed = packedBytes(pixels);
  // Behind the packed bytes the same begins again, to fill the rows.
  const first = packed && (await decompress(packed.subarray(0, periodOf(packed)), 'deflate', longestCardJson));
  return first && new TextDecoder().decode(first);
}

/** Puts the two blocks beside the picture together; null if there are no such blocks, or nothing packed in them. */
function packedBytes({ width, rgb }: Pixels): Uint8Array<ArrayBuffer> | null {
  const shown = withoutBorder({ width, rgb });
  if (!shown) return null;
  const { left, right, top, bottom } = shown;
  const isBlack = (x: number) => {
    for (let y = top; y <= bottom; y++) {
      const at = 3 * (y * width + x);
      if ((rgb[at] | rgb[at + 1] | rgb[at + 2]) & 15) return false;
    }
    return true;
  };
  let low = left;
  while (low <= right && !isBlack(low)) low++;
  let high = right;
  while (high > low && !isBlack(high)) high--;
  const columns = low - left;
  if (high <= low || columns === 0 || right - high !== columns) return null;
  const packed = new Uint8Array(3 * columns * (bottom - top + 1));
  const random = generator();
  let i = 0;
  for (let y = top; y <= bottom; y++) {
    const lowAt = 3 * (y * width + left);
    const highAt = 3 * (y * width + high + 1);
    for (let k = 0; k < 3 * columns; k++) {
      const mask = random();
      packed[i++] = (((rgb[highAt + k] ^ mask) & 15) << 4) | ((rgb[lowAt + k] ^ mask) & 15);
    }
  }
  // The head of what zlib packs.
  return packed[0] === 0x78 && (packed[0] * 256 + packed[1]) % 31 === 0 ? packed : null;
}

/** The part of the picture within the outermost pixels that are black in no channel; null where there is none. */
function withoutBorder({ width, rgb }: Pick<Pixels, 'width' | 'rgb'>) {
  let [left, right, top, bottom] = [width, -1, -1, -1];
  for (let at = 0, i = 0; at < rgb.length; at += 3, i++) {
    if (rgb[at] === 0 || rgb[at + 1] === 0 || rgb[at + 2] === 0) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = top < 0 ? y : top;
    bottom = y;
  }
  return right < 0 ? null : { left, right, top, bottom };
}

/** Gives A1111's pseudo-random bytes, one a call: a linear congruential generator, modulo 255. */
function generator(): () => number {
  let seed = 0;
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed % 255;
  };
}

/** The length after which bytes repeat from their beginning; their own length if they do not (Knuth, Morris and Pratt). */
function periodOf(bytes: Uint8Array): number {
  const borders = new Int32Array(bytes.length);
  let border = 0;
  for (let i = 1; i < bytes.length; i++) {
    while (border > 0 && bytes[i] !== bytes[border]) border = borders[border - 1];
    if (bytes[i] === bytes[border]) border++;
    borders[i] = border;
  }
  return bytes.length - border;
}
