import { type ByteSource, checkRange } from '../sources.ts';

/** Makes a source of bytes in memory. */
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
