import { expectedTensors, type WeightSource } from '../clip/weights.ts';

/** Weights, and their hash once all have been read. */
export interface HashedWeights {
  readonly source: WeightSource;
  /**
   * Hexadecimal SHA-256 of the tensors' SHA-256 (32 bytes each, in the order of expectedTensors): the same encoder has the
   * same in a file of another layout. Undefined where not all were read, and on a page that is not secure, which has no
   * SHA-256.
   */
  sha256(): Promise<string | undefined>;
}

/** Hashes tensors while they are read; at most one waits to be hashed. */
export function hashWeights(source: WeightSource): HashedWeights {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (!subtle) return { source, sha256: async () => undefined };
  const digests = new Map<string, Uint8Array>();
  let last: Promise<unknown> = Promise.resolve();
  return {
    source: {
      ...source,
      async read(name, signal) {
        const bytes = await source.read(name, signal);
        await last;
        // The bytes are copied before the call returns: they are the caller's.
        const hashed = subtle.digest('SHA-256', bytes).then(
          (digest) => void digests.set(name, new Uint8Array(digest)),
          () => {},
        );
        last = Promise.all([last, hashed]);
        return bytes;
      },
    },
    async sha256() {
      await last;
      const names = [...expectedTensors(source.config).keys()];
      if (!names.every((name) => digests.has(name))) return undefined;
      const all = new Uint8Array(names.length * 32);
      for (const [i, name] of names.entries()) all.set(digests.get(name)!, i * 32);
      const whole = new Uint8Array(await subtle.digest('SHA-256', all));
      return Array.from(whole, (byte) => byte.toString(16).padStart(2, '0')).join('');
    },
  };
}
