import { expectedTensors, type WeightSource } from '../clip/weights.ts';

/** Returns the SHA-256; undefined on a page that is not secure, which has none. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  return subtle && new Uint8Array(await subtle.digest('SHA-256', bytes));
}

export const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * Returns the hexadecimal SHA-256 of the tensors' SHA-256 (32 bytes each, in the order of expectedTensors). The same
 * encoder has the same hash in a file of another layout. Undefined if `sha256` is. Throws what `source.read` throws.
 */
export async function weightsHash(source: WeightSource): Promise<string | undefined> {
  // Without SHA-256 the tensors need not be read.
  if (!globalThis.crypto?.subtle) return undefined;
  const names = [...expectedTensors(source.config).keys()];
  const digests = new Uint8Array(names.length * 32);
  for (const [i, name] of names.entries()) digests.set((await sha256(await source.read(name)))!, i * 32);
  return hex((await sha256(digests))!);
}
