import { crc32 } from './crc32.ts';

/** A file of an archive. */
export interface ZipFile {
  /** Name, with `/` between folders. */
  readonly name: string;
  readonly data: Uint8Array;
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
  const entries = files.map(({ name, data }) => ({ name: new TextEncoder().encode(name), data, crc: crc32(data) }));
  const namesBytes = entries.reduce((sum, { name }) => sum + name.length, 0);
  const dataBytes = entries.reduce((sum, { data }) => sum + data.length, 0);
  const directoryStart = entries.length * localBytes + namesBytes + dataBytes;
  const size = directoryStart + entries.length * entryBytes + namesBytes + endBytes;
  if (size > largest) throw new RangeError(`A zip archive of ${size} bytes is larger than can be written.`);

  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  let entryAt = directoryStart;
  for (const { name, data, crc } of entries) {
    view.setUint32(at, 0x04034b50, true);
    view.setUint32(entryAt, 0x02014b50, true);
    view.setUint16(entryAt + 4, 20, true);
    view.setUint32(entryAt + 42, at, true);
    // Both headers are alike from the version needed to the length of the name.
    for (const header of [at + 4, entryAt + 6]) {
      view.setUint16(header, 20, true);
      view.setUint16(header + 2, utf8Flag, true);
      view.setUint16(header + 8, date, true);
      view.setUint32(header + 10, crc, true);
      view.setUint32(header + 14, data.length, true);
      view.setUint32(header + 18, data.length, true);
      view.setUint16(header + 22, name.length, true);
    }
    out.set(name, at + localBytes);
    out.set(data, at + localBytes + name.length);
    out.set(name, entryAt + entryBytes);
    at += localBytes + name.length + data.length;
    entryAt += entryBytes + name.length;
  }
  view.setUint32(entryAt, 0x06054b50, true);
  view.setUint16(entryAt + 8, entries.length, true);
  view.setUint16(entryAt + 10, entries.length, true);
  view.setUint32(entryAt + 12, entryAt - directoryStart, true);
  view.setUint32(entryAt + 16, directoryStart, true);
  return out;
}
