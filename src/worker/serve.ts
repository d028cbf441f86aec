import { DownloadError } from '../models/library/httpSource.ts';
import { StorageError } from '../models/library/storage.ts';
import type { CallName, Calls, FromWorker, ToWorker } from './messages.ts';

/** One handler for each call. It may tell news until it answers, and rejects with the signal's reason where it is cancelled. */
export type Handlers = {
  readonly [Name in CallName]: (
    request: Calls[Name]['request'],
    signal: AbortSignal,
    tell: (news: Calls[Name]['news']) => void,
  ) => Promise<Calls[Name]['answer']>;
};

const moved = new WeakMap<object, readonly ArrayBufferLike[]>();

/** Marks an answer or news whose buffers are moved to the page instead of being copied. Returns it. */
export function moving<T extends object>(message: T, arrays: Iterable<{ readonly buffer: ArrayBufferLike }>): T {
  moved.set(
    message,
    Array.from(arrays, ({ buffer }) => buffer),
  );
  return message;
}

const buffersOf = (message: unknown) =>
  (typeof message === 'object' && message !== null ? (moved.get(message) ?? []) : []) as ArrayBuffer[];

/** Returns a function that answers the page's messages with the handlers. `post` sends a message to the page. */
export function serve(handlers: Handlers, post: (message: FromWorker, transfer?: Transferable[]) => void) {
  const underway = new Map<number, AbortController>();
  return async (message: ToWorker): Promise<void> => {
    const { type, id } = message;
    if (type === 'cancel') return underway.get(id)?.abort();
    const abort = new AbortController();
    underway.set(id, abort);
    const tell = (news: Calls[CallName]['news']) => post({ type: 'news', id, news }, buffersOf(news));
    try {
      const handle = handlers[type] as Handlers[CallName];
      const answer = await handle(message.request as never, abort.signal, tell as never);
      post({ type: 'answer', id, answer }, buffersOf(answer));
    } catch (error) {
      const { name, message } =
        error instanceof Error || error instanceof DOMException ? error : new Error(String(error));
      const fault = error instanceof DownloadError || error instanceof StorageError ? error.fault : undefined;
      post({ type: 'failed', id, name, message, fault });
    } finally {
      underway.delete(id);
    }
  };
}
