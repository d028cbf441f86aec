import { decompress } from './compression.ts';
import { isPng } from './pictureFormat.ts';
import type { ByteSource } from './sources.ts';

/** The pixels of a picture, to the bit as they are stored. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3]: red, green and blue; transparency is left out. */
  readonly rgb: Uint8Array;
}

/** Limit of pixels: with the file and what it unpacks to they take 80 MB. The cards of embeddings have some 2 million. */
export const mostPixels = 1 << 23;
const mostChunks = 20_000;
/** Bytes of a pixel by colour type, of 8 bits a channel: grey, RGB, palette, grey and alpha, RGBA. */
const pixelBytes: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** A reduced picture in a PNG: every so many pixels from a first one on. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
}
const wholePass: readonly Pass[] = [{ x: 0, y: 0, stepX: 1, stepY: 1 }];
const adam7: readonly Pass[] = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
];

/**
 * Reads the pixels of a PNG of 8 bits a channel (PNG specification, 7 to 10), without its gamma or colour profile, so that
 * their lowest bits are those that were written. Null where the PNG is damaged, too large, or of other depths. Throws only
 * what `source` throws: SourceError.
 */
export async function readPngPixels(source: ByteSource): Promise<Pixels | null> {
  const parts = await readParts(source);
  if (!parts) return null;
  const head = new DataView(parts.head.buffer, parts.head.byteOffset);
  const [width, height] = [head.getUint32(0), head.getUint32(4)];
  const [depth, colour, , , interlace] = parts.head.subarray(8);
  const bytes = pixelBytes[colour];
  if (depth !== 8 || bytes === undefined || interlace > 1) return null;
  if (width === 0 || height === 0 || width * height > mostPixels) return null;
  const passes = (interlace === 1 ? adam7 : wholePass).map(({ x, y, stepX, stepY }) => ({
    ...{ x, y, stepX, stepY },
    columns: Math.ceil((width - x) / stepX),
    rows: Math.ceil((height - y) / stepY),
  }));
  const shown = passes.filter(({ columns, rows }) => columns > 0 && rows > 0);
  const size = shown.reduce((sum, { columns, rows }) => sum + rows * (1 + columns * bytes), 0);
  const data = await decompress(parts.data, 'deflate', size);
  if (data?.length !== size) return null;

  const rgb = new Uint8Array(3 * width * height);
  let at = 0;
  for (const { x, y, stepX, stepY, columns, rows } of shown) {
    const lineBytes = columns * bytes;
    let above = new Uint8Array(lineBytes);
    for (let row = 0; row < rows; row++) {
      const line = data.subarray(at + 1, at + 1 + lineBytes);
      if (!unfilter(data[at], line, above, bytes)) return null;
      above = line as Uint8Array<ArrayBuffer>;
      at += 1 + lineBytes;
      for (let column = 0; column < columns; column++) {
        const to = 3 * ((y + row * stepY) * width + x + column * stepX);
        writePixel(rgb, to, line, column * bytes, colour, parts.palette);
      }
    }
  }
  return { width, height, rgb };
}

/** Reads the head, the palette and the packed pixels; null where one is missing or too long. */
async function readParts(source: ByteSource) {
  if (source.size < 8 || !isPng(await source.read(0, 8))) return null;
  let head: Uint8Array | null = null;
  let palette = new Uint8Array(0);
  const packed: Uint8Array<ArrayBuffer>[] = [];
  let room = 4 * mostPixels;
  for (let at = 8, chunks = 0; chunks < mostChunks && at + 12 <= source.size; chunks++) {
    const start = await source.read(at, at + 8);
    const length = new DataView(start.buffer).getUint32(0);
    const type = String.fromCharCode(...start.subarray(4));
    if (at + 12 + length > source.size || type === 'IEND') break;
    if (/^(IHDR|PLTE|IDAT)$/.test(type)) {
      room -= length;
      if (room < 0) return null;
      const data = await source.read(at + 8, at + 8 + length);
      if (type === 'IHDR') head = data;
      else if (type === 'PLTE') palette = data;
      else packed.push(data);
    }
    at += 12 + length;
  }
  if (head?.length !== 13 || packed.length === 0) return null;
  return { head, palette, data: new Uint8Array(await new Blob(packed).arrayBuffer()) };
}

/** Takes a row's filter off (9.2), in place; false if the filter is none. `bytes` are those of a pixel. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, bytes: number): boolean {
  if (filter > 4) return false;
  for (let i = 0; i < line.length && filter > 0; i++) {
    const left = i < bytes ? 0 : line[i - bytes];
    const aboveLeft = i < bytes ? 0 : above[i - bytes];
    if (filter === 1) line[i] += left;
    else if (filter === 2) line[i] += above[i];
    else if (filter === 3) line[i] += (left + above[i]) >> 1;
    else line[i] += paeth(left, above[i], aboveLeft);
  }
  return true;
}

/** The one of three neighbours that is closest to left + above − above left. */
function paeth(left: number, above: number, aboveLeft: number): number {
  const [toLeft, toAbove] = [Math.abs(above - aboveLeft), Math.abs(left - aboveLeft)];
  const toAboveLeft = Math.abs(left + above - 2 * aboveLeft);
  if (toLeft <= toAbove && toLeft <= toAboveLeft) return left;
  return toAbove <= toAboveLeft ? above : aboveLeft;
}

function writePixel(rgb: Uint8Array, to: number, line: Uint8Array, from: number, colour: number, palette: Uint8Array) {
  const isGrey = colour === 0 || colour === 4;
  for (let channel = 0; channel < 3; channel++) {
    if (colour === 3) rgb[to + channel] = palette[3 * line[from] + channel] ?? 0;
    else rgb[to + channel] = line[isGrey ? from : from + channel];
  }
}
