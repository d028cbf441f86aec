import { type ByteSource, blobSource, checkRange, SourceError } from '../../files/sources.ts';

/**
 * Places that store models: the browser's own file system, its cache of responses, or memory, which a reload empties.
 */
export type StoragePlace = 'opfs' | 'cache' | 'memory';

/**
 * Named files that grow at their end. They throw errors of the platform, which storageErrors.ts turns into
 * StorageErrors.
 */
export interface StorageFiles {
  readonly place: StoragePlace;
  names(): Promise<string[]>;
  /** Throws SourceError if there is no such file. */
  open(name: string): Promise<ByteSource>;
  /** Opens a file for writing, or creates it. Only one writer may have it open. */
  append(name: string): Promise<StorageWriter>;
  /** Removes a file, if it exists. */
  remove(name: string): Promise<void>;
}

export interface StorageWriter {
  /** Bytes of the file so far. */
  readonly size: number;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Empties the file. */
  clear(): Promise<void>;
  /** Ends the writing; all bytes are then safe from a crash. */
  close(): Promise<void>;
}

/** The part of FileSystemDirectoryHandle that is used. Its sync access handles exist in workers only. */
export interface OpfsDirectory {
  keys(): AsyncIterable<string>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<OpfsFile>;
  removeEntry(name: string): Promise<void>;
}

export interface OpfsFile {
  getFile(): Promise<Blob>;
  createSyncAccessHandle(): Promise<{
    getSize(): number;
    write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
    truncate(size: number): void;
    flush(): void;
    close(): void;
  }>;
}

/** Bytes after which a growing file is flushed: the most that a crash can cost. */
const flushBytes = 1 << 25;

const missing = (name: string) => new SourceError(`"${name}" is not stored.`);
const isMissing = (error: unknown) => error instanceof Error && error.name === 'NotFoundError';

export function opfsFiles(directory: OpfsDirectory): StorageFiles {
  return {
    place: 'opfs',
    async names() {
      const names = [];
      for await (const name of directory.keys()) names.push(name);
      return names;
    },
    async open(name) {
      const handle = await directory.getFileHandle(name).catch((cause: unknown) => {
        throw isMissing(cause) ? missing(name) : cause;
      });
      return blobSource(await handle.getFile(), name);
    },
    async append(name) {
      const handle = await (await directory.getFileHandle(name, { create: true })).createSyncAccessHandle();
      let size = handle.getSize();
      let safe = size;
      return {
        get size() {
          return size;
        },
        async write(bytes) {
          for (let done = 0; done < bytes.length; ) {
            // A full disk shows as an error or a shorter write, in Chromium 156 as 2 ** 32 - 8 bytes "written".
            const rest = bytes.subarray(done);
            const written = handle.write(rest, { at: size });
            if (!(written > 0 && written <= rest.length))
              throw new DOMException('Nothing more could be written.', 'QuotaExceededError');
            done += written;
            size += written;
          }
          if (size - safe < flushBytes) return;
          handle.flush();
          safe = size;
        },
        async clear() {
          handle.truncate(0);
          size = 0;
          safe = 0;
        },
        async close() {
          try {
            handle.flush();
          } finally {
            handle.close();
          }
        },
      };
    },
    async remove(name) {
      await directory.removeEntry(name).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    },
  };
}

/** The part of Cache that is used. */
export interface ResponseCache {
  keys(): Promise<readonly { readonly url: string }[]>;
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
  delete(url: string): Promise<boolean>;
}

/** A host that cannot exist (RFC 2606): the addresses below it are only names and are never fetched. */
const cacheRoot = 'https://models.invalid/';

/**
 * Stores files in a cache. Responses cannot grow, so a file is a row of them, each named by its range of bytes:
 * `name/start-end`.
 */
export function cacheFiles(cache: ResponseCache, pieceBytes = 1 << 23): StorageFiles {
  interface Piece {
    readonly url: string;
    readonly start: number;
    readonly end: number;
  }
  async function allPieces(): Promise<(Piece & { name: string })[]> {
    const found = [];
    for (const { url } of await cache.keys()) {
      const parts = url.startsWith(cacheRoot) ? /^([^/]+)\/(\d+)-(\d+)$/.exec(url.slice(cacheRoot.length)) : null;
      if (parts)
        found.push({ url, name: decodeURIComponent(parts[1]), start: Number(parts[2]), end: Number(parts[3]) });
    }
    return found;
  }
  /** Returns a file's pieces from byte 0 on, up to the first hole. */
  async function pieces(name: string): Promise<Piece[]> {
    const row: Piece[] = [];
    const own = (await allPieces()).filter((piece) => piece.name === name);
    for (const piece of own.toSorted((a, b) => a.start - b.start))
      if (piece.start === (row.at(-1)?.end ?? 0)) row.push(piece);
    return row;
  }
  async function remove(name: string) {
    for (const piece of await allPieces()) if (piece.name === name) await cache.delete(piece.url);
  }
  return {
    place: 'cache',
    names: async () => [...new Set((await allPieces()).map(({ name }) => name))],
    async open(name) {
      const row = await pieces(name);
      if (row.length === 0) throw missing(name);
      const source: ByteSource = {
        name,
        size: row.at(-1)!.end,
        async read(start, end, signal) {
          signal?.throwIfAborted();
          checkRange(source, start, end);
          const out = new Uint8Array(end - start);
          for (const piece of row) {
            if (piece.end <= start || piece.start >= end) continue;
            const blob = await (await cache.match(piece.url))?.blob();
            signal?.throwIfAborted();
            if (blob?.size !== piece.end - piece.start)
              throw new SourceError(`"${name}" can no longer be read; was it deleted?`);
            const from = Math.max(start, piece.start);
            const slice = blob.slice(from - piece.start, Math.min(end, piece.end) - piece.start);
            out.set(new Uint8Array(await slice.arrayBuffer()), from - start);
          }
          return out;
        },
      };
      return source;
    },
    async append(name) {
      let safe = (await pieces(name)).at(-1)?.end ?? 0;
      let waiting: Uint8Array<ArrayBuffer>[] = [];
      let waitingBytes = 0;
      async function flush() {
        if (waitingBytes === 0) return;
        const end = safe + waitingBytes;
        const url = `${cacheRoot}${encodeURIComponent(name)}/${safe}-${end}`;
        await cache.put(url, new Response(new Blob(waiting)));
        safe = end;
        waiting = [];
        waitingBytes = 0;
      }
      return {
        get size() {
          return safe + waitingBytes;
        },
        async write(bytes) {
          waiting.push(bytes.slice());
          waitingBytes += bytes.length;
          if (waitingBytes >= pieceBytes) await flush();
        },
        async clear() {
          await remove(name);
          safe = 0;
          waiting = [];
          waitingBytes = 0;
        },
        close: flush,
      };
    },
    remove,
  };
}

export function memoryFiles(): StorageFiles {
  const files = new Map<string, Uint8Array<ArrayBuffer>[]>();
  const sizeOf = (chunks: readonly Uint8Array[]) => chunks.reduce((sum, { length }) => sum + length, 0);
  return {
    place: 'memory',
    names: async () => [...files.keys()],
    async open(name) {
      const chunks = files.get(name);
      if (!chunks) throw missing(name);
      return blobSource(new Blob(chunks), name);
    },
    async append(name) {
      let chunks = files.get(name) ?? [];
      files.set(name, chunks);
      let size = sizeOf(chunks);
      return {
        get size() {
          return size;
        },
        async write(bytes) {
          chunks.push(bytes.slice());
          size += bytes.length;
        },
        async clear() {
          chunks = [];
          files.set(name, chunks);
          size = 0;
        },
        async close() {},
      };
    },
    async remove(name) {
      files.delete(name);
    },
  };
}
