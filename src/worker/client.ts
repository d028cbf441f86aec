import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encode.ts';
import type {
  AdapterInfo,
  EncodeStats,
  FromWorker,
  LoadProgress,
  ModelInfo,
  ModelRequest,
  ToWorker,
} from './messages.ts';

/** An error that happened in the worker: `name` is the class it had there. */
export class WorkerError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/** A newer request made this one's answer unwanted. */
export class SupersededError extends Error {
  override name = 'SupersededError';
}

export interface Encoded {
  readonly outputs: readonly EncoderOutput[];
  readonly stats: EncodeStats;
}

export interface EncoderClient {
  /** Finds a WebGPU adapter and device. */
  start(): Promise<AdapterInfo>;
  /** Replaces the model when, and only when, the new one is whole. A load in progress is cancelled first. */
  load(model: ModelRequest, onProgress: (progress: LoadProgress) => void): Promise<ModelInfo>;
  cancelLoad(): void;
  /** Latest wins: one encode runs, one waits, and a third takes the waiting one's place (which ends in SupersededError). */
  encode(passes: readonly EncoderPass[], want: EncoderWant): Promise<Encoded>;
}

type Settle = { resolve(message: FromWorker): void; reject(error: Error): void };

/** The page's end of the thread boundary; `onLost` hears of a GPU that went away. */
export function createEncoderClient(
  worker: Pick<Worker, 'postMessage' | 'addEventListener'>,
  onLost: (message: string) => void,
): EncoderClient {
  const open = new Map<number, Settle>();
  let nextId = 0;
  let load: { id: number; onProgress(progress: LoadProgress): void } | null = null;
  let running = false;
  let waiting: { start(): void; supersede(): void } | null = null;
  let stopped: WorkerError | null = null;

  const post = (message: ToWorker) => worker.postMessage(message);
  function ask<T extends FromWorker['type']>(message: ToWorker, _type: T): Promise<Extract<FromWorker, { type: T }>> {
    return new Promise((resolve, reject) => {
      if (stopped) return reject(stopped);
      open.set(message.id, { resolve: resolve as (message: FromWorker) => void, reject });
      post(message);
    });
  }

  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'lost') return onLost(data.message);
    if (data.type === 'progress') return load?.id === data.id ? load.onProgress(data.progress) : undefined;
    const settle = open.get(data.id);
    open.delete(data.id);
    if (data.type === 'failed') settle?.reject(new WorkerError(data.name, data.message));
    else settle?.resolve(data);
  });
  worker.addEventListener('error', (event) => {
    const { message } = event as ErrorEvent;
    stopped = new WorkerError('Error', `The encoder's worker stopped: ${message || 'it could not be started'}.`);
    for (const { reject } of open.values()) reject(stopped);
    open.clear();
  });

  return {
    async start() {
      return (await ask({ type: 'start', id: nextId++ }, 'started')).adapter;
    },
    async load(model, onProgress) {
      this.cancelLoad();
      const mine = { id: nextId++, onProgress };
      load = mine;
      try {
        return (await ask({ type: 'load', id: mine.id, model }, 'loaded')).model;
      } finally {
        if (load === mine) load = null;
      }
    },
    cancelLoad() {
      if (load) post({ type: 'cancel', id: load.id });
    },
    encode(passes, want) {
      return new Promise<Encoded>((resolve, reject) => {
        const start = () => {
          running = true;
          ask({ type: 'encode', id: nextId++, passes, want }, 'encoded')
            .then(resolve, reject)
            .finally(() => {
              running = false;
              const next = waiting;
              waiting = null;
              next?.start();
            });
        };
        if (!running) return start();
        waiting?.supersede();
        waiting = { start, supersede: () => reject(new SupersededError('A newer prompt took its place.')) };
      });
    },
  };
}
