import { mostPixels, type Pixels } from './pngPixels.ts';
import type { ByteSource } from './sources.ts';

/** The longest file that is read, in bytes. */
const longestFile = 1 << 25;
const mostChunks = 100;

/** The pixels of a WebP can be read only where a browser does it. */
export class NoDecoderError extends Error {
  override name = 'NoDecoderError';
}

/**
 * Reads the pixels of a lossless WebP by the browser's decoder, which is told to leave colours and transparency as they
 * are stored: the lowest bits count. Null where the WebP is lossy, damaged or too large. Throws NoDecoderError outside of
 * a browser, and SourceError.
 */
export async function readWebpPixels(source: ByteSource): Promise<Pixels | null> {
  if (source.size > longestFile || !(await isLossless(source))) return null;
  const bytes = await source.read(0, source.size);
  try {
    if (typeof ImageDecoder !== 'undefined') return await decodeFrame(bytes);
    if (typeof OffscreenCanvas !== 'undefined') return await decodeBitmap(bytes);
  } catch {
    return null;
  }
  throw new NoDecoderError('The pixels of a WebP are read only in a browser.');
}

/** Whether the file has a lossless picture (RFC 9649, 3.4) of a size that is read. */
async function isLossless(source: ByteSource): Promise<boolean> {
  for (let at = 12, chunks = 0; chunks < mostChunks && at + 13 <= source.size; chunks++) {
    const head = await source.read(at, at + 13);
    const view = new DataView(head.buffer);
    if (String.fromCharCode(...head.subarray(0, 4)) === 'VP8L') {
      const size = view.getUint32(9, true);
      return ((size & 0x3fff) + 1) * (((size >> 14) & 0x3fff) + 1) <= mostPixels;
    }
    const length = view.getUint32(4, true);
    at += 8 + length + (length % 2);
  }
  return false;
}

async function decodeFrame(bytes: Uint8Array<ArrayBuffer>): Promise<Pixels | null> {
  const decoder = new ImageDecoder({ data: bytes, type: 'image/webp', colorSpaceConversion: 'none' });
  const { image } = await decoder.decode();
  try {
    const { format, codedWidth: width, codedHeight: height } = image;
    const isBlueFirst = format === 'BGRA' || format === 'BGRX';
    if (!isBlueFirst && format !== 'RGBA' && format !== 'RGBX') return null;
    const data = new Uint8Array(image.allocationSize());
    const [{ offset, stride }] = await image.copyTo(data);
    return withoutAlpha(data, width, height, { offset, stride, isBlueFirst });
  } finally {
    image.close();
    decoder.close();
  }
}

/** Reads the pixels by a canvas, where they are exact as long as no pixel is transparent. */
async function decodeBitmap(bytes: Uint8Array<ArrayBuffer>): Promise<Pixels | null> {
  const blob = new Blob([bytes], { type: 'image/webp' });
  const bitmap = await createImageBitmap(blob, { premultiplyAlpha: 'none', colorSpaceConversion: 'none' });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  context?.drawImage(bitmap, 0, 0);
  const image = context?.getImageData(0, 0, width, height);
  bitmap.close();
  return image ? withoutAlpha(image.data, width, height, { offset: 0, stride: 4 * width, isBlueFirst: false }) : null;
}

function withoutAlpha(
  data: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  { offset, stride, isBlueFirst }: { readonly offset: number; readonly stride: number; readonly isBlueFirst: boolean },
): Pixels {
  const rgb = new Uint8Array(3 * width * height);
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < width; x++, to += 3) {
      const from = offset + y * stride + 4 * x;
      rgb[to] = data[isBlueFirst ? from + 2 : from];
      rgb[to + 1] = data[from + 1];
      rgb[to + 2] = data[isBlueFirst ? from : from + 2];
    }
  return { width, height, rgb };
}
