import { decompress } from './compression.ts';
import type { ByteSource } from './sources.ts';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Longest text chunk in bytes, and longest unpacked text in characters; longer ones are left out. */
const longest = 1 << 20;
/** Chunks that are looked at. Programs cut pictures into chunks of 8 kB and more. */
const mostChunks = 20_000;
/** Bytes before a chunk's data: its length and type. A checksum of 4 bytes follows the data; it is not checked. */
const headSize = 8;
const tailSize = 4;

export function isPng(head: Uint8Array): boolean {
  return signature.every((byte, i) => head[i] === byte);
}

/**
 * Reads the texts of a PNG by keyword (chunks tEXt, zTXt and iTXt of the PNG specification, 11.3.3), such as A1111's
 * `parameters`. The first text of a keyword counts. Only chunk heads and texts are read. A file that is broken or no
 * PNG gives the texts that could be read. Throws only what `source` throws: SourceError.
 */
export async function readPngText(source: ByteSource): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  if (source.size < signature.length || !isPng(await source.read(0, signature.length))) return texts;
  let at = signature.length;
  for (let chunks = 0; chunks < mostChunks && at + headSize + tailSize <= source.size; chunks++) {
    const head = await source.read(at, at + headSize);
    const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
    const type = latin1(head.subarray(4));
    const start = at + headSize;
    const end = start + length;
    if (type === 'IEND' || end + tailSize > source.size) break;
    if (/^(tEXt|zTXt|iTXt)$/.test(type) && length <= longest) {
      const text = await readChunk(type, await source.read(start, end));
      if (text && !texts.has(text.keyword)) texts.set(text.keyword, text.text);
    }
    at = end + tailSize;
  }
  return texts;
}

/** Returns null if the chunk is not as specified. */
async function readChunk(
  type: string,
  data: Uint8Array<ArrayBuffer>,
): Promise<{ keyword: string; text: string } | null> {
  const keywordEnd = data.indexOf(0);
  if (keywordEnd < 1) return null;
  const keyword = latin1(data.subarray(0, keywordEnd));
  const rest = data.subarray(keywordEnd + 1);
  if (type === 'tEXt') return { keyword, text: latin1(rest) };
  if (type === 'zTXt') {
    const unpacked = rest[0] === 0 ? await inflate(rest.subarray(1)) : null;
    return unpacked && { keyword, text: latin1(unpacked) };
  }
  // Compression flag and method, then a language and a translated keyword, each ended by a zero.
  const languageEnd = rest.indexOf(0, 2);
  const translatedEnd = languageEnd < 0 ? -1 : rest.indexOf(0, languageEnd + 1);
  if (translatedEnd < 0) return null;
  const packed = rest.subarray(translatedEnd + 1);
  const bytes = rest[0] === 0 ? packed : rest[1] === 0 ? await inflate(packed) : null;
  return bytes && { keyword, text: new TextDecoder('utf-8').decode(bytes) };
}

/** Unpacks zlib's format. */
function inflate(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array | null> {
  return decompress(packed, 'deflate', longest);
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
