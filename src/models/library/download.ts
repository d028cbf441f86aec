import type { ByteSource } from '../../files/sources.ts';
import { type ByteRange, coalesce, type DownloadPlan, encoderPlan, wholePlan } from './downloadPlan.ts';
import { DownloadError, type HttpOptions, type HttpSource, openHttpSource, systemClock } from './httpSource.ts';
import type { ModelSink, StoredModel } from './storage.ts';

/** An unfinished SHA-256: `sha256.create()` of @noble/hashes, or `createHash('sha256')` of Node. */
export interface Hasher {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

export interface DownloadProgress {
  /** Bytes of the new file that are stored. */
  readonly done: number;
  readonly total: number;
  /** True while the stored bytes are read again to be verified; `done` then counts from 0 once more. */
  readonly verifying: boolean;
  /** Speed of the last seconds; absent until there is enough to tell. */
  readonly bytesPerSecond?: number;
}

export interface DownloadOptions extends HttpOptions {
  /** Sink that the model is written to; it is closed in the end, whether or not the download succeeds. */
  readonly into: ModelSink;
  /** Pauses the download when aborted: the bytes so far stay in `into`, and the next download resumes from them. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /**
   * Facts about the file at the address. With a hash the whole file is kept, without one only the text encoder's
   * tensors.
   */
  readonly expected?: { readonly bytes?: number | null; readonly sha256?: string | null };
  readonly sha256: () => Hasher;
}

/** Length of a gap of unwanted bytes that is cheaper to receive than another request. */
const cheapGap = 1 << 18;

/** Restarts before a download is given up, after the file changed or a resumed file had the wrong hash. */
const mostRestarts = 2;

/** Bytes hashed at once: few enough that an abort is noticed and the thread can answer other messages. */
export const hashedAtOnce = 1 << 22;

const speedWindow = 5000;
const progressInterval = 100;

/** Limits reports to one every 0.1 s and one at the end, and adds the speed of the last 5 s. */
export function progressReporter(
  report: DownloadOptions['onProgress'],
  now: () => number,
): (done: number, total: number, verifying?: boolean) => void {
  let reported = Number.NEGATIVE_INFINITY;
  let marks: { time: number; done: number }[] = [];
  return (done, total, verifying = false) => {
    const time = now();
    if (!report || (time - reported < progressInterval && done < total)) return;
    reported = time;
    if (done < (marks.at(-1)?.done ?? 0)) marks = [];
    marks.push({ time, done });
    while (marks.length > 2 && marks[0].time < time - speedWindow) marks.shift();
    const [first] = marks;
    const seconds = (time - first.time) / 1000;
    report({ done, total, verifying, ...(seconds >= 0.5 && { bytesPerSecond: (done - first.done) / seconds }) });
  };
}

/** Returns the hexadecimal SHA-256 of a whole source, read a piece at a time. */
export async function hashSource(
  source: ByteSource,
  hasher: Hasher,
  onProgress: (done: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  for (let at = 0; at < source.size; ) {
    const end = Math.min(at + hashedAtOnce, source.size);
    hasher.update(await source.read(at, end, signal));
    at = end;
    onProgress(at);
  }
  return Array.from(hasher.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Passes the plan's bytes from `done` on to `write`. */
async function transfer(
  remote: HttpSource,
  plan: DownloadPlan,
  done: number,
  write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
  signal: AbortSignal | undefined,
  spliced: boolean,
): Promise<void> {
  if (done < plan.header.length) await write(plan.header.slice(done));
  let skip = Math.max(0, done - plan.header.length);
  const wanted: ByteRange[] = [];
  for (const { start, end } of plan.ranges) {
    const skipped = Math.min(skip, end - start);
    skip -= skipped;
    if (start + skipped < end) wanted.push({ start: start + skipped, end });
  }
  let next = 0;
  // Without ranges every request begins at the first byte, so there is only one.
  for (const { start, end } of coalesce(wanted, remote.ranges ? cheapGap : Number.POSITIVE_INFINITY))
    await remote.stream(
      start,
      end,
      async (bytes, at) => {
        const bytesEnd = at + bytes.length;
        for (; next < wanted.length && wanted[next].start < bytesEnd; next++) {
          const from = Math.max(wanted[next].start, at);
          await write(bytes.subarray(from - at, Math.min(wanted[next].end, bytesEnd) - at));
          if (wanted[next].end > bytesEnd) break;
        }
      },
      signal,
      spliced,
    );
}

async function downloadOne(address: string, options: DownloadOptions): Promise<StoredModel> {
  const { into, signal, expected = {}, clock = systemClock } = options;
  const sha256 = expected.sha256?.toLowerCase() ?? null;
  const report = progressReporter(options.onProgress, clock.now);
  for (let restarts = 0; ; restarts++) {
    let joined = false;
    try {
      const remote = await openHttpSource(address, { ...options, bytes: expected.bytes });
      const plan = sha256 ? wholePlan(remote.size) : await encoderPlan(remote, signal);
      const version = sha256 ? `SHA-256 ${sha256}` : remote.version;
      const { part } = into;
      if (version !== null && part?.version === version && part.bytes === plan.bytes && into.size <= plan.bytes)
        joined = into.size > 0;
      else await into.begin({ version, bytes: plan.bytes });
      report(into.size, plan.bytes);
      await transfer(
        remote,
        plan,
        into.size,
        async (bytes) => {
          await into.write(bytes);
          report(into.size, plan.bytes);
        },
        signal,
        sha256 !== null,
      );
      // The bytes are read again from the storage, so that the verified bytes are the ones that will be used.
      const actual = await hashSource(
        await into.written(),
        options.sha256(),
        (done) => report(done, plan.bytes, true),
        signal,
      );
      if (sha256 && actual !== sha256) {
        await into.begin({ version: null, bytes: plan.bytes });
        throw new DownloadError(
          'wrong hash',
          `What ${new URL(address).host} sent is not the file that was expected: its SHA-256 begins with ${actual.slice(0, 8)} instead of ${sha256.slice(0, 8)}; it was thrown away, so choose another address.`,
        );
      }
      return await into.commit({ sha256: actual, source: address });
    } catch (error) {
      const fault = error instanceof DownloadError ? error.fault : null;
      if (fault !== 'changed' && !(fault === 'wrong hash' && joined)) throw error;
      if (restarts >= mostRestarts) throw error;
      // The stored bytes are of a file that no longer exists.
      if (fault === 'changed') await into.begin({ version: null, bytes: into.part?.bytes ?? 0 });
    }
  }
}

/**
 * Downloads a checkpoint's text encoder from the first address that has it. It is stored as complete only if it is
 * whole: of the expected length and hash, or else a checkpoint whose header and length agree. Throws DownloadError,
 * StorageError, CheckpointError, SafetensorsError, or the signal's reason.
 */
export async function download(addresses: string | readonly string[], options: DownloadOptions): Promise<StoredModel> {
  const all = typeof addresses === 'string' ? [addresses] : addresses;
  const failed: DownloadError[] = [];
  try {
    for (const address of all)
      try {
        return await downloadOne(address, options);
      } catch (error) {
        if (!(error instanceof DownloadError)) throw error;
        failed.push(error);
      }
  } finally {
    await options.into.close();
  }
  if (failed.length === 0) throw new RangeError('No address was given.');
  if (failed.length === 1) throw failed[0];
  throw new DownloadError(
    failed[0].fault,
    `None of ${failed.length} addresses could be used; of the first: ${failed[0].message}`,
    { cause: new AggregateError(failed) },
  );
}
