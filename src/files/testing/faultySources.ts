import { safetensorsHeader, type TensorEntry } from '../safetensors.ts';
import type { ByteSource } from '../sources.ts';
import { dtypeBytes, elementCount } from '../tensorFile.ts';

/** Returns `source` with a list of the ranges that were read. */
export function spySource(source: ByteSource): ByteSource & { readonly reads: (readonly [number, number])[] } {
  const reads: [number, number][] = [];
  return {
    name: source.name,
    size: source.size,
    reads,
    read(start, end, signal) {
      reads.push([start, end]);
      return source.read(start, end, signal);
    },
  };
}

/** Makes a safetensors file of any size whose data are all zeros and take no memory until they are read. */
export function zeroSource(specs: readonly TensorEntry[], name = 'zeros.safetensors'): ByteSource {
  const { header } = safetensorsHeader(specs);
  const dataBytes = specs.reduce((sum, { dtype, shape }) => sum + elementCount(shape) * dtypeBytes[dtype], 0);
  return {
    name,
    size: header.length + dataBytes,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      const bytes = new Uint8Array(end - start);
      if (start < header.length) bytes.set(header.subarray(start, end));
      return bytes;
    },
  };
}
