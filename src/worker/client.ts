import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import type { WeightRow, WeightRowPart } from '../gpu/inspect.ts';
import type { Profile, RowSpan } from '../gpu/profile.ts';
import type { Drift, Examination } from '../models/doctor.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import type {
  AdapterInfo,
  EncodeStats,
  FileRequest,
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

export interface Encoded {
  readonly outputs: readonly EncoderOutput[];
  readonly stats: EncodeStats;
  /** Bytes held on the GPU by now. */
  readonly gpuBytes: number;
}

/** The rows up to EOS: of each pass the first `ready` rows are final, the others zeros. */
export interface EncodedRows extends Pick<Encoded, 'outputs' | 'stats'> {
  readonly ready: readonly number[];
}

export interface EncodeOptions {
  /** Merged into the weights for it, and no others; none where absent. */
  readonly loras?: readonly LoraUse[];
  /** Hears of the rows up to EOS where the padding takes longer; what is encoded is the same. */
  readonly onRows?: (rows: EncodedRows) => void;
  /** Aborting spares what is not begun yet (AbortError). */
  readonly signal?: AbortSignal;
  /** Passes whose rows a later edit will want, the most important first. */
  readonly alsoNeeded?: readonly EncoderPass[];
}

export interface EncoderClient {
  /** Finds a WebGPU adapter and device. */
  start(): Promise<AdapterInfo>;
  /** Replaces the model when, and only when, the new one is whole. A load in progress is cancelled first. */
  load(model: ModelRequest, onProgress: (progress: LoadProgress) => void): Promise<ModelInfo>;
  cancelLoad(): void;
  /** Of the weights in use, as weightsHash.ts makes it, from where they were loaded; undefined on a page that is not secure. */
  weightsHash(): Promise<string | undefined>;
  /** One after the other, in the order in which they are asked for. */
  encode(passes: readonly EncoderPass[], want: EncoderWant, options?: EncodeOptions): Promise<Encoded>;
  /** Times each step of these rows of a pass, after the encode under way and with its LoRAs. */
  profile(pass: EncoderPass, rows: RowSpan): Promise<Profile>;
  /**
   * Reads back every tensor of one layer of a pass (see `layerTensorShapes`), after the encode under way. Without `loras` those
   * of the encode before stay merged. Aborting ends it in an AbortError.
   */
  inspect(
    pass: EncoderPass,
    layer: number,
    options?: { readonly loras?: readonly LoraUse[]; readonly signal?: AbortSignal },
  ): Promise<LayerTensors>;
  /** Reads back one row of a weight and its bias, as the encode before used them. */
  weightRow(layer: number, part: WeightRowPart, row: number): Promise<WeightRow>;
  /** Looks a checkpoint over, damaged or not. Runs beside the rest; aborting ends it in an AbortError. */
  examine(model: FileRequest, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<Examination>;
  /** How far the encoder of `to` has moved from that of `from`; likewise. */
  drift(
    from: FileRequest,
    to: FileRequest,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<Drift>;
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
  /**
   * Copies the encoder of a file into the storage, under this source (keptSource); one that is there already is not copied
   * again. Runs beside the rest; aborting leaves nothing behind (AbortError).
   */
  keep(
    file: File,
    source: string,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<StoredModel>;
  /** Whole or in part; a loaded encoder does not need it any more. Resolves with what is left. */
  deleteModel(model: string): Promise<StoredModels>;
}

/** What is told of something under way, before its answer. */
function isNews({ type }: FromWorker): boolean {
  return type === 'progress' || type === 'rows' || type === 'examining' || type === 'downloading';
}

type Settle = { resolve(message: FromWorker): void; reject(error: Error): void };

/** The page's end of the thread boundary; `onLost` hears of a GPU that went away. */
export function createEncoderClient(
  worker: Pick<Worker, 'postMessage' | 'addEventListener'>,
  onLost: (message: string) => void,
): EncoderClient {
  const open = new Map<number, Settle>();
  let nextId = 0;
  /** Who hears of what is under way before it is answered, by id. */
  const listeners = new Map<number, (news: FromWorker) => void>();
  let load: AbortController | null = null;
  let stopped: WorkerError | null = null;

  const post = (message: ToWorker) => worker.postMessage(message);
  function ask<T extends FromWorker['type']>(message: ToWorker, _type: T): Promise<Extract<FromWorker, { type: T }>> {
    return new Promise((resolve, reject) => {
      if (stopped) return reject(stopped);
      open.set(message.id, { resolve: resolve as (message: FromWorker) => void, reject });
      post(message);
    });
  }

  /** Asks for what takes a while: `hear` gets what is told of it meanwhile, and the signal ends it. */
  async function follow<T extends FromWorker['type']>(
    message: ToWorker,
    type: T,
    hear: (news: FromWorker) => void,
    signal?: AbortSignal,
  ): Promise<Extract<FromWorker, { type: T }>> {
    signal?.throwIfAborted();
    const { id } = message;
    const cancel = () => post({ type: 'cancel', id });
    listeners.set(id, hear);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await ask(message, type);
    } finally {
      listeners.delete(id);
      signal?.removeEventListener('abort', cancel);
    }
  }

  const examining = (onProgress: (progress: LoadProgress) => void) => (news: FromWorker) => {
    if (news.type === 'examining') onProgress(news.progress);
  };

  const downloading = (onProgress: (progress: DownloadProgress) => void) => (news: FromWorker) => {
    if (news.type === 'downloading') onProgress(news.progress);
  };

  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'lost') return onLost(data.message);
    if (isNews(data)) return listeners.get(data.id)?.(data);
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
      const mine = new AbortController();
      load = mine;
      const hear = (news: FromWorker) => {
        if (news.type === 'progress' && load === mine) onProgress(news.progress);
      };
      try {
        return (await follow({ type: 'load', id: nextId++, model }, 'loaded', hear, mine.signal)).model;
      } finally {
        if (load === mine) load = null;
      }
    },
    cancelLoad: () => load?.abort(),
    async weightsHash() {
      return (await ask({ type: 'hash', id: nextId++ }, 'hashed')).sha256;
    },
    encode(passes, want, { onRows, signal, loras = [], alsoNeeded = [] } = {}) {
      const rowsFirst = onRows !== undefined;
      const message = { type: 'encode', id: nextId++, passes, want, loras, rowsFirst, alsoNeeded } as const;
      const hear = (news: FromWorker) => {
        if (news.type === 'rows') onRows?.(news);
      };
      return follow(message, 'encoded', hear, signal);
    },
    async profile(pass, rows) {
      return (await ask({ type: 'profile', id: nextId++, pass, rows }, 'profiled')).profile;
    },
    async inspect(pass, layer, { loras, signal } = {}) {
      const message = { type: 'inspect', id: nextId++, pass, layer, loras } as const;
      return (await follow(message, 'inspected', () => {}, signal)).tensors;
    },
    async weightRow(layer, part, row) {
      return (await ask({ type: 'weightRow', id: nextId++, layer, part, row }, 'weightRow')).row;
    },
    async examine(model, onProgress, signal) {
      const message = { type: 'examine', id: nextId++, model } as const;
      return (await follow(message, 'examined', examining(onProgress), signal)).examination;
    },
    async drift(from, to, onProgress, signal) {
      const message = { type: 'drift', id: nextId++, from, to } as const;
      return (await follow(message, 'drifted', examining(onProgress), signal)).drift;
    },
    async addLora(file) {
      return (await ask({ type: 'addLora', id: nextId++, file }, 'loraAdded')).info;
    },
    removeLora: (lora) => post({ type: 'removeLora', id: nextId++, lora }),
    async models() {
      return (await ask({ type: 'models', id: nextId++ }, 'models')).stored;
    },
    async download(file, onProgress, signal) {
      const message = { type: 'download', id: nextId++, file } as const;
      return (await follow(message, 'downloaded', downloading(onProgress), signal)).model;
    },
    async keep(file, source, onProgress, signal) {
      const message = { type: 'keep', id: nextId++, file, source } as const;
      return (await follow(message, 'downloaded', downloading(onProgress), signal)).model;
    },
    async deleteModel(model) {
      return (await ask({ type: 'deleteModel', id: nextId++, model }, 'models')).stored;
    },
  };
}
