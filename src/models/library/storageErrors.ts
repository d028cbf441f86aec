import { megabytes } from '../../files/byteCount.ts';
import { SourceError } from '../../files/sources.ts';
import { StorageError, type StorageQuota } from './storage.ts';

export function busy(name: string, cause?: unknown): StorageError {
  return new StorageError(
    'busy',
    `"${name}" is being written by another download or tab; wait for it or stop it first.`,
    { cause },
  );
}

/** Bytes that the browser says it uses and allows; undefined where it does not say. */
export async function usage(quota: StorageQuota): Promise<{ used?: number; allowed?: number }> {
  const estimate = await quota.estimate?.().catch(() => undefined);
  return { used: estimate?.usage, allowed: estimate?.quota };
}

/** Makes the error for a model that needs `missing` more bytes than there is room for. */
export async function noRoom(
  quota: StorageQuota,
  name: string,
  missing: number,
  cause?: unknown,
): Promise<StorageError> {
  const { used, allowed } = await usage(quota);
  // The estimate is told only if it explains the refusal: it may exceed the free disk, or what the browser then grants.
  const explains = used !== undefined && allowed !== undefined && allowed - used < missing;
  const numbers = explains
    ? `The browser has room for ${megabytes(Math.max(0, allowed - used))} more (${megabytes(used)} of ${megabytes(allowed)} are used)`
    : `The browser takes no more than ${used === undefined ? 'it has' : `the ${megabytes(used)} it has`}`;
  return new StorageError(
    'quota',
    `${numbers}, but "${name}" needs another ${megabytes(missing)}; delete a stored model or free space on the disk, then try again.`,
    { cause },
  );
}

/** Turns an error of the platform into a StorageError about model `name`, which still lacks `missing` bytes. */
export async function storageError(
  error: unknown,
  quota: StorageQuota,
  name: string,
  missing: number,
): Promise<unknown> {
  if (error instanceof SourceError) return error;
  switch (error instanceof Error || error instanceof DOMException ? error.name : '') {
    case 'QuotaExceededError':
    case 'RangeError': // No memory for so large an array.
      return noRoom(quota, name, missing, error);
    case 'NoModificationAllowedError':
      return busy(name, error);
    case 'InvalidStateError':
    case 'NotFoundError':
      return new StorageError('missing', `"${name}" is no longer stored; was the browser's data cleared?`, {
        cause: error,
      });
    default:
      return new StorageError('unavailable', `The browser cannot store "${name}" now; reload the page and try again.`, {
        cause: error,
      });
  }
}
