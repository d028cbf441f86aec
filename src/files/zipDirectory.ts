import type { ByteSource } from './sources.ts';
import { excerpt } from './tensorFile.ts';

/** One file in a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Compression: 0 stored, 8 deflated. */
  readonly method: number;
  /** Bytes in the archive. */
  readonly size: number;
  /** Bytes that it unpacks to, as the directory says. */
  readonly unpacked: number;
  /** Position of its local header. */
  readonly headerStart: number;
}

/** Says what is wrong with the file, "is …", and throws. */
type Fail = (why: string) => never;

const endBytes = 22;
const longestComment = 0xffff;
const locatorBytes = 20;
const end64Bytes = 56;
const entryBytes = 46;
const localBytes = 30;
/** Directories that are read: 16 MB, which at 46 bytes and a name an entry is far more than any checkpoint has. */
const longestDirectory = 1 << 24;
const mostEntries = 200_000;

const endSignature = 0x06054b50;
const locatorSignature = 0x07064b50;
const end64Signature = 0x06064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;

/** Value of a 32-bit field whose number is in the zip64 field. */
const in64 = 0xffffffff;

interface Directory {
  readonly start: number;
  readonly bytes: number;
  readonly count: number;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Reads a u64. A number too large for any file becomes infinity, which fails every check. */
function size64(view: DataView, at: number): number {
  const size = Number(view.getBigUint64(at, true));
  return Number.isSafeInteger(size) ? size : Number.POSITIVE_INFINITY;
}

async function findDirectory(source: ByteSource, fail: Fail, signal?: AbortSignal): Promise<Directory> {
  const tailStart = Math.max(0, source.size - endBytes - longestComment);
  const tail = viewOf(await source.read(tailStart, source.size, signal));
  let end = tail.byteLength - endBytes;
  // The comment after the record states its own length, and must end the file.
  while (
    end >= 0 &&
    !(tail.getUint32(end, true) === endSignature && tail.getUint16(end + 20, true) === tail.byteLength - end - endBytes)
  )
    end--;
  if (end < 0) fail('is a zip archive without its directory: it is cut off');
  const count = tail.getUint16(end + 10, true);
  const bytes = tail.getUint32(end + 12, true);
  const start = tail.getUint32(end + 16, true);
  const locator = tailStart + end - locatorBytes;
  if ((count !== 0xffff && bytes !== in64 && start !== in64) || locator < 0) return { count, bytes, start };

  const locatorView = viewOf(await source.read(locator, locator + locatorBytes, signal));
  if (locatorView.getUint32(0, true) !== locatorSignature) return { count, bytes, start };
  const end64 = size64(locatorView, 8);
  if (end64 + end64Bytes > locator) fail('is a zip archive whose directory is not where it says: it is damaged');
  const view = viewOf(await source.read(end64, end64 + end64Bytes, signal));
  if (view.getUint32(0, true) !== end64Signature)
    fail('is a zip archive whose directory is not where it says: it is damaged');
  return { count: size64(view, 32), bytes: size64(view, 40), start: size64(view, 48) };
}

/**
 * Reads the fields of an entry (unpacked size, size, position) that may be in its zip64 extra field at [extra,
 * extraEnd).
 */
function wideFields(view: DataView, extra: number, extraEnd: number, fields: readonly number[]): number[] | undefined {
  if (!fields.includes(in64)) return [...fields];
  for (let at = extra; at + 4 <= extraEnd; ) {
    const length = view.getUint16(at + 2, true);
    const end = at + 4 + length;
    if (end > extraEnd) return undefined;
    if (view.getUint16(at, true) === 1) {
      let next = at + 4;
      const wide: number[] = [];
      for (const field of fields) {
        if (field === in64 && next + 8 > end) return undefined;
        wide.push(field === in64 ? size64(view, next) : field);
        if (field === in64) next += 8;
      }
      return wide;
    }
    at = end;
  }
  return undefined;
}

/**
 * Reads the directory of a zip archive (PKWARE's APPNOTE 4.3, with zip64), by name. Reads only the end of the file.
 * Every entry lies within the file; entryStart finds out where its bytes begin.
 */
export async function readZipDirectory(
  source: ByteSource,
  fail: Fail,
  signal?: AbortSignal,
): Promise<Map<string, ZipEntry>> {
  const { start, bytes, count } = await findDirectory(source, fail, signal);
  if (start + bytes > source.size) fail('is a zip archive whose directory is not where it says: it is damaged');
  if (bytes > longestDirectory) fail(`is a zip archive with a directory of ${bytes} bytes, which no checkpoint needs`);
  const view = viewOf(await source.read(start, start + bytes, signal));
  // A directory that claims more than it has room for is told of where it ends.
  if (Math.min(count, bytes / entryBytes) > mostEntries)
    fail(`is a zip archive of more than ${mostEntries} files, which no checkpoint needs`);
  const entries = new Map<string, ZipEntry>();
  const text = new TextDecoder();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + entryBytes > bytes || view.getUint32(at, true) !== entrySignature)
      fail(`is a zip archive with a damaged directory: entry ${i + 1} of ${count} is not there`);
    const nameEnd = at + entryBytes + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const end = extraEnd + view.getUint16(at + 32, true);
    if (end > bytes) fail(`is a zip archive with a damaged directory: entry ${i + 1} of ${count} is cut off`);
    const name = text.decode(new Uint8Array(view.buffer, view.byteOffset + at + entryBytes, nameEnd - at - entryBytes));
    const wide = wideFields(view, nameEnd, extraEnd, [
      view.getUint32(at + 24, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 42, true),
    ]);
    if (!wide) return fail(`is a zip archive with a damaged directory: ${excerpt(name)} has no size`);
    const [unpacked, size, headerStart] = wide;
    if (view.getUint16(at + 8, true) & 1) fail(`is a zip archive whose ${excerpt(name)} is encrypted`);
    const method = view.getUint16(at + 10, true);
    if (headerStart + localBytes + size > source.size || (method === 0 && size !== unpacked))
      fail(`is a zip archive whose ${excerpt(name)} lies outside the file: it is cut off or damaged`);
    if (entries.has(name)) fail(`is a zip archive that has ${excerpt(name)} twice`);
    entries.set(name, { name, method, size, unpacked, headerStart });
    at = end;
  }
  checkOverlap([...entries.values()], fail);
  return entries;
}

/** Refuses entries that share bytes: a small archive could unfold to any size by them, and no program writes such. */
function checkOverlap(entries: readonly ZipEntry[], fail: Fail): void {
  const inOrder = entries.toSorted((a, b) => a.headerStart - b.headerStart);
  for (const [i, { name, headerStart, size }] of inOrder.entries()) {
    const next = inOrder[i + 1];
    if (next && headerStart + localBytes + size > next.headerStart)
      fail(
        `is a zip archive whose ${excerpt(name)} and ${excerpt(next.name)} share bytes: it is damaged or made to harm`,
      );
  }
}

/** Returns the position of an entry's first byte. Its local header may be longer than the directory says. */
export async function entryStart(
  source: ByteSource,
  { name, method, size, headerStart }: ZipEntry,
  fail: Fail,
  signal?: AbortSignal,
): Promise<number> {
  if (method !== 0) fail(`is a zip archive whose ${excerpt(name)} is compressed; PyTorch stores it as it is`);
  const view = viewOf(await source.read(headerStart, headerStart + localBytes, signal));
  const start = headerStart + localBytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (view.getUint32(0, true) !== localSignature || start + size > source.size)
    fail(`is a zip archive whose ${excerpt(name)} is not where the directory says: it is damaged`);
  return start;
}
