import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import type { WeightRow, WeightRowPart } from '../gpu/inspect.ts';
import type { Profile, RowSpan } from '../gpu/profile.ts';
import type { Drift, Examination } from '../models/doctor.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import type { StoragePlace } from '../models/library/storageFiles.ts';
import type { LeftOut, LoraEffect } from '../models/loraFile.ts';

/** What can be loaded: made-up weights, a file the person chose, or one that was downloaded. */
export type ModelRequest =
  | { readonly kind: 'synthetic'; readonly size: 'full' | 'tiny' }
  | { readonly kind: 'file'; readonly file: File }
  | { readonly kind: 'stored'; readonly model: string; readonly name: string };

/** What can be looked over: what has a file. */
export type FileRequest = Exclude<ModelRequest, { readonly kind: 'synthetic' }>;

export interface ModelInfo {
  readonly name: string;
  /** True where the weights are made up and the numbers mean nothing. */
  readonly random: boolean;
  readonly config: ClipTextConfig;
  /** Storage types of the layers' weights, as in the file: "F16". */
  readonly dtype: string;
  /** Bytes held on the GPU when it is loaded: an encode tells of what has come since. */
  readonly gpuBytes: number;
  /** Weight and bias of the final LayerNorm, [d] each, which clip skip applies to an inner hidden state. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
}

export interface AdapterInfo {
  readonly description: string;
  readonly software: boolean;
}

export interface EncodeStats {
  readonly milliseconds: number;
  readonly rowsComputed: number;
  readonly rowsTotal: number;
}

/** Bytes (or elements made up) so far, of how many. */
export interface LoadProgress {
  readonly done: number;
  readonly total: number;
}

/** What was downloaded, whole or in part, and where the browser keeps it. */
export interface StoredModels {
  readonly place: StoragePlace;
  /** Newest first. */
  readonly models: readonly StoredModel[];
  /** Bytes for which there is room, as far as the browser tells. */
  readonly free: number | null;
  /** Whether the browser will keep it when the disk fills up. */
  readonly persisted: boolean;
}

/** A LoRA that the worker holds for the model in use. */
export interface LoraInfo {
  /** What encodes call it by. */
  readonly lora: number;
  /** All ranks among its updates, ascending. */
  readonly ranks: readonly number[];
  /** How far it moves each weight with the multiplier 1; empty where it changes the U-Net alone. */
  readonly effects: readonly LoraEffect[];
  readonly leftOut: LeftOut;
}

/** A LoRA that is merged for an encode, and its multiplier. */
export interface LoraUse {
  readonly lora: number;
  readonly multiplier: number;
}

export type ToWorker =
  | { readonly type: 'start'; readonly id: number }
  | { readonly type: 'load'; readonly id: number; readonly model: ModelRequest }
  /** Of the weights in use: reads them once more, for loading would wait for it. */
  | { readonly type: 'hash'; readonly id: number }
  /**
   * Ends what has this id in an AbortError: a load or an examination at once, an encode after the rows that are being
   * computed, a download with what has arrived kept, a copy without leaving anything.
   */
  | { readonly type: 'cancel'; readonly id: number }
  | {
      readonly type: 'encode';
      readonly id: number;
      readonly passes: readonly EncoderPass[];
      readonly want: EncoderWant;
      /** These, and no others. */
      readonly loras: readonly LoraUse[];
      /** Whether to tell of the rows up to EOS before the padding is computed. */
      readonly rowsFirst: boolean;
      /** Passes whose rows a later edit will want, the most important first. */
      readonly alsoNeeded: readonly EncoderPass[];
    }
  | { readonly type: 'examine'; readonly id: number; readonly model: FileRequest }
  | { readonly type: 'drift'; readonly id: number; readonly from: FileRequest; readonly to: FileRequest }
  /** Held until another model is loaded. */
  | { readonly type: 'addLora'; readonly id: number; readonly file: File }
  | { readonly type: 'removeLora'; readonly id: number; readonly lora: number }
  /** Times each step of a pass's rows `first` to `end`. */
  | { readonly type: 'profile'; readonly id: number; readonly pass: EncoderPass; readonly rows: RowSpan }
  /** Reads back every tensor of one layer. */
  | {
      readonly type: 'inspect';
      readonly id: number;
      readonly pass: EncoderPass;
      readonly layer: number;
      /** Merged for it; without them those of the encode before stay. */
      readonly loras?: readonly LoraUse[];
    }
  /** Reads back one row of a weight, with the LoRAs of the encode before. */
  | {
      readonly type: 'weightRow';
      readonly id: number;
      readonly layer: number;
      readonly part: WeightRowPart;
      readonly row: number;
    }
  | { readonly type: 'models'; readonly id: number }
  | { readonly type: 'download'; readonly id: number; readonly file: ModelFile }
  /** Copies a file's encoder into the storage, under this source; told of and answered as a download is. */
  | { readonly type: 'keep'; readonly id: number; readonly file: File; readonly source: string }
  /** Answered by the models that are left. */
  | { readonly type: 'deleteModel'; readonly id: number; readonly model: string };

export type FromWorker =
  | { readonly type: 'started'; readonly id: number; readonly adapter: AdapterInfo }
  | { readonly type: 'progress'; readonly id: number; readonly progress: LoadProgress }
  | { readonly type: 'loaded'; readonly id: number; readonly model: ModelInfo }
  /** As weightsHash.ts makes it; undefined on a page that is not secure. */
  | { readonly type: 'hashed'; readonly id: number; readonly sha256: string | undefined }
  | {
      /** The rows up to EOS, of all passes; the others are zeros, and follow. */
      readonly type: 'rows';
      readonly id: number;
      readonly outputs: readonly EncoderOutput[];
      /** How many rows of each pass are computed. */
      readonly ready: readonly number[];
      readonly stats: EncodeStats;
    }
  | {
      readonly type: 'encoded';
      readonly id: number;
      readonly outputs: readonly EncoderOutput[];
      readonly stats: EncodeStats;
      /** Bytes held on the GPU by now. */
      readonly gpuBytes: number;
    }
  | { readonly type: 'examining'; readonly id: number; readonly progress: LoadProgress }
  | { readonly type: 'examined'; readonly id: number; readonly examination: Examination }
  | { readonly type: 'drifted'; readonly id: number; readonly drift: Drift }
  | { readonly type: 'loraAdded'; readonly id: number; readonly info: LoraInfo }
  | { readonly type: 'profiled'; readonly id: number; readonly profile: Profile }
  | { readonly type: 'inspected'; readonly id: number; readonly tensors: LayerTensors }
  | { readonly type: 'weightRow'; readonly id: number; readonly row: WeightRow }
  | { readonly type: 'models'; readonly id: number; readonly stored: StoredModels }
  | { readonly type: 'downloading'; readonly id: number; readonly progress: DownloadProgress }
  | { readonly type: 'downloaded'; readonly id: number; readonly model: StoredModel }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly name: string;
      readonly message: string;
      /** Of a DownloadError or StorageError: which of the things that can go wrong. */
      readonly fault?: string;
    }
  /** The GPU went away; the next load starts afresh. */
  | { readonly type: 'lost'; readonly message: string };
