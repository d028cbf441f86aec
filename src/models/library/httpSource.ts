import { describeKind, fileKind } from '../../files/fileKind.ts';
import { type ByteSource, checkRange, SourceError } from '../../files/sources.ts';

export type DownloadFault =
  /** The address is not an http or https one. */
  | 'address'
  /** 404 or 410. */
  | 'not found'
  /** 401 or 403: gated, private, or (on the hub) not there. */
  | 'gated'
  /** No answer: offline, a dead host, or one that keeps other pages out (CORS). Browsers do not say which. */
  | 'unreachable'
  /** 5xx or 429: another try may succeed. */
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

/** A file could not be downloaded. The message is one sentence that says why and what to do. */
export class DownloadError extends SourceError {
  override name = 'DownloadError';
  readonly fault: DownloadFault;
  constructor(fault: DownloadFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export interface Clock {
  /** Milliseconds since some fixed moment. */
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

/** Options of all requests for a file. */
export interface HttpOptions {
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  /** A connection is given up after this many milliseconds without a byte; 30 s by default. */
  readonly stallAfter?: number;
  /** So many connections in a row without progress are an error; 6 by default, with 1, 2, 4, 8 and 16 s between. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
}

/** A file on a server. Reads use HTTP ranges and survive dropped connections; they throw DownloadError. */
export interface HttpSource extends ByteSource {
  readonly url: string;
  /** Whether the server sends the range it is asked for. If not, every read begins at byte 0. */
  readonly ranges: boolean;
  /** Strong ETag, or else date: it differs if the file has changed. Null if the server shows neither. */
  readonly version: string | null;
  /**
   * Hands the bytes [start, end) to `take`, in order, over as many connections as needed. If the file changes in between,
   * it throws DownloadError "changed". Only with `spliced`, for callers that check a hash, it goes on instead.
   */
  stream(start: number, end: number, take: Take, signal?: AbortSignal, spliced?: boolean): Promise<void>;
}

/** Receives bytes, and the position of the first of them in the file. */
export type Take = (bytes: Uint8Array<ArrayBuffer>, at: number) => void | Promise<void>;

/** First bytes that are fetched: enough to recognise any file, and for the whole header of a text encoder. */
const headBytes = 1 << 16;

/** The end of the farthest read from a server without ranges, which also sends everything before it. */
const mostSkipped = 1 << 25;

const longestBackoff = 16_000;

/** Names the file in messages: host and path, without the query, which may hold keys. */
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

/** Whether another connection may succeed. */
function passes(error: unknown): boolean {
  return error instanceof DownloadError && ['dropped', 'stalled', 'unreachable', 'server'].includes(error.fault);
}

/** A response, before its body is read. */
interface Answer {
  /** Position in the file of the body's first byte. */
  readonly from: number;
  /** Length of the whole file; null if the answer does not tell. */
  readonly size: number | null;
  readonly version: string | null;
  readonly partial: boolean;
  readonly type: string;
  /** The body, piece by piece; throws DownloadError if it breaks off or stalls. */
  readonly chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Ends the connection before its body was begun. */
  cancel(): void;
}

function readVersion(headers: Headers): string | null {
  const etag = headers.get('etag');
  // A weak ETag promises the same meaning, not the same bytes.
  if (etag && !etag.startsWith('W/')) return `ETag ${etag}`;
  const date = headers.get('last-modified');
  return date && `Last-Modified ${date}`;
}

/** Reads a number in a header; null if there is none, or the server does not let pages read the header. */
function headerNumber(text: string | null | undefined): number | null {
  return text && /^\d+$/.test(text) ? Number(text) : null;
}

type Request = Required<Pick<HttpOptions, 'fetch' | 'clock' | 'stallAfter' | 'attempts'>>;

/** Waits for `wanted`. If that takes too long, it aborts `connection` and throws DownloadError "stalled". */
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

/** Sends one GET for [start, end), or for the whole file if `end` is null. Throws DownloadError, or the signal's reason. */
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
      // Pages may send Range without a CORS preflight, but not If-Range, which the hub's storage refuses. Comparing the
      // version of each answer has the same effect.
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
      // The reader left early or the body broke off: the connection is not needed any more.
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
          `${message.slice(0, -1)}, ${failures} times in a row; the part that is downloaded is kept, so go on later, ${instead}.`,
          { cause: error },
        );
      }
      await request.clock.wait(Math.min(1000 * 2 ** (failures - 1), longestBackoff), signal);
    }
  }
}

/** The answer to a first request, with the first bytes of the file. */
type FirstAnswer = Answer & { readonly head: Uint8Array<ArrayBuffer> };

/** Asks for the file's first bytes. A server that cannot be reached at all is not asked again. */
async function askFirst(url: URL, request: Request, signal: AbortSignal | undefined): Promise<FirstAnswer> {
  const mayPass = (error: unknown) => passes(error) && (error as DownloadError).fault !== 'unreachable';
  const step = async () => {
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
  };
  return persistently(step, () => 0, request, signal, mayPass).catch((error: unknown) => {
    if (error instanceof DownloadError && error.fault === 'changed')
      throw new DownloadError('not the file', `The file at ${placeName(url)} is empty; ${instead}.`);
    throw error;
  });
}

/** Throws DownloadError if a server sent a page or a pointer in place of a file. */
function refusePages({ head, type }: FirstAnswer, place: string): void {
  const kind = fileKind(head);
  if (kind === 'web page' || kind === 'git-lfs pointer' || kind === 'empty')
    throw new DownloadError('not the file', `What ${place} sends ${describeKind(kind)}; ${instead}.`);
  if (kind !== 'safetensors' && /^text\/html\b/i.test(type))
    throw new DownloadError('not the file', `What ${place} sends ${describeKind('web page')}; ${instead}.`);
}

/** Asks for the length of the whole file: pages may not always read Content-Range, but they may read Content-Length. */
async function wholeSize(url: URL, first: FirstAnswer, request: Request, signal?: AbortSignal): Promise<number | null> {
  if (first.size !== null) return first.size;
  if (first.head.length < headBytes) return first.head.length;
  if (!first.partial) return null;
  const answer = await ask(url, 0, null, request, signal).catch(() => null);
  answer?.cancel();
  signal?.throwIfAborted();
  return answer?.size ?? null;
}

/** A file on a server whose size is known. */
class ServerFile implements HttpSource {
  readonly name: string;
  readonly url: string;
  readonly size: number;
  readonly ranges: boolean;
  readonly version: string | null;
  private readonly location: URL;
  private readonly head: Uint8Array<ArrayBuffer>;
  private readonly request: Request;

  constructor(address: string, location: URL, size: number, first: FirstAnswer, request: Request) {
    this.name = fileName(location);
    this.url = address;
    this.size = size;
    this.ranges = first.partial;
    this.version = first.version;
    this.location = location;
    this.head = first.head;
    this.request = request;
  }

  async read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    signal?.throwIfAborted();
    checkRange(this, start, end);
    if (end <= this.head.length) return this.head.slice(start, end);
    const { host } = this.location;
    if (!this.ranges && end > mostSkipped)
      throw new DownloadError(
        'no ranges',
        `${host} sends ${placeName(this.location)} only as a whole; download it first.`,
      );
    const bytes = new Uint8Array(end - start);
    await this.stream(start, end, (chunk, at) => bytes.set(chunk, at - start), signal);
    return bytes;
  }

  async stream(start: number, end: number, take: Take, signal?: AbortSignal, spliced = false): Promise<void> {
    checkRange(this, start, end);
    const { location, request, version } = this;
    const changed = (why: string) =>
      new DownloadError('changed', `The file at ${placeName(location)} ${why}; start again.`);
    let at = start;
    const step = async () => {
      if (at === end) return;
      if (at > start && version === null && !spliced)
        throw changed('has neither ETag nor date to tell whether it is still the same after the connection broke off');
      const answer = await ask(location, at, end, request, signal);
      // A partial answer need not tell the size.
      if ((answer.size ?? this.size) !== this.size || (!spliced && answer.version !== version)) {
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
      throw brokeOff(location);
    };
    await persistently(step, () => at, request, signal);
  }
}

/**
 * Opens the file at `address`: finds out its size, its first bytes, and whether ranges work. `bytes` is the length that
 * is expected, and the length that is assumed if the server does not tell. Web pages and Git LFS pointers are refused.
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
  const first = await askFirst(url, request, signal);
  refusePages(first, place);
  const size = (await wholeSize(url, first, request, signal)) ?? options.bytes ?? null;
  if (size === null) throw new DownloadError('no length', `${url.host} does not say how long ${place} is; ${instead}.`);
  if (typeof options.bytes === 'number' && size !== options.bytes)
    throw new DownloadError(
      'wrong length',
      `The file at ${place} has ${size} bytes instead of ${options.bytes}, so it is another one; ${instead}.`,
    );
  return new ServerFile(address, url, size, first, request);
}
