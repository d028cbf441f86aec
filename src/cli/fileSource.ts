import { closeSync, openSync, read, statSync } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { type ByteSource, checkRange, SourceError } from '../files/sources.ts';

/** A FileHandle for each tensor was a tenth of the time of a load. */
const readFrom = promisify(read);

/**
 * Makes a source of a file on disk, for Node. It opens the file for each read, so that nothing has to be closed. Throws
 * SourceError if the file cannot be read.
 */
export function fileSource(path: string): ByteSource {
  const name = basename(path);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new SourceError(`"${path}" does not exist.`);
  if (!stat.isFile()) throw new SourceError(`"${path}" is not a file.`);
  /** Memory to write over, by length, as long as the collector of garbage leaves it: to find new pages takes longer than to read. */
  const spare = new Map<number, WeakRef<Uint8Array<ArrayBuffer>>[]>();
  const source: ByteSource = {
    name,
    size: stat.size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      const bytes =
        spare
          .get(end - start)
          ?.pop()
          ?.deref() ?? new Uint8Array(end - start);
      const file = opened(path);
      try {
        for (let at = 0; at < bytes.length; ) {
          // The file is read in pieces, so that an abort is noticed within a large tensor.
          const { bytesRead } = await readFrom(file, bytes, at, Math.min(bytes.length - at, 1 << 26), start + at);
          signal?.throwIfAborted();
          if (bytesRead === 0) throw new SourceError(`"${path}" ended at byte ${start + at}; was it changed?`);
          at += bytesRead;
        }
      } finally {
        closeSync(file);
      }
      return bytes;
    },
    recycle(bytes) {
      if (bytes.length < bytes.buffer.byteLength) return;
      const others = spare.get(bytes.length) ?? [];
      spare.set(bytes.length, others);
      others.push(new WeakRef(bytes));
    },
  };
  return source;
}

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new SourceError(`"${path}" cannot be opened.`, { cause });
  }
}
