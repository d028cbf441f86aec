import type { DownloadProgress } from '../checkpoint/download.ts';
import type { ModelFile } from '../checkpoint/modelSources.ts';
import type { StoredModel } from '../checkpoint/storage.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encode.ts';
import type {
  AdapterInfo,
  EncodeStats,
  FromWorker,
  LoadProgress,
  LoraInfo,
  LoraUse,
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

export interface EncoderClient {
  /** Finds a WebGPU adapter and device. */
  start(): Promise<AdapterInfo>;
  /** Replaces the model when, and only when, the new one is whole. A load in progress is cancelled first. */
  load(model: ModelRequest, onProgress: (progress: LoadProgress) => void): Promise<ModelInfo>;
  cancelLoad(): void;
  /**
   * With these LoRAs merged into the weights, and no others. Latest wins: one encode runs, one waits, and a third takes the
   * waiting one's place (which ends in SupersededError).
   */
  encode(passes: readonly EncoderPass[], want: EncoderWant, loras?: readonly LoraUse[]): Promise<Encoded>;
  /** Reads a LoRA for the model in use: another model has it read anew. AbortError where one took its place meanwhile. */
  addLora(file: File): Promise<LoraInfo>;
  removeLora(lora: number): void;
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
  const downloads = new Map<number, (progress: DownloadProgress) => void>();
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
    encode(passes, want, loras = []) {
      return new Promise<Encoded>((resolve, reject) => {
        const start = () => {
          running = true;
          ask({ type: 'encode', id: nextId++, passes, want, loras }, 'encoded')
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
    async addLora(file) {
      return (await ask({ type: 'addLora', id: nextId++, file }, 'loraAdded')).info;
    },
    removeLora: (lora) => post({ type: 'removeLora', id: nextId++, lora }),
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
