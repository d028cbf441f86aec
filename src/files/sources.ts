/** Bytes could not be read: the file is gone, was changed, or may not be opened. */
export class SourceError extends Error {
  override name = 'SourceError';
}

/** Bytes that can be read in pieces: a local file, a cached download, memory. */
export interface ByteSource {
  /** Name for messages, usually the file's. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads exactly the bytes [start, end), 0 ≤ start ≤ end ≤ size; the caller owns them.
   * Throws SourceError if they cannot all be read, RangeError if the source has no such bytes, and the signal's reason.
   */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Takes back bytes that nobody needs any more: a later read may write over them, which spares it new memory. */
  recycle?(bytes: Uint8Array<ArrayBuffer>): void;
}

/** Throws RangeError unless `source` has the bytes [start, end). */
export function checkRange(source: Pick<ByteSource, 'name' | 'size'>, start: number, end: number): void {
  if (!(start >= 0 && start <= end && end <= source.size))
    throw new RangeError(`"${source.name}" has ${source.size} bytes; ${start} to ${end} were asked for.`);
}

/** Most bytes of one piece that several reads share; a larger read is made alone. */
const largestPiece = 1 << 24;
/** Largest gap between two reads that is read along: torch files align their tensors. */
const widestGap = 1 << 12;

interface PendingRead {
  readonly start: number;
  readonly end: number;
  readonly resolve: (bytes: Uint8Array<ArrayBuffer> | PromiseLike<Uint8Array<ArrayBuffer>>) => void;
}

/** Joins reads that lie next to each other. */
function pieces(reads: readonly PendingRead[]): { start: number; end: number; reads: PendingRead[] }[] {
  const found: { start: number; end: number; reads: PendingRead[] }[] = [];
  for (const read of reads.toSorted((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last && read.start <= last.end + widestGap && Math.max(read.end, last.end) <= last.start + largestPiece) {
      last.end = Math.max(read.end, last.end);
      last.reads.push(read);
    } else found.push({ start: read.start, end: read.end, reads: [read] });
  }
  return found;
}

/**
 * Makes a source of a file that the person opened. Only the slices that are read come into memory. Reads that are asked
 * for together and lie next to each other are made as one, because each has to wait for another process.
 */
export function blobSource(blob: Blob, name = 'name' in blob ? String(blob.name) : 'file'): ByteSource {
  let pending: PendingRead[] = [];

  async function readNow(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await blob
      .slice(start, end)
      .arrayBuffer()
      .catch((cause: unknown) => {
        throw new SourceError(`"${name}" can no longer be read; was it moved or changed after it was opened?`, {
          cause,
        });
      });
    if (bytes.byteLength !== end - start)
      throw new SourceError(
        `"${name}" gave ${bytes.byteLength} of the ${end - start} bytes at ${start}; was it changed?`,
      );
    return new Uint8Array(bytes);
  }

  function readPending(): void {
    for (const { start, end, reads } of pieces(pending)) {
      const piece = readNow(start, end);
      for (const read of reads)
        read.resolve(
          reads.length === 1 ? piece : piece.then((bytes) => bytes.slice(read.start - start, read.end - start)),
        );
    }
    pending = [];
  }

  const source: ByteSource = {
    name,
    size: blob.size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      const bytes = await new Promise<Uint8Array<ArrayBuffer>>((resolve) => {
        if (pending.length === 0) queueMicrotask(readPending);
        pending.push({ start, end, resolve });
      });
      signal?.throwIfAborted();
      return bytes;
    },
  };
  return source;
}
