/** Bytes that could not be read: the file is gone, was changed, or may not be opened. */
export class SourceError extends Error {
  override name = 'SourceError';
}

/** Something with bytes that can be read in pieces: a local file, a cached download, memory. */
export interface ByteSource {
  /** What messages call it: usually the file's name. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /**
   * Exactly the bytes [start, end), 0 ≤ start ≤ end ≤ size; the caller owns them.
   * Throws SourceError if they cannot all be had, RangeError if the source has no such bytes, and the signal's reason.
   */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** Throws RangeError unless `source` has the bytes [start, end). */
export function checkRange(source: Pick<ByteSource, 'name' | 'size'>, start: number, end: number): void {
  if (!(start >= 0 && start <= end && end <= source.size))
    throw new RangeError(`"${source.name}" has ${source.size} bytes; ${start} to ${end} were asked for.`);
}

/** A file the person opened. Only the slices that are read come into memory. */
export function blobSource(blob: Blob, name = 'name' in blob ? String(blob.name) : 'file'): ByteSource {
  const source: ByteSource = {
    name,
    size: blob.size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      const slice = blob.slice(start, end);
      const bytes = await slice.arrayBuffer().catch((cause: unknown) => {
        throw new SourceError(`"${name}" can no longer be read; was it moved or changed after it was opened?`, {
          cause,
        });
      });
      signal?.throwIfAborted();
      if (bytes.byteLength !== end - start)
        throw new SourceError(
          `"${name}" gave ${bytes.byteLength} of the ${end - start} bytes at ${start}; was it changed?`,
        );
      return new Uint8Array(bytes);
    },
  };
  return source;
}

export function memorySource(bytes: Uint8Array, name = 'memory'): ByteSource {
  const source: ByteSource = {
    name,
    size: bytes.length,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      return new Uint8Array(bytes.subarray(start, end));
    },
  };
  return source;
}
