import type { EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import type { WeightRow, WeightRowPart } from '../engine/inspect.ts';
import type { Profile, RowSpan } from '../engine/profile.ts';
import type { Drift, Examination } from '../models/doctor.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import type {
  CallName,
  Calls,
  Encoded,
  EncodedRows,
  EngineRequest,
  FileRequest,
  FromWorker,
  LoadProgress,
  LoraInfo,
  LoraUse,
  Lost,
  ModelInfo,
  ModelRequest,
  StoredModels,
  ToWorker,
} from './messages.ts';

export type { Encoded, EncodedRows } from './messages.ts';

/** An error that happened in the worker: `name` is the class it had there, `fault` the kind that the class tells apart. */
export class WorkerError extends Error {
  readonly fault?: string;
  constructor(name: string, message: string, fault?: string) {
    super(message);
    this.name = name;
    this.fault = fault;
  }
}

export interface EncodeOptions {
  /** LoRAs to merge into the weights, and no others; none where absent. */
  readonly loras?: readonly LoraUse[];
  /** Receives the rows up to EOS where the padding takes longer; the result stays the same. */
  readonly onRows?: (rows: EncodedRows) => void;
  /** Ends the encode in an AbortError before its next submit. */
  readonly signal?: AbortSignal;
  /** Passes whose rows a later edit will want, the most important first. */
  readonly alsoNeeded?: readonly EncoderPass[];
}

export interface EncoderClient {
  /** Replaces the model when, and only when, the new one is whole. A load in progress is cancelled first. */
  load(model: ModelRequest, engine: EngineRequest, onProgress: (progress: LoadProgress) => void): Promise<ModelInfo>;
  cancelLoad(): void;
  /** Hash of the weights in use, as weightsHash.ts makes it, read once more from their source; undefined on a page that is not secure. */
  weightsHash(): Promise<string | undefined>;
  /** Encodes run one after the other, in the order in which they are asked for. */
  encode(passes: readonly EncoderPass[], want: EncoderWant, options?: EncodeOptions): Promise<Encoded>;
  /** Times each step of these rows of a pass, after the encode under way and with its LoRAs. */
  profile(pass: EncoderPass, rows: RowSpan): Promise<Profile>;
  /**
   * Reads back every tensor of one layer of a pass (see `layerTensorShapes`), after the encode under way; `loras` are merged,
   * and no others. Aborting ends it in an AbortError.
   */
  inspect(
    pass: EncoderPass,
    layer: number,
    options?: { readonly loras?: readonly LoraUse[]; readonly signal?: AbortSignal },
  ): Promise<LayerTensors>;
  /** Reads back one row of a weight and its bias, with these LoRAs merged and no others. */
  weightRow(layer: number, part: WeightRowPart, row: number, loras?: readonly LoraUse[]): Promise<WeightRow>;
  /** Looks a checkpoint over, damaged or not. Runs beside the rest; aborting ends it in an AbortError. */
  examine(model: FileRequest, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<Examination>;
  /** Compares the encoder of `to` with that of `from`: how far each weight has moved. Aborting ends it likewise. */
  drift(
    from: FileRequest,
    to: FileRequest,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<Drift>;
  /** Reads a LoRA for the model in use: another model has it read anew. AbortError where one took its place meanwhile. */
  addLora(file: File, adapterConfig?: string): Promise<LoraInfo>;
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
  /** Deletes a stored model, whole or in part; an encoder loaded from it stays. Resolves with the models that are left. */
  deleteModel(model: string): Promise<StoredModels>;
}

type WorkerEnd = Pick<Worker, 'postMessage' | 'addEventListener' | 'terminate'>;

/** The surroundings of the page's end of the thread boundary. */
interface ClientSurroundings {
  /** Starts a worker: at first, and after the one before died. */
  startWorker(): WorkerEnd;
  /** Hears of a GPU, a thread or a worker that went away. */
  onLost(lost: Lost): void;
  /** `navigator.locks`; without it the end of a worker shows only where an error ends it. */
  readonly locks?: Pick<LockManager, 'request'>;
}

interface AskOptions<Name extends CallName> {
  readonly onNews?: (news: Calls[Name]['news']) => void;
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
function createAsk({ startWorker, onLost, locks }: ClientSurroundings) {
  const open = new Map<number, OpenCall>();
  let nextId = 0;
  let running: WorkerEnd | null = null;

  function stop(worker: WorkerEnd, reason: string) {
    if (worker !== running) return;
    running = null;
    worker.terminate();
    const error = new WorkerError(workerStopped, `The encoder's worker stopped: ${reason}.`);
    for (const { reject } of open.values()) reject(error);
    open.clear();
    onLost({ part: 'worker', reason });
  }

  function start(): WorkerEnd {
    const worker = startWorker();
    running = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (worker !== running) return;
      if (data.type === 'lost') return onLost(data.lost);
      if (data.type === 'alive')
        return void locks?.request(data.lock, () => stop(worker, 'the browser ended it, perhaps for want of memory'));
      const call = open.get(data.id);
      if (data.type === 'news') return call?.onNews?.(data.news);
      open.delete(data.id);
      if (data.type === 'failed') call?.reject(new WorkerError(data.name, data.message, data.fault));
      else call?.resolve(data.answer);
    });
    worker.addEventListener('error', (event) => {
      const { message } = event as ErrorEvent;
      stop(worker, message?.replace(/\.$/, '') || 'it could not be started');
    });
    worker.addEventListener('messageerror', () => stop(worker, 'an answer of it could not be read'));
    return worker;
  }
  const post = (message: ToWorker) => (running ?? start()).postMessage(message);

  return async <Name extends CallName>(
    type: Name,
    request: Calls[Name]['request'],
    { onNews, signal }: AskOptions<Name> = {},
  ): Promise<Calls[Name]['answer']> => {
    signal?.throwIfAborted();
    const id = nextId++;
    const cancel = () => running?.postMessage({ type: 'cancel', id } satisfies ToWorker);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise<Calls[Name]['answer']>((resolve, reject) => {
        open.set(id, { resolve: resolve as OpenCall['resolve'], reject, onNews: onNews as OpenCall['onNews'] });
        post({ type, id, request } as ToWorker);
      });
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  };
}

/** Makes the page's end of the thread boundary. */
export function createEncoderClient(surroundings: ClientSurroundings): EncoderClient {
  const ask = createAsk(surroundings);
  let loading: AbortController | null = null;
  return {
    async load(model, engine, onProgress) {
      loading?.abort();
      const mine = new AbortController();
      loading = mine;
      const onNews = (progress: LoadProgress) => {
        if (loading === mine) onProgress(progress);
      };
      try {
        return await ask('load', { model, engine }, { onNews, signal: mine.signal });
      } finally {
        if (loading === mine) loading = null;
      }
    },
    cancelLoad: () => loading?.abort(),
    weightsHash: () => ask('weightsHash', {}),
    encode(passes, want, { onRows, signal, loras = [], alsoNeeded = [] } = {}) {
      const request = { passes, want, loras, rowsFirst: onRows !== undefined, alsoNeeded };
      return ask('encode', request, { onNews: onRows, signal });
    },
    profile: (pass, rows) => ask('profile', { pass, rows }),
    inspect: (pass, layer, { loras = [], signal } = {}) => ask('inspect', { pass, layer, loras }, { signal }),
    weightRow: (layer, part, row, loras = []) => ask('weightRow', { layer, part, row, loras }),
    examine: (model, onNews, signal) => ask('examine', { model }, { onNews, signal }),
    drift: (from, to, onNews, signal) => ask('drift', { from, to }, { onNews, signal }),
    addLora: (file, adapterConfig) => ask('addLora', { file, adapterConfig }),
    removeLora(lora) {
      // A worker that died holds no LoRAs any more.
      ask('removeLora', { lora }).catch(() => {});
    },
    models: () => ask('models', {}),
    download: (file, onNews, signal) => ask('download', { file }, { onNews, signal }),
    keep: (file, source, onNews, signal) => ask('keep', { file, source }, { onNews, signal }),
    deleteModel: (model) => ask('deleteModel', { model }),
  };
}
