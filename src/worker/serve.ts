import type { CallTable, FromThread, ToThread } from './threadCalls.ts';

/** One handler for each call. It may tell news until it answers, and rejects with the signal's reason where it is cancelled. */
export type Handlers<Calls extends CallTable<Calls>> = {
  readonly [Name in keyof Calls]: (
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

/** The kind of an error whose class tells kinds apart. */
const faultOf = (error: unknown) => {
  const { fault } = error as { readonly fault?: unknown };
  return typeof fault === 'string' ? fault : undefined;
};

/** Returns a function that answers the page's messages with the handlers. `post` sends a message to the page. */
export function serve<Calls extends CallTable<Calls>>(
  handlers: Handlers<Calls>,
  post: (message: FromThread<Calls>, transfer?: Transferable[]) => void,
) {
  const underway = new Map<number, AbortController>();
  return async (message: ToThread<Calls>): Promise<void> => {
    if (message.type === 'cancel') return underway.get(message.id)?.abort();
    const { type, id, request } = message as Exclude<ToThread<Calls>, { readonly type: 'cancel' }>;
    const abort = new AbortController();
    underway.set(id, abort);
    const tell = (news: Calls[keyof Calls]['news']) => post({ type: 'news', id, news }, buffersOf(news));
    try {
      const answer = await handlers[type](request, abort.signal, tell);
      post({ type: 'answer', id, answer }, buffersOf(answer));
    } catch (error) {
      const { name, message } =
        error instanceof Error || error instanceof DOMException ? error : new Error(String(error));
      post({ type: 'failed', id, name, message, fault: faultOf(error) });
    } finally {
      underway.delete(id);
    }
  };
}

/**
 * Holds a lock of a name of its own until the worker dies: browsers tell the page of an error in a worker, but not of
 * its end. `post` tells the page the lock's name.
 */
export function holdLock(post: (message: { readonly type: 'alive'; readonly lock: string }) => void): void {
  const lock = `clipscope worker ${Math.random()}`;
  navigator.locks
    ?.request(lock, () => {
      post({ type: 'alive', lock });
      return new Promise<never>(() => {});
    })
    // A browser that blocks the storage of a frame may deny it locks, too.
    .catch(() => {});
}
