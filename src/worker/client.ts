import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LayerTensors, ResumedRows } from '../clip/layerTensors.ts';
import type { TextProjection } from '../clip/weights.ts';
import type { WeightRow, WeightRowPart } from '../engine/inspect.ts';
import type { Profile, RowSpan } from '../engine/profile.ts';
import type { Drift, Examination } from '../models/doctor.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import { createAsk, type ThreadSurroundings } from './ask.ts';
import type {
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
} from './messages.ts';

export type { Encoded, EncodedRows } from './messages.ts';

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
  /** Encodes from the middle on, with these numbers in the place of the encoder's own; `states` are read back too, where they come after. */
  resume(
    pass: EncoderPass,
    layer: number,
    given: ResumedRows,
    states: readonly number[],
    options?: { readonly loras?: readonly LoraUse[]; readonly signal?: AbortSignal },
  ): Promise<EncoderOutput>;
  /** Multiplies outputs of a layer's heads [L, d] by W_O, without its bias. */
  project(
    layer: number,
    attended: Float32Array,
    options?: { readonly loras?: readonly LoraUse[]; readonly signal?: AbortSignal },
  ): Promise<Float32Array>;
  /** Reads the projection beside the encoder in use; null where its file has none. */
  projection(): Promise<TextProjection | null>;
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

/** The surroundings of the page's end of the thread boundary. */
interface ClientSurroundings extends Omit<ThreadSurroundings, 'name' | 'onStop'> {
  /** Hears of a GPU, a thread or a worker that went away. */
  onLost(lost: Lost): void;
}

/** Makes the page's end of the thread boundary. */
export function createEncoderClient({ onLost, ...surroundings }: ClientSurroundings): EncoderClient {
  const ask = createAsk<Calls, Extract<FromWorker, { readonly type: 'lost' }>>({
    ...surroundings,
    name: "The encoder's worker",
    onStop: (reason) => onLost({ part: 'worker', reason }),
    onMessage: ({ lost }) => onLost(lost),
  });
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
    resume: (pass, layer, given, states, { loras = [], signal } = {}) =>
      ask('resume', { pass, layer, given, states, loras }, { signal }),
    project: (layer, attended, { loras = [], signal } = {}) => ask('project', { layer, attended, loras }, { signal }),
    projection: () => ask('projection', {}),
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
