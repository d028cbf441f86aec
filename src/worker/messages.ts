import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LayerTensors, ResumedRows } from '../clip/layerTensors.ts';
import type { TextProjection } from '../clip/weights.ts';
import type { EngineChoice, EngineInfo } from '../engine/engineChoice.ts';
import type { WeightRow, WeightRowPart } from '../engine/inspect.ts';
import type { Profile, RowSpan } from '../engine/profile.ts';
import type { Drift, Examination } from '../models/doctor.ts';
import type { LeftOut } from '../models/leftOut.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import type { StoragePlace } from '../models/library/storageFiles.ts';
import type { LoraUpdate } from '../models/loraDelta.ts';
import type { LoraEffect } from '../models/loraFile.ts';
import type { Call, FromThread, ToThread } from './threadCalls.ts';

/** A model to load: the one that comes with the page, made-up weights, a file the person chose, or one that was downloaded. */
export type ModelRequest =
  | { readonly kind: 'small' }
  | { readonly kind: 'synthetic'; readonly size: 'full' | 'tiny' }
  /** `passTrailingBytes` opens a file with bytes after its last tensor, which else is refused. */
  | { readonly kind: 'file'; readonly file: File; readonly passTrailingBytes?: boolean }
  | { readonly kind: 'stored'; readonly model: string; readonly name: string };

/** A model to examine: one that has a file. */
export type FileRequest = Exclude<ModelRequest, { readonly kind: 'synthetic' }>;

export interface ModelInfo {
  readonly name: string;
  /** True where the weights are made up and the numbers mean nothing. */
  readonly random: boolean;
  /** A doubt about the weights that the file cannot dispel, in a sentence. */
  readonly doubt?: string;
  readonly config: ClipTextConfig;
  /** The ids that it has rows for, where these are not all: others are words that it has never learnt. */
  readonly knownIds?: ReadonlySet<number>;
  /** Whether its file has the projection of CLIP's objective beside it. */
  readonly hasProjection?: boolean;
  /** Storage types of the layers' weights, as in the file: "F16". */
  readonly dtype: string;
  /** The engine that runs it. */
  readonly engine: EngineInfo;
  /** Bytes that the engine holds when it is loaded; each encode reports how many there are by then. */
  readonly heldBytes: number;
  /** Weight and bias of the final LayerNorm, [d] each, which clip skip applies to an inner hidden state. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
}

/** The engine to load a model on. */
export interface EngineRequest extends EngineChoice {
  /** Whether `automatic` looks for a GPU although one went away; else it keeps to the CPU from then on. */
  readonly retriesGpu: boolean;
}

export interface EncodeStats {
  readonly milliseconds: number;
  /** Milliseconds until the rows up to EOS were told; undefined where they were not told before the padding. */
  readonly untilEos?: number;
  readonly rowsComputed: number;
  readonly rowsTotal: number;
}

/** Bytes read so far, and all that are to be read. */
export interface LoadProgress {
  readonly done: number;
  readonly total: number;
}

/** Models that were downloaded, whole or in part, and where the browser keeps them. */
export interface StoredModels {
  readonly place: StoragePlace;
  /** Newest first. */
  readonly models: readonly StoredModel[];
  /** Bytes of free room; null where the browser does not say. */
  readonly free: number | null;
  /** Whether the browser will keep it when the disk fills up. */
  readonly persisted: boolean;
}

/** A LoRA that the worker holds for the model in use. */
export interface LoraInfo {
  /** Number by which encodes name it. */
  readonly lora: number;
  /** All ranks among its updates, ascending. */
  readonly ranks: readonly number[];
  /** How far it moves each weight with the multiplier 1; empty where it changes nothing of the encoder. */
  readonly effects: readonly LoraEffect[];
  /** The kinds of its changes: LoRA, LoHa, … */
  readonly kinds: readonly string[];
  /** Another name that prompts may call it by. */
  readonly alias?: string;
  /** Its updates of the final LayerNorm, which clip skip applies on the page. */
  readonly finalNorm: readonly LoraUpdate[];
  readonly leftOut: LeftOut;
}

/** A LoRA that is merged for an encode, and its multiplier. */
export interface LoraUse {
  readonly lora: number;
  readonly multiplier: number;
}

export interface Encoded {
  readonly outputs: readonly EncoderOutput[];
  readonly stats: EncodeStats;
  /** Bytes that the engine holds by now. */
  readonly heldBytes: number;
}

/** The rows up to EOS: the first ready[i] rows of outputs[i] are final, the others zeros. */
export interface EncodedRows extends Pick<Encoded, 'outputs' | 'stats'> {
  readonly ready: readonly number[];
}

type Empty = Readonly<Record<string, never>>;

/** Every call that the page can make. Any of them can be cancelled; it then ends in an AbortError as soon as it can. */
export interface Calls {
  load: Call<{ readonly model: ModelRequest; readonly engine: EngineRequest }, ModelInfo, LoadProgress>;
  /** Hash of the weights in use, as weightsHash.ts makes it: reads them once more. Undefined on a page that is not secure. */
  weightsHash: Call<Empty, string | undefined>;
  encode: Call<
    {
      readonly passes: readonly EncoderPass[];
      readonly want: EncoderWant;
      /** LoRAs to merge, and no others. */
      readonly loras: readonly LoraUse[];
      /** True where the rows up to EOS are to be told before the padding is computed. */
      readonly rowsFirst: boolean;
      /** Passes whose rows a later edit will want, the most important first. */
      readonly alsoNeeded: readonly EncoderPass[];
    },
    Encoded,
    EncodedRows
  >;
  profile: Call<{ readonly pass: EncoderPass; readonly rows: RowSpan }, Profile>;
  inspect: Call<
    {
      readonly pass: EncoderPass;
      readonly layer: number;
      /** LoRAs to merge, and no others. */
      readonly loras: readonly LoraUse[];
    },
    LayerTensors
  >;
  /** Encodes from the middle on with other numbers than the encoder's own: see engine/resume.ts. */
  resume: Call<
    {
      readonly pass: EncoderPass;
      readonly layer: number;
      readonly given: ResumedRows;
      readonly states: readonly number[];
      readonly loras: readonly LoraUse[];
    },
    EncoderOutput
  >;
  /** Multiplies outputs of a layer's heads by W_O, without its bias. */
  project: Call<
    { readonly layer: number; readonly attended: Float32Array; readonly loras: readonly LoraUse[] },
    Float32Array
  >;
  /** Reads the projection beside the encoder in use; null where its file has none. */
  projection: Call<Empty, TextProjection | null>;
  weightRow: Call<
    {
      readonly layer: number;
      readonly part: WeightRowPart;
      readonly row: number;
      /** LoRAs to merge, and no others. */
      readonly loras: readonly LoraUse[];
    },
    WeightRow
  >;
  /** Reads a LoRA, and holds it until another model is loaded. */
  addLora: Call<{ readonly file: File; readonly adapterConfig?: string }, LoraInfo>;
  removeLora: Call<{ readonly lora: number }, void>;
  examine: Call<{ readonly model: FileRequest }, Examination, LoadProgress>;
  drift: Call<{ readonly from: FileRequest; readonly to: FileRequest }, Drift, LoadProgress>;
  models: Call<Empty, StoredModels>;
  download: Call<{ readonly file: ModelFile }, StoredModel, DownloadProgress>;
  /** Copies a file's encoder into the storage, under this source. */
  keep: Call<{ readonly file: File; readonly source: string }, StoredModel, DownloadProgress>;
  /** Answers with the models that are left. */
  deleteModel: Call<{ readonly model: string }, StoredModels>;
}

export type CallName = keyof Calls;

export type ToWorker = ToThread<Calls>;

export type FromWorker =
  | FromThread<Calls>
  /** A part of the engine went away with the model in use; the next load finds it again, or another engine. */
  | { readonly type: 'lost'; readonly lost: Lost };

/** The part of the encoder that went away, with all that it held. */
export interface Lost {
  readonly part: 'GPU' | 'thread' | 'worker';
  /** The driver's or the browser's reason, without a full stop at the end. */
  readonly reason: string;
}
