import { type Slices, whole } from '../prompt/slices.ts';
import { crc32 } from './crc32.ts';
import { joinedBytes } from './joinedBytes.ts';

/** A file of an archive. */
export interface ZipFile {
  /** Name, with `/` between folders. */
  readonly name: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

const localBytes = 30;
const entryBytes = 46;
const endBytes = 22;
/** Flag for names in UTF-8. */
const utf8Flag = 0x800;
/** 1 January 1980, the format's first day, so that equal files make equal archives. */
const date = 0x21;
const largest = 0xffffffff;

/** Writes a zip archive (PKWARE's APPNOTE 4.3) of files, not compressed. Throws RangeError if it would reach 4 GiB. */
export function writeZip(files: readonly ZipFile[]): Uint8Array<ArrayBuffer> {
  return joinedBytes(whole(writingZip(files)));
}

/** Does the work of `writeZip` in slices. Gives the bytes in pieces, among which are those of the files. */
export function* writingZip(files: readonly ZipFile[]): Slices<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const { name: text, data } of files) {
    const name = new TextEncoder().encode(text);
    const crc = yield* checksum(data);
    const local = new Uint8Array(localBytes + name.length);
    const entry = new Uint8Array(entryBytes + name.length);
    const [localView, entryView] = [new DataView(local.buffer), new DataView(entry.buffer)];
    localView.setUint32(0, 0x04034b50, true);
    entryView.setUint32(0, 0x02014b50, true);
    entryView.setUint16(4, 20, true);
    entryView.setUint32(42, at, true);
    // Both headers are alike from the version needed to the length of the name.
    for (const [view, header] of [[localView, 4] as const, [entryView, 6] as const]) {
      view.setUint16(header, 20, true);
      view.setUint16(header + 2, utf8Flag, true);
      view.setUint16(header + 8, date, true);
      view.setUint32(header + 10, crc, true);
      view.setUint32(header + 14, data.length, true);
      view.setUint32(header + 18, data.length, true);
      view.setUint16(header + 22, name.length, true);
    }
    local.set(name, localBytes);
    entry.set(name, entryBytes);
    pieces.push(local, data);
    directory.push(entry);
    at += local.length + data.length;
  }
  const directoryLength = directory.reduce((sum, entry) => sum + entry.length, 0);
  const size = at + directoryLength + endBytes;
  if (size > largest) throw new RangeError(`A zip archive of ${size} bytes is larger than can be written.`);
  const end = new DataView(new ArrayBuffer(endBytes));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, directoryLength, true);
  end.setUint32(16, at, true);
  return [...pieces, ...directory, new Uint8Array(end.buffer)];
}

/** Bytes whose checksum is taken in one slice. */
const checkedAtOnce = 1 << 20;

function* checksum(data: Uint8Array): Slices<number> {
  let crc = 0;
  for (let at = 0; at < data.length; at += checkedAtOnce) {
    yield;
    crc = crc32(data.subarray(at, at + checkedAtOnce), crc);
  }
  return crc;
}
