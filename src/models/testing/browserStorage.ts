import type { OpfsDirectory, ResponseCache } from '../library/storageFiles.ts';

const quotaError = () => new DOMException('The quota has been exceeded.', 'QuotaExceededError');

/** Bytes that a browser allows for everything it stores; a test may change them. */
export interface Room {
  bytes: number;
}

export type WhenFull = 'throws' | 'writes less' | 'returns an error as a size';

/** Makes an origin private file system in memory, with its locks. Browsers differ in what a full disk does. */
export function fakeOpfs(
  room: Room = { bytes: Number.POSITIVE_INFINITY },
  whenFull: WhenFull = 'throws',
): OpfsDirectory & { readonly files: Map<string, Uint8Array<ArrayBuffer>>; usage(): number } {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const locked = new Set<string>();
  const usage = () => [...files.values()].reduce((sum, { length }) => sum + length, 0);
  const lockedError = () => new DOMException('Locked.', 'NoModificationAllowedError');
  return {
    files,
    usage,
    async *keys() {
      yield* [...files.keys()];
    },
    async getFileHandle(name, options) {
      if (!files.has(name)) {
        if (!options?.create) throw new DOMException('No such file.', 'NotFoundError');
        files.set(name, new Uint8Array(0));
      }
      return {
        getFile: async () => new Blob([files.get(name)!]),
        async createSyncAccessHandle() {
          if (locked.has(name)) throw lockedError();
          locked.add(name);
          const open = () => {
            if (!locked.has(name)) throw new DOMException('Closed.', 'InvalidStateError');
            return files.get(name)!;
          };
          return {
            getSize: () => open().length,
            write(bytes, { at }) {
              const old = open();
              const free = room.bytes - usage();
              const grown = Math.max(0, at + bytes.length - old.length);
              if (grown > free && whenFull === 'throws') throw quotaError();
              if (grown > free && whenFull === 'returns an error as a size') return 2 ** 32 - 8;
              const written = bytes.subarray(0, Math.max(0, bytes.length - Math.max(0, grown - free)));
              const end = Math.max(old.length, at + written.length);
              let buffer = old.buffer;
              if (end > buffer.byteLength) {
                buffer = new ArrayBuffer(2 * end);
                new Uint8Array(buffer).set(old);
              }
              const next = new Uint8Array(buffer, 0, end);
              next.set(written, at);
              files.set(name, next);
              return written.length;
            },
            truncate: (size) => void files.set(name, open().slice(0, size)),
            flush: () => void open(),
            close: () => void locked.delete(name),
          };
        },
      };
    },
    async removeEntry(name) {
      if (locked.has(name)) throw lockedError();
      if (!files.delete(name)) throw new DOMException('No such file.', 'NotFoundError');
    },
  };
}

export function fakeCache(room: Room = { bytes: Number.POSITIVE_INFINITY }): ResponseCache {
  const bodies = new Map<string, Blob>();
  return {
    keys: async () => [...bodies.keys()].map((url) => ({ url })),
    async match(url) {
      const body = bodies.get(url);
      return body && new Response(body);
    },
    async put(url, response) {
      const body = await response.blob();
      const usage = [...bodies.values()].reduce((sum, { size }) => sum + size, 0);
      if (usage + body.size > room.bytes) throw quotaError();
      bodies.set(url, body);
    },
    delete: async (url) => bodies.delete(url),
  };
}
