import { deflateSync } from 'node:zlib';

const encode = (text: string) => Buffer.from(text, 'latin1');

/** Makes one chunk; its checksum is left at zero. */
export function chunk(type: string, data: Uint8Array, length = data.length): Uint8Array {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(length);
  return Buffer.concat([size, encode(type), data, Buffer.alloc(4)]);
}

export const tEXt = (keyword: string, text: string) => chunk('tEXt', encode(`${keyword}\0${text}`));
export const zTXt = (keyword: string, text: string) =>
  chunk('zTXt', Buffer.concat([encode(`${keyword}\0\0`), deflateSync(encode(text))]));
export function iTXt(keyword: string, text: string, packed: boolean): Uint8Array {
  const data = Buffer.from(text, 'utf8');
  const flags = packed ? '\x01\0' : '\0\0';
  return chunk('iTXt', Buffer.concat([encode(`${keyword}\0${flags}en\0\0`), packed ? deflateSync(data) : data]));
}

/** Makes a file of the head of a 1 × 1 picture and these chunks. */
export function png(...chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const head = chunk('IHDR', Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]));
  return new Uint8Array(Buffer.concat([encode('\x89PNG\r\n\x1a\n'), head, ...chunks, chunk('IEND', encode(''))]));
}
