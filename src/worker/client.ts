import type { Drift, Examination } from '../checkpoint/doctor.ts';
import type { DownloadProgress } from '../checkpoint/download.ts';
import type { ModelFile } from '../checkpoint/modelSources.ts';
import type { StoredModel } from '../checkpoint/storage.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encode.ts';
import type {
  AdapterInfo,
  EncodeStats,
  FileRequest,
  FromWorker,
  LoadProgress,
  ModelInfo,
  ModelRequest,
  StoredModels,
  ToWorker,
} from './messages.ts';

/** An error that happened in the worker: `name` is the class it had there, `fault` what that class tells apart. */
export class WorkerError extends Error {
  readonly fault?: string;
  constructor(name: string, message: string, fault?: string) {
    super(message);
    this.name = name;
    this.fault = fault;
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

/** The rows up to EOS: of each pass the first `ready` rows are final, the others zeros. */
export interface EncodedRows extends Encoded {
  readonly ready: readonly number[];
}

export interface EncodeOptions {
  /** Hears of the rows up to EOS where the padding takes longer; what is encoded is the same. */
  readonly onRows?: (rows: EncodedRows) => void;
  /** Aborting spares what is not begun yet (AbortError). */
  readonly signal?: AbortSignal;
}

export interface EncoderClient {
  /** Finds a WebGPU adapter and device. */
  start(): Promise<AdapterInfo>;
  /** Replaces the model when, and only when, the new one is whole. A load in progress is cancelled first. */
  load(model: ModelRequest, onProgress: (progress: LoadProgress) => void): Promise<ModelInfo>;
  cancelLoad(): void;
  /** Latest wins: one encode runs, one waits, and a third takes the waiting one's place (which ends in SupersededError). */
  encode(passes: readonly EncoderPass[], want: EncoderWant, options?: EncodeOptions): Promise<Encoded>;
  /** Looks a checkpoint over, damaged or not. Runs beside the rest; aborting ends it in an AbortError. */
  examine(model: FileRequest, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<Examination>;
  /** How far the encoder of `to` has moved from that of `from`; likewise. */
  drift(
    from: FileRequest,
    to: FileRequest,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<Drift>;
  models(): Promise<StoredModels>;
  /**
   * Runs beside loads, encodes and other downloads. Aborting pauses (AbortError): what has arrived is kept, and the same
   * call goes on with it.
   */
  download(
    file: ModelFile,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<StoredModel>;
  /** Whole or in part; a loaded encoder does not need it any more. Resolves with what is left. */
  deleteModel(model: string): Promise<StoredModels>;
}

type Settle = { resolve(message: FromWorker): void; reject(error: Error): void };

/** The page's end of the thread boundary; `onLost` hears of a GPU that went away. */
export function createEncoderClient(
  worker: Pick<Worker, 'postMessage' | 'addEventListener'>,
  onLost: (message: string) => void,
): EncoderClient {
  const open = new Map<number, Settle>();
  let nextId = 0;
  const rows = new Map<number, (rows: EncodedRows) => void>();
  const downloads = new Map<number, (progress: DownloadProgress) => void>();
  const examinations = new Map<number, (progress: LoadProgress) => void>();
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

  async function examining<T extends 'examined' | 'drifted'>(
    message: Extract<ToWorker, { type: 'examine' | 'drift' }>,
    type: T,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<Extract<FromWorker, { type: T }>> {
    signal.throwIfAborted();
    const { id } = message;
    const cancel = () => post({ type: 'cancel', id });
    examinations.set(id, onProgress);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await ask(message, type);
    } finally {
      examinations.delete(id);
      signal.removeEventListener('abort', cancel);
    }
  }

  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'lost') return onLost(data.message);
    if (data.type === 'progress') return load?.id === data.id ? load.onProgress(data.progress) : undefined;
    if (data.type === 'rows') return rows.get(data.id)?.(data);
    if (data.type === 'examining') return examinations.get(data.id)?.(data.progress);
    if (data.type === 'downloading') return downloads.get(data.id)?.(data.progress);
    const settle = open.get(data.id);
    open.delete(data.id);
    if (data.type === 'failed') settle?.reject(new WorkerError(data.name, data.message, data.fault));
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
    encode(passes, want, { onRows, signal } = {}) {
      return new Promise<Encoded>((resolve, reject) => {
        const start = () => {
          running = true;
          const id = nextId++;
          if (onRows) rows.set(id, onRows);
          const stop = () => post({ type: 'stop', id });
          signal?.addEventListener('abort', stop);
          ask({ type: 'encode', id, passes, want, rowsFirst: onRows !== undefined }, 'encoded')
            .then(resolve, reject)
            .finally(() => {
              rows.delete(id);
              signal?.removeEventListener('abort', stop);
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
    async examine(model, onProgress, signal) {
      const message = { type: 'examine', id: nextId++, model } as const;
      return (await examining(message, 'examined', onProgress, signal)).examination;
    },
    async drift(from, to, onProgress, signal) {
      const message = { type: 'drift', id: nextId++, from, to } as const;
      return (await examining(message, 'drifted', onProgress, signal)).drift;
    },
    async models() {
      return (await ask({ type: 'models', id: nextId++ }, 'models')).stored;
    },
    async download(file, onProgress, signal) {
      signal.throwIfAborted();
      const id = nextId++;
      const pause = () => post({ type: 'pause', id });
      downloads.set(id, onProgress);
      signal.addEventListener('abort', pause, { once: true });
      try {
        return (await ask({ type: 'download', id, file }, 'downloaded')).model;
      } finally {
        downloads.delete(id);
        signal.removeEventListener('abort', pause);
      }
    },
    async deleteModel(model) {
      return (await ask({ type: 'deleteModel', id: nextId++, model }, 'models')).stored;
    },
  };
}
