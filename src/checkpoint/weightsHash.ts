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

/** Tensors that may wait to be hashed: each is a copy in memory. */
const mostWaiting = 4;

/** Hashes tensors beside the reading of the next ones. */
export function hashWeights(source: WeightSource): HashedWeights {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (!subtle) return { source, sha256: async () => undefined };
  const digests = new Map<string, Uint8Array>();
  const waiting: Promise<unknown>[] = [];
  return {
    source: {
      ...source,
      async read(name, signal) {
        const bytes = await source.read(name, signal);
        while (waiting.length >= mostWaiting) await waiting.shift();
        // The bytes are copied before the call returns: they are the caller's.
        const hashed = subtle.digest('SHA-256', bytes).then(
          (digest) => void digests.set(name, new Uint8Array(digest)),
          () => {},
        );
        waiting.push(hashed);
        return bytes;
      },
    },
    async sha256() {
      await Promise.all(waiting);
      const names = [...expectedTensors(source.config).keys()];
      if (!names.every((name) => digests.has(name))) return undefined;
      const all = new Uint8Array(names.length * 32);
      for (const [i, name] of names.entries()) all.set(digests.get(name)!, i * 32);
      const whole = new Uint8Array(await subtle.digest('SHA-256', all));
      return Array.from(whole, (byte) => byte.toString(16).padStart(2, '0')).join('');
    },
  };
}
