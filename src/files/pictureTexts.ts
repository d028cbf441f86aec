import { type ExifTexts, readExif } from './exif.ts';
import type { PictureFormat } from './pictureFormat.ts';
import { readPngTexts } from './pngText.ts';
import type { ByteSource } from './sources.ts';

/** The texts beside the pixels of a picture. */
export interface PictureTexts {
  /** A PNG's texts, by keyword. */
  readonly texts: ReadonlyMap<string, string>;
  readonly exif: ExifTexts | null;
  /** The comment of a GIF or a JPEG. */
  readonly comment: string | null;
}

const none: PictureTexts = { texts: new Map(), exif: null, comment: null };
/** The longest EXIF block, comment or index of items that is read, in bytes. A JPEG's are shorter than 64 kB. */
const longestBlock = 1 << 22;
/** The bytes of a GIF in which its comments are looked for. */
const longestGifHead = 1 << 20;
/** Segments, chunks or boxes that are looked at. */
const mostParts = 1000;

/**
 * Reads the texts beside a picture's pixels: a PNG's text chunks, EXIF, and comments. Only the heads of its parts and those
 * texts are read. A picture that is damaged or cut off gives the texts that could be read. Throws only what `source`
 * throws: SourceError.
 */
export async function readPictureTexts(source: ByteSource, format: PictureFormat): Promise<PictureTexts> {
  switch (format) {
    case 'PNG': {
      const { texts, exif } = await readPngTexts(source);
      return { ...none, texts, exif: exif && readExif(exif) };
    }
    case 'JPEG':
      return readJpeg(source);
    case 'WebP': {
      const exif = await findWebpExif(source);
      return { ...none, exif: exif && readExif(exif) };
    }
    case 'AVIF': {
      const exif = await findItemExif(source);
      return { ...none, exif: exif && readExif(exif) };
    }
    case 'GIF':
      return { ...none, comment: await readGifComment(source) };
    default:
      return format satisfies never;
  }
}

/** Reads the bytes from `start` up to `end`; null if the file has fewer, or they are more than may be read. */
async function readPart(source: ByteSource, start: number, end: number): Promise<Uint8Array | null> {
  return end <= source.size && end - start <= longestBlock ? source.read(start, end) : null;
}

/** Reads the segments of a JPEG up to its pixels (ITU T.81, B.1). Of several comments the last counts, as in Pillow. */
async function readJpeg(source: ByteSource): Promise<PictureTexts> {
  let exif: ExifTexts | null = null;
  let comment: string | null = null;
  let at = 2;
  for (let parts = 0; parts < mostParts; parts++) {
    const head = await readPart(source, at, at + 4);
    if (head?.[0] !== 0xff) break;
    const marker = head[1];
    // A marker may be preceded by any number of these bytes.
    if (marker === 0xff) {
      at++;
      continue;
    }
    const isStartOfPixels = marker === 0xda || marker === 0xd9;
    const length = head[2] * 256 + head[3];
    if (isStartOfPixels || length < 2) break;
    const start = await readPart(source, at + 4, Math.min(at + 10, at + 2 + length));
    const isExif = marker === 0xe1 && exif === null && start && latin1(start) === 'Exif\0\0';
    if (isExif || marker === 0xfe) {
      const data = await readPart(source, at + 4, at + 2 + length);
      if (!data) break;
      if (isExif) exif = readExif(data);
      else comment = new TextDecoder().decode(data);
    }
    at += 2 + length;
  }
  return { ...none, exif, comment };
}

/** Finds the EXIF block of a WebP (RFC 9649, 2.7). */
async function findWebpExif(source: ByteSource): Promise<Uint8Array | null> {
  let at = 12;
  for (let parts = 0; parts < mostParts; parts++) {
    const head = await readPart(source, at, at + 8);
    if (!head) return null;
    const length = new DataView(head.buffer).getUint32(4, true);
    if (latin1(head.subarray(0, 4)) === 'EXIF') return readPart(source, at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  return null;
}

/** Reads the comments of a GIF before its first picture (GIF89a, 24), joined by line breaks; null where there are none. */
async function readGifComment(source: ByteSource): Promise<string | null> {
  const bytes = await source.read(0, Math.min(source.size, longestGifHead));
  const flags = bytes[10];
  const paletteSize = flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
  const comments: string[] = [];
  let at = 13 + paletteSize;
  for (let parts = 0; bytes[at] === 0x21 && parts < mostParts; parts++) {
    const isComment = bytes[at + 1] === 0xfe;
    const comment: number[] = [];
    at += 2;
    while (at < bytes.length && bytes[at] !== 0) {
      if (isComment) comment.push(...bytes.subarray(at + 1, at + 1 + bytes[at]));
      at += 1 + bytes[at];
    }
    at++;
    if (isComment) comments.push(new TextDecoder().decode(Uint8Array.from(comment)));
  }
  return comments.length > 0 ? comments.join('\n') : null;
}

/** A reader of big-endian numbers one after the other; past the end of the bytes it throws RangeError. */
class NumberReader {
  at: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, at = 0) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
  }

  /** Reads a number of 0, 1, 2, 4 or 8 bytes. */
  next(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.#view.getUint8(this.at + i);
    this.at += size;
    return value;
  }

  text(length: number): string {
    return String.fromCharCode(...Array.from({ length }, () => this.next(1)));
  }
}

/** Finds the EXIF item of an AVIF or HEIF (ISO/IEC 14496-12, 8.11; 23008-12, annex A). */
async function findItemExif(source: ByteSource): Promise<Uint8Array | null> {
  let at = 0;
  for (let parts = 0; parts < mostParts; parts++) {
    const head = await readPart(source, at, at + 8);
    if (!head) return null;
    const size = new DataView(head.buffer).getUint32(0);
    if (latin1(head.subarray(4)) === 'meta') {
      const meta = await readPart(source, at, at + size);
      const place = meta && exifPlace(meta);
      // The block begins after a number that says how far the TIFF is from there.
      const block = place && (await readPart(source, place.start, place.start + place.length));
      return block && block.length > 4 ? block.subarray(4 + new DataView(block.buffer).getUint32(0)) : null;
    }
    if (size < 8) return null;
    at += size;
  }
  return null;
}

/** Finds where a `meta` box says that the EXIF item is in the file; null if it says nothing, or nothing that can be used. */
function exifPlace(meta: Uint8Array): { readonly start: number; readonly length: number } | null {
  try {
    let item: number | null = null;
    let locations: { at: number } | null = null;
    // The box's own head, version and flags come first.
    for (let at = 12; at + 8 <= meta.length; ) {
      const head = new NumberReader(meta, at);
      const size = head.next(4);
      const type = head.text(4);
      if (size < 8) return null;
      if (type === 'iinf') item = exifItem(meta, at + 8);
      if (type === 'iloc') locations = { at: at + 8 };
      at += size;
    }
    return item !== null && locations !== null ? itemPlace(meta, locations.at, item) : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Finds the number of the EXIF item in an `iinf` box whose version begins at `at`; null where there is none. */
function exifItem(meta: Uint8Array, at: number): number | null {
  const reader = new NumberReader(meta, at);
  const version = reader.next(1);
  reader.next(3);
  const count = Math.min(reader.next(version === 0 ? 2 : 4), mostParts);
  let entry = reader.at;
  for (let i = 0; i < count; i++) {
    const item = new NumberReader(meta, entry);
    const size = item.next(4);
    if (size < 8) return null;
    item.next(4);
    const itemVersion = item.next(1);
    item.next(3);
    if (itemVersion >= 2) {
      const id = item.next(itemVersion === 2 ? 2 : 4);
      item.next(2);
      if (item.text(4) === 'Exif') return id;
    }
    entry += size;
  }
  return null;
}

/** Reads where an `iloc` box whose version begins at `at` places an item in the file: its first extent. */
function itemPlace(meta: Uint8Array, at: number, item: number): { start: number; length: number } | null {
  const reader = new NumberReader(meta, at);
  const version = reader.next(1);
  reader.next(3);
  const sizes = reader.next(2);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version === 0 ? 0 : sizes & 15;
  const count = Math.min(reader.next(version < 2 ? 2 : 4), mostParts);
  for (let i = 0; i < count; i++) {
    const id = reader.next(version < 2 ? 2 : 4);
    const isInFile = version === 0 || (reader.next(2) & 15) === 0;
    reader.next(2);
    const base = reader.next(baseSize);
    const extents = Math.min(reader.next(2), mostParts);
    for (let extent = 0; extent < extents; extent++) {
      reader.next(indexSize);
      const start = base + reader.next(offsetSize);
      const length = reader.next(lengthSize);
      if (id === item) return isInFile ? { start, length } : null;
    }
  }
  return null;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
