import { describeKind, fileKind } from '../../files/fileKind.ts';
import { type ByteSource, checkRange, SourceError } from '../../files/sources.ts';

export type DownloadFault =
  /** Not an http or https address. */
  | 'address'
  /** 404 or 410. */
  | 'not found'
  /** 401 or 403: gated, private, or (on the hub) not there. */
  | 'gated'
  /** No answer at all: offline, a dead host, or one that keeps other pages out (CORS); browsers do not say which. */
  | 'unreachable'
  /** A status that another try may not have: 5xx, 429. */
  | 'server'
  /** Any other status. */
  | 'refused'
  | 'not the file'
  | 'no length'
  | 'no ranges'
  | 'wrong length'
  | 'wrong hash'
  | 'changed'
  | 'dropped'
  | 'stalled';

/** A file that could not be had from its address; one sentence that says why and what to do. */
export class DownloadError extends SourceError {
  override name = 'DownloadError';
  readonly fault: DownloadFault;
  constructor(fault: DownloadFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export interface Clock {
  /** Milliseconds since any moment. */
  now(): number;
  /** Resolves after `milliseconds`; rejects with the signal's reason. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wait: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, milliseconds);
      signal?.addEventListener('abort', stop, { once: true });
    }),
};

/** How files are asked for. */
export interface HttpOptions {
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  /** Milliseconds without a byte after which a connection is given up; 30 s by default. */
  readonly stallAfter?: number;
  /** Connections in a row that may bring nothing before it is an error; 6 by default, waiting 1, 2, 4, 8, 16 s between. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
}

/** A file on a server. Reads go over HTTP ranges and outlive dropped connections; they throw DownloadError. */
export interface HttpSource extends ByteSource {
  readonly url: string;
  /** Whether the server answers with the range it was asked for; if not, every read begins at byte 0. */
  readonly ranges: boolean;
  /** What a changed file has otherwise: its strong ETag, or else its date. Null where the server shows neither. */
  readonly version: string | null;
  /**
   * Hands the bytes [start, end) to `take`, in order, over as many connections as it needs. A file that changes in
   * between ends in DownloadError "changed" and is never spliced, unless `spliced`: the caller knows its hash.
   */
  stream(start: number, end: number, take: Take, signal?: AbortSignal, spliced?: boolean): Promise<void>;
}

/** Gets bytes, and where in the file the first of them lies. */
export type Take = (bytes: Uint8Array<ArrayBuffer>, at: number) => void | Promise<void>;

/** Enough for the first look at any file, and for the whole header of a text encoder. */
const headBytes = 1 << 16;

/** A server without ranges sends everything before a read, too; more than this is no longer a look into a file. */
const mostSkipped = 1 << 25;

const longestBackoff = 16_000;

/** What messages call the file: host and path, without the query, which may hold keys. */
function placeName(url: URL): string {
  const place = `${url.host}${url.pathname}`;
  return place.length > 160 ? `${place.slice(0, 160)}…` : place;
}

/** The address's last part, or its host. */
export function fileName(url: URL): string {
  const last = url.pathname.split('/').at(-1) || url.host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

const instead = 'choose another address, or download the file by other means and open it here';

function statusError(status: number, url: URL): DownloadError {
  const place = placeName(url);
  if (status === 404 || status === 410)
    return new DownloadError('not found', `There is no file at ${place} (${status}); ${instead}.`);
  if (status === 401 || status === 403) {
    const hub = /(^|\.)(huggingface\.co|hf\.co)$/.test(url.hostname)
      ? ', as the hub does where a model is missing, private or behind a licence'
      : '';
    return new DownloadError('gated', `${place} is not open to everyone (${status})${hub}; ${instead}.`);
  }
  const fault = status >= 500 || status === 429 ? 'server' : 'refused';
  const first = fault === 'server' ? 'try again later, ' : '';
  return new DownloadError(fault, `${url.host} answers ${status} for ${place}; ${first}${instead}.`);
}

const brokeOff = (url: URL, options?: ErrorOptions) =>
  new DownloadError('dropped', `The connection to ${url.host} broke off.`, options);

/** Faults that another connection may not have. */
function passes(error: unknown): boolean {
  return error instanceof DownloadError && ['dropped', 'stalled', 'unreachable', 'server'].includes(error.fault);
}

/** A response as far as it says which bytes follow. */
interface Answer {
  /** Where in the file the body begins. */
  readonly from: number;
  /** Bytes of the whole file, if the answer tells. */
  readonly size: number | null;
  readonly version: string | null;
  readonly partial: boolean;
  readonly type: string;
  /** The body, piece by piece; throws DownloadError where it breaks off or stalls. */
  readonly chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Ends the connection before its body was begun. */
  cancel(): void;
}

function readVersion(headers: Headers): string | null {
  const etag = headers.get('etag');
  // A weak one promises the same meaning, not the same bytes.
  if (etag && !etag.startsWith('W/')) return `ETag ${etag}`;
  const date = headers.get('last-modified');
  return date && `Last-Modified ${date}`;
}

/** The number a header gives; null where it has none, or the server does not let pages read it. */
function headerNumber(text: string | null | undefined): number | null {
  return text && /^\d+$/.test(text) ? Number(text) : null;
}

type Request = Required<Pick<HttpOptions, 'fetch' | 'clock' | 'stallAfter' | 'attempts'>>;

/** `wanted`, unless it takes too long, which aborts `connection`. */
async function unlessStalled<T>(
  wanted: Promise<T>,
  { clock, stallAfter }: Request,
  connection: AbortController,
  host: string,
): Promise<T> {
  const timer = new AbortController();
  const stalled = clock.wait(stallAfter, timer.signal).then(() => {
    const error = new DownloadError(
      'stalled',
      `${host} has sent nothing for ${Math.round(stallAfter / 1000)} seconds.`,
    );
    connection.abort(error);
    throw error;
  });
  try {
    return await Promise.race([wanted, stalled]);
  } finally {
    timer.abort();
  }
}

/** One GET of [start, end), or of the whole file if `end` is null. Throws DownloadError, or the signal's reason. */
async function ask(
  url: URL,
  start: number,
  end: number | null,
  request: Request,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const connection = new AbortController();
  const either = signal ? AbortSignal.any([signal, connection.signal]) : connection.signal;
  const otherwise = (fault: (cause: unknown) => DownloadError) => (cause: unknown) => {
    signal?.throwIfAborted();
    throw cause instanceof DownloadError ? cause : fault(cause);
  };
  signal?.throwIfAborted();
  const response = await unlessStalled(
    request.fetch(url, {
      // Range is the one header a page may send without asking first (CORS preflight); If-Range, which the hub's
      // storage does not allow, is not. Comparing each answer's version comes to the same.
      headers: end === null ? {} : { Range: `bytes=${start}-${end - 1}` },
      signal: either,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    }),
    request,
    connection,
    url.host,
  ).catch(
    otherwise(
      (cause) =>
        new DownloadError(
          'unreachable',
          `${url.host} cannot be reached, or does not let other pages read its files (CORS); check the connection, ${instead}.`,
          { cause },
        ),
    ),
  );
  const { status, headers, body } = response;
  if (status !== 200 && status !== 206) {
    connection.abort();
    throw status === 416
      ? new DownloadError('changed', `${placeName(url)} has no bytes from ${start} on; it is empty or was changed.`)
      : statusError(status, url);
  }
  const partial = status === 206;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const size = partial ? headerNumber(range?.[2]) : headerNumber(headers.get('content-length'));
  async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    if (!body) return;
    const reader = body.getReader();
    try {
      for (;;) {
        const { done, value } = await unlessStalled(reader.read(), request, connection, url.host).catch(
          otherwise((cause) => brokeOff(url, { cause })),
        );
        if (done) return;
        yield value as Uint8Array<ArrayBuffer>;
      }
    } finally {
      // Left early or broken: nothing more is wanted of this connection.
      connection.abort();
      reader.cancel().catch(() => {});
    }
  }
  return {
    from: partial ? (headerNumber(range?.[1]) ?? start) : 0,
    size,
    version: readVersion(headers),
    partial,
    type: headers.get('content-type') ?? '',
    chunks: chunks(),
    cancel: () => connection.abort(),
  };
}

/** Runs `step` until it succeeds, waiting longer after each failure that brought no progress. */
async function persistently<T>(
  step: () => Promise<T>,
  progress: () => number,
  request: Request,
  signal: AbortSignal | undefined,
  mayPass: (error: unknown) => boolean = passes,
): Promise<T> {
  let failures = 0;
  let reached = progress();
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (progress() > reached) failures = 0;
      reached = progress();
      if (!mayPass(error)) throw error;
      failures++;
      if (failures >= request.attempts) {
        const { fault, message } = error as DownloadError;
        if (fault !== 'dropped' && fault !== 'stalled') throw error;
        throw new DownloadError(
          fault,
          `${message.slice(0, -1)}, ${failures} times in a row; what has arrived is kept, so go on later, ${instead}.`,
          { cause: error },
        );
      }
      await request.clock.wait(Math.min(1000 * 2 ** (failures - 1), longestBackoff), signal);
    }
  }
}

/**
 * Looks at the file at `address`: its size, its first bytes, whether ranges work. `bytes` is what it should have, and
 * its size where the server does not tell. Web pages and Git LFS pointers are refused.
 * Throws DownloadError, and the signal's reason.
 */
export async function openHttpSource(
  address: string,
  options: HttpOptions & { readonly bytes?: number | null } = {},
): Promise<HttpSource> {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new DownloadError(
      'address',
      `"${address}" is not the address of a file; give one that begins with https://.`,
    );
  const request: Request = {
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock: options.clock ?? systemClock,
    stallAfter: options.stallAfter ?? 30_000,
    attempts: options.attempts ?? 6,
  };
  const { signal } = options;
  const place = placeName(url);
  const name = fileName(url);

  // The first look: nothing was reached yet, so a failure to reach it is final.
  const firstLook = (error: unknown) => passes(error) && (error as DownloadError).fault !== 'unreachable';
  const first = await persistently(
    async () => {
      const answer = await ask(url, 0, headBytes, request, signal);
      const head = new Uint8Array(headBytes);
      let have = 0;
      for await (const chunk of answer.chunks) {
        const piece = chunk.subarray(0, headBytes - have);
        head.set(piece, have);
        have += piece.length;
        if (have === headBytes) break;
      }
      if (have < Math.min(headBytes, answer.size ?? 0)) throw brokeOff(url);
      return { ...answer, head: head.subarray(0, have) };
    },
    () => 0,
    request,
    signal,
    firstLook,
  ).catch((error: unknown) => {
    if (error instanceof DownloadError && error.fault === 'changed')
      throw new DownloadError('not the file', `The file at ${place} is empty; ${instead}.`);
    throw error;
  });

  const kind = fileKind(first.head);
  if (kind === 'web page' || kind === 'git-lfs pointer' || kind === 'empty')
    throw new DownloadError('not the file', `What ${place} sends ${describeKind(kind)}; ${instead}.`);
  if (kind !== 'safetensors' && /^text\/html\b/i.test(first.type))
    throw new DownloadError('not the file', `What ${place} sends ${describeKind('web page')}; ${instead}.`);

  const size = first.size ?? (await wholeSize());
  if (size === null) throw new DownloadError('no length', `${url.host} does not say how long ${place} is; ${instead}.`);
  if (typeof options.bytes === 'number' && size !== options.bytes)
    throw new DownloadError(
      'wrong length',
      `The file at ${place} has ${size} bytes instead of ${options.bytes}, so it is another one; ${instead}.`,
    );

  /** Content-Range is not readable everywhere; Content-Length of the whole file is. */
  async function wholeSize(): Promise<number | null> {
    if (first.head.length < headBytes) return first.head.length;
    const answer = first.partial ? await ask(url as URL, 0, null, request, signal).catch(() => null) : null;
    answer?.cancel();
    signal?.throwIfAborted();
    return answer?.size ?? options.bytes ?? null;
  }

  const version = first.version;
  const source: HttpSource = {
    name,
    url: address,
    size,
    ranges: first.partial,
    version,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      if (end <= first.head.length) return first.head.slice(start, end);
      if (!source.ranges && end > mostSkipped)
        throw new DownloadError('no ranges', `${url.host} sends ${place} only as a whole; download it first.`);
      const bytes = new Uint8Array(end - start);
      await source.stream(start, end, (chunk, at) => bytes.set(chunk, at - start), signal);
      return bytes;
    },
    async stream(start, end, take, signal, spliced = false) {
      checkRange(source, start, end);
      let at = start;
      const changed = (why: string) => new DownloadError('changed', `The file at ${place} ${why}; start again.`);
      await persistently(
        async () => {
          if (at === end) return;
          if (at > start && version === null && !spliced)
            throw changed(
              'has neither ETag nor date to tell whether it is still the same after the connection broke off',
            );
          const answer = await ask(url, at, end, request, signal);
          // `size` may have been told by the whole file alone.
          if ((answer.size ?? size) !== size || (!spliced && answer.version !== version)) {
            answer.cancel();
            throw changed('was changed while it was being read');
          }
          let position = answer.from;
          for await (const chunk of answer.chunks) {
            const bytes = chunk.subarray(Math.max(0, at - position), Math.max(0, end - position));
            if (position > at) break;
            position += chunk.length;
            if (bytes.length === 0) continue;
            await take(bytes, at);
            at += bytes.length;
            if (at === end) return;
          }
          throw brokeOff(url);
        },
        () => at,
        request,
        signal,
      );
    },
  };
  return source;
}
