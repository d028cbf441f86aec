import type { CallTable, FromThread, ToThread } from './threadCalls.ts';

/** An error that happened in the worker: `name` is the class it had there, `fault` the kind that the class tells apart. */
export class WorkerError extends Error {
  readonly fault?: string;
  constructor(name: string, message: string, fault?: string) {
    super(message);
    this.name = name;
    this.fault = fault;
  }
}

type WorkerEnd = Pick<Worker, 'postMessage' | 'addEventListener' | 'terminate'>;

/** The surroundings of the page's end of a thread boundary. `Other` are messages that belong to no call. */
export interface ThreadSurroundings<Other = never> {
  /** The worker's name in the error that its calls end in when it dies. */
  readonly name: string;
  /** Starts a worker: at first, and after the one before died. */
  startWorker(): WorkerEnd;
  /** Hears why a worker ended, a clause without a full stop. */
  onStop?(reason: string): void;
  onMessage?(message: Other): void;
  /** `navigator.locks`; without it the end of a worker shows only where an error ends it. */
  readonly locks?: Pick<LockManager, 'request'>;
}

interface AskOptions<News> {
  readonly onNews?: (news: News) => void;
  readonly signal?: AbortSignal;
}

/** A call that is not answered yet. */
interface OpenCall {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  onNews?(news: unknown): void;
}

/** Class of the error that every call ends in whose worker dies. */
export const workerStopped = 'WorkerStoppedError';

/**
 * Returns a function that makes a call and resolves with its answer, or rejects with the WorkerError that it ended in. The
 * first call after a worker died starts another.
 */
export function createAsk<Calls extends CallTable<Calls>, Other extends { readonly type: string } = never>(
  surroundings: ThreadSurroundings<Other>,
) {
  const { name, startWorker, onStop, onMessage, locks } = surroundings;
  const open = new Map<number, OpenCall>();
  let nextId = 0;
  let running: WorkerEnd | null = null;

  function stop(worker: WorkerEnd, reason: string) {
    if (worker !== running) return;
    running = null;
    worker.terminate();
    const error = new WorkerError(workerStopped, `${name} stopped: ${reason}.`);
    for (const { reject } of open.values()) reject(error);
    open.clear();
    onStop?.(reason);
  }

  function hear(worker: WorkerEnd, message: FromThread<Calls>) {
    if (message.type === 'alive')
      return void locks?.request(message.lock, () => stop(worker, 'the browser ended it, perhaps for want of memory'));
    const call = open.get(message.id);
    if (message.type === 'news') return call?.onNews?.(message.news);
    open.delete(message.id);
    if (message.type === 'failed') call?.reject(new WorkerError(message.name, message.message, message.fault));
    else call?.resolve(message.answer);
  }

  function start(): WorkerEnd {
    const worker = startWorker();
    running = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<FromThread<Calls> | Other>) => {
      if (worker !== running) return;
      if ('id' in data || data.type === 'alive') hear(worker, data as FromThread<Calls>);
      else onMessage?.(data as Other);
    });
    worker.addEventListener('error', (event) => {
      const { message } = event as ErrorEvent;
      stop(worker, message?.replace(/\.$/, '') || 'it could not be started');
    });
    worker.addEventListener('messageerror', () => stop(worker, 'an answer of it could not be read'));
    return worker;
  }
  const post = (message: ToThread<Calls>) => (running ?? start()).postMessage(message);

  return async <Name extends keyof Calls>(
    type: Name,
    request: Calls[Name]['request'],
    { onNews, signal }: AskOptions<Calls[Name]['news']> = {},
  ): Promise<Calls[Name]['answer']> => {
    signal?.throwIfAborted();
    const id = nextId++;
    const cancel = () => running?.postMessage({ type: 'cancel', id } satisfies ToThread<Calls>);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise<Calls[Name]['answer']>((resolve, reject) => {
        open.set(id, { resolve: resolve as OpenCall['resolve'], reject, onNews: onNews as OpenCall['onNews'] });
        post({ type, id, request } as ToThread<Calls>);
      });
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  };
}
