import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../library/httpSource.ts';

/** Faults in the answer to one request. Without any, the answer is correct. */
export interface Fault {
  readonly status?: number;
  /** Sends another file than the server's. */
  readonly body?: Uint8Array;
  readonly type?: string;
  /** Answers ranges with 200 and everything. */
  readonly ignoresRange?: boolean;
  /** Breaks the connection off after so many bytes of the body. */
  readonly dropAfter?: number;
  /** Sends no more after so many bytes, and keeps the connection open. */
  readonly stallAfter?: number;
  /** Milliseconds between two pieces of 16 kB, as over a slow network. */
  readonly delay?: number;
  /** The ETag to send; null for none. */
  readonly etag?: string | null;
  readonly lastModified?: string;
  /** Leaves out Content-Range and Content-Length, as for a page that may not read them. */
  readonly hidesLength?: boolean;
  /** Length of the whole file that Content-Range and Content-Length claim. */
  readonly claims?: number;
  readonly redirect?: string;
}

export interface Asked {
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
  /** Bytes of the body that were given to the connection. */
  sent: number;
}

export interface FaultyServer {
  /** `http://127.0.0.1:…`, without a slash at the end. */
  readonly origin: string;
  /** The requests so far, in order. */
  readonly asked: Asked[];
  close(): Promise<void>;
}

/** Bytes sent at once: so few that a body takes several pieces, as over a network. */
const pieceBytes = 1 << 14;

async function send(response: ServerResponse, body: Uint8Array, fault: Fault, asked: Asked): Promise<void> {
  response.flushHeaders();
  const most = Math.min(fault.dropAfter ?? body.length, fault.stallAfter ?? body.length, body.length);
  const closed = new Promise<unknown>((resolve) => response.once('close', resolve));
  while (asked.sent < most && !response.destroyed) {
    const piece = body.subarray(asked.sent, Math.min(asked.sent + pieceBytes, most));
    asked.sent += piece.length;
    await Promise.race([closed, new Promise((resolve) => response.write(piece, resolve))]);
    if (fault.delay !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delay));
  }
  if (most < body.length && fault.stallAfter !== undefined) return;
  if (most < body.length || fault.claims !== undefined) response.destroy();
  else response.end();
}

/**
 * Starts a server of one file, whatever the path. For each request, counted from 0, `fault` says how the answer fails.
 */
export async function startFaultyServer(
  file: Uint8Array,
  fault: (request: number, path: string) => Fault = () => ({}),
): Promise<FaultyServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const how = fault(asked.length, path);
    const range = request.headers.range ?? null;
    const entry: Asked = { path, range, ifRange: (request.headers['if-range'] as string) ?? null, sent: 0 };
    asked.push(entry);
    response.on('error', () => {});
    const whole = how.body ?? file;
    const size = how.claims ?? whole.length;
    const headers: Record<string, string | number> = {
      'content-type': how.type ?? 'application/octet-stream',
      // Pages from elsewhere may read all of these, as on the hub.
      'access-control-allow-origin': '*',
      'access-control-expose-headers': '*',
    };
    if (how.etag !== null) headers.etag = how.etag ?? '"first"';
    if (how.lastModified) headers['last-modified'] = how.lastModified;
    if (how.redirect) return response.writeHead(302, { ...headers, location: how.redirect }).end();
    const wanted = how.ignoresRange ? null : /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
    const start = Number(wanted?.[1] ?? 0);
    const end = Math.min(Number(wanted?.[2] ?? Number.POSITIVE_INFINITY) + 1, size);
    if (wanted && start >= size) return response.writeHead(416, headers).end();
    if (wanted && !how.hidesLength) headers['content-range'] = `bytes ${start}-${end - 1}/${size}`;
    if (!how.hidesLength) headers['content-length'] = end - start;
    response.writeHead(how.status ?? (wanted ? 206 : 200), headers);
    void send(response, whole.subarray(start, end), how, entry);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Makes a clock a hundred times as fast, which lists the waits it was asked for. */
export function fastClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => performance.now() * 100,
    wait(milliseconds, signal) {
      waits.push(milliseconds);
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const timer = setTimeout(resolve, milliseconds / 100);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason);
        });
      });
    },
  };
}
