import { expectedTensors, type WeightSource } from '../clip/weights.ts';

/**
 * Hexadecimal SHA-256 of the tensors' SHA-256 (32 bytes each, in the order of expectedTensors): the same encoder has the
 * same in a file of another layout. Undefined on a page that is not secure, which has no SHA-256. Throws what
 * `source.read` throws.
 */
export async function weightsHash(source: WeightSource): Promise<string | undefined> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (!subtle) return undefined;
  const names = [...expectedTensors(source.config).keys()];
  const digests = new Uint8Array(names.length * 32);
  for (const [i, name] of names.entries())
    digests.set(new Uint8Array(await subtle.digest('SHA-256', await source.read(name))), i * 32);
  const whole = new Uint8Array(await subtle.digest('SHA-256', digests));
  return Array.from(whole, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
