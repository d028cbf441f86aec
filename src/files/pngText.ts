import { decompress } from './compression.ts';
import { crc32 } from './crc32.ts';
import { joinedBytes } from './joinedBytes.ts';
import { isPng, pngSignature } from './pictureFormat.ts';
import type { ByteSource } from './sources.ts';

/**
 * Limit for all texts of a picture together, in bytes, packed and unpacked: the card of an embedding of 75 vectors has 2 MB.
 * Texts beyond it are left out.
 */
const mostBytes = 1 << 24;
/** Longest text, in bytes, that one compressed chunk may unpack to. */
const mostUnpacked = 1 << 22;
/** Chunks that are looked at. Programs cut pictures into chunks of 8 kB and more. */
const mostChunks = 20_000;
/** Bytes before a chunk's data: its length and type. A checksum of 4 bytes follows the data; it is not checked. */
const headSize = 8;
const tailSize = 4;
/** Bytes that are read for a chunk's head: each read waits for another process, and a picture may have thousands of small chunks. */
const readAhead = 1 << 12;

/** The texts of a PNG by keyword, and its EXIF block. */
export interface PngTexts {
  readonly texts: ReadonlyMap<string, string>;
  readonly exif: Uint8Array | null;
}

/**
 * Reads the texts of a PNG (chunks tEXt, zTXt, iTXt and eXIf of the PNG specification, 11.3), such as A1111's
 * `parameters`. The first text of a keyword counts. Only chunk heads and texts are read. A file that is broken or no
 * PNG gives the texts that could be read. Throws only what `source` throws: SourceError.
 */
export async function readPngTexts(source: ByteSource): Promise<PngTexts> {
  const texts = new Map<string, string>();
  let exif: Uint8Array | null = null;
  if (source.size < pngSignature.length || !isPng(await source.read(0, pngSignature.length))) return { texts, exif };
  let at = pngSignature.length;
  let room = mostBytes;
  let ahead = { start: 0, bytes: new Uint8Array(0) };
  const readHead = async (at: number): Promise<Uint8Array> => {
    if (at < ahead.start || at + headSize > ahead.start + ahead.bytes.length)
      ahead = { start: at, bytes: await source.read(at, Math.min(at + readAhead, source.size)) };
    return ahead.bytes.subarray(at - ahead.start, at - ahead.start + headSize);
  };
  for (let chunks = 0; chunks < mostChunks && at + headSize + tailSize <= source.size; chunks++) {
    const head = await readHead(at);
    const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
    const type = latin1(head.subarray(4));
    const start = at + headSize;
    const end = start + length;
    if (type === 'IEND' || end + tailSize > source.size) break;
    if (/^(tEXt|zTXt|iTXt)$/.test(type) && length <= room) {
      const text = await readChunk(type, await source.read(start, end), Math.min(room, mostUnpacked));
      // A text that could not be unpacked may have cost as much as is allowed.
      room -= Math.max(length, text?.text.length ?? (type === 'tEXt' ? 0 : mostUnpacked));
      if (text && !texts.has(text.keyword)) texts.set(text.keyword, text.text);
    }
    if (type === 'eXIf' && exif === null && length <= room) {
      exif = await source.read(start, end);
      room -= length;
    }
    at = end + tailSize;
  }
  return { texts, exif };
}

/** Returns null if the chunk is not as specified, or unpacks to more than `longest` bytes. */
async function readChunk(
  type: string,
  data: Uint8Array<ArrayBuffer>,
  longest: number,
): Promise<{ keyword: string; text: string } | null> {
  const keywordEnd = data.indexOf(0);
  if (keywordEnd < 1) return null;
  const keyword = latin1(data.subarray(0, keywordEnd));
  const rest = data.subarray(keywordEnd + 1);
  if (type === 'tEXt') return { keyword, text: latin1(rest) };
  if (type === 'zTXt') {
    const unpacked = rest[0] === 0 ? await decompress(rest.subarray(1), 'deflate', longest) : null;
    return unpacked && { keyword, text: latin1(unpacked) };
  }
  // Compression flag and method, then a language and a translated keyword, each ended by a zero.
  const languageEnd = rest.indexOf(0, 2);
  const translatedEnd = languageEnd < 0 ? -1 : rest.indexOf(0, languageEnd + 1);
  if (translatedEnd < 0) return null;
  const packed = rest.subarray(translatedEnd + 1);
  const bytes = rest[0] === 0 ? packed : rest[1] === 0 ? await decompress(packed, 'deflate', longest) : null;
  return bytes && { keyword, text: new TextDecoder('utf-8').decode(bytes) };
}

/**
 * Adds texts by keyword to a PNG, as iTXt chunks behind its head, in UTF-8. Keywords are Latin letters. `png` is taken to
 * be whole.
 */
export function withPngText(
  png: Uint8Array<ArrayBuffer>,
  texts: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const headEnd = pngSignature.length + headSize + new DataView(png.buffer, png.byteOffset).getUint32(8) + tailSize;
  // Neither packed nor in any language; the keyword is not translated.
  const chunks = Object.entries(texts).map(([keyword, text]) => chunkOf('iTXt', `${keyword}\0\0\0\0\0${text}`));
  return joinedBytes([png.subarray(0, headEnd), ...chunks, png.subarray(headEnd)]);
}

/** Makes a chunk: its length, its type, its text in UTF-8, and the checksum of the last two. */
function chunkOf(type: string, text: string): Uint8Array {
  const body = new TextEncoder().encode(type + text);
  const chunk = new Uint8Array(4 + body.length + tailSize);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - type.length);
  chunk.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  return chunk;
}

function latin1(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 4096) pieces.push(String.fromCharCode(...bytes.subarray(at, at + 4096)));
  return pieces.join('');
}
