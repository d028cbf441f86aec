import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import type { Profile, RowSpan } from '../gpu/profile.ts';
import type { Drift, Examination } from '../models/doctor.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import type { ConditioningFile } from '../road/export/conditioningFile.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type {
  AdapterInfo,
  EncodeStats,
  FileRequest,
  LoadProgress,
  LoraInfo,
  LoraUse,
  ModelInfo,
  ModelRequest,
  StoredModels,
} from '../worker/messages.ts';
import type { PastPrompts } from './history.ts';
import type { Remembered, Side, Work } from './remembered.ts';

/** Which of the encoder's states a picture shows: an index into `hidden_states`, or the state after the final LayerNorm. */
export type Stage = number | 'last';

/** What was replaced, so that it can be taken back. */
export interface Replacement {
  /** One sentence: what came from where. */
  readonly message: string;
  readonly before: Partial<Work>;
  readonly after: Partial<Work>;
}

/** A download that was asked for on this visit, until it is whole or given up. */
export interface Download {
  readonly file: ModelFile;
  readonly phase: 'running' | 'paused' | 'failed';
  readonly progress: DownloadProgress | null;
  /** Why it failed, in one sentence. */
  readonly message?: string;
  /** Of the error, as the worker told. */
  readonly fault?: string;
}

/** The copying of an opened file's encoder into the browser, until it is done or given up. */
export interface Keeping {
  readonly file: File;
  /** See keptSource. */
  readonly source: string;
  readonly progress: DownloadProgress | null;
  /** Why it ended, in one sentence, and of the error, as the worker told. */
  readonly failure: { readonly message: string; readonly fault?: string } | null;
}

/** A LoRA that was opened, which every model has read anew. */
export interface OpenedLora {
  readonly file: File;
  /** Null while it is read for the model in use, and where it cannot be used with it. */
  readonly info: LoraInfo | null;
  /** Why it cannot, in one sentence. */
  readonly problem: string | null;
}

export interface EncodedPass {
  /** With attentions and all hidden states where a picture showed it; else what the weighting reads. */
  readonly output: EncoderOutput;
  readonly stats: EncodeStats;
  /** The facts' `revision` that it was encoded for. */
  readonly revision: number;
}

/** What takes a while. */
export type Task<T> =
  | { readonly phase: 'running'; readonly progress: LoadProgress | null }
  | { readonly phase: 'done'; readonly result: T }
  | { readonly phase: 'failed'; readonly message: string };

/** A checkpoint looked over, and another it is compared with. */
export interface ExaminedCheckpoint {
  readonly request: FileRequest;
  readonly task: Task<Examination>;
  readonly other: { readonly request: FileRequest; readonly task: Task<Drift> } | null;
}

/** The tensors that the anatomy panel wants: of one layer (see `layerTensorShapes`) of the chunk on show. */
export interface Inspection {
  readonly config: ClipTextConfig;
  readonly pass: EncoderPass;
  readonly loras: readonly LoraUse[];
  readonly layer: number;
}

/** Tensors that were read back last, or are being read back. */
export interface Inspected {
  readonly inspection: Inspection;
  readonly task: Task<LayerTensors>;
}

export interface Notice {
  readonly id: number;
  readonly message: string;
}

export interface Facts extends Remembered {
  readonly tokenizer:
    | { readonly phase: 'loading' }
    /** The road is loaded by then: see road.ts. */
    | { readonly phase: 'ready'; readonly tokenizer: Tokenizer }
    | { readonly phase: 'failed'; readonly message: string };
  readonly adapter:
    | { readonly phase: 'starting' }
    | { readonly phase: 'ready'; readonly info: AdapterInfo }
    | { readonly phase: 'missing'; readonly message: string };
  /** The model in use; it stays while another loads, and when that fails. */
  readonly model: ModelInfo | null;
  /**
   * SHA-256 of `model`'s weights (weightsHash.ts): null until it is known, a moment after the load; undefined for made-up
   * weights, on a page that is not secure, and where the file is gone by then.
   */
  readonly weightsHash: string | null | undefined;
  /** What `model` was loaded from. */
  readonly modelRequest: ModelRequest | null;
  readonly loading: {
    readonly request: ModelRequest;
    readonly progress: LoadProgress | null;
    /** It ends as soon as what is under way is done. */
    readonly isCancelled: boolean;
  } | null;
  /** The checkpoint opened last, so that one can come back to it. */
  readonly file: File | null;
  /** Null until the worker told. */
  readonly stored: StoredModels | null;
  /** By the id of what is downloaded. */
  readonly downloads: ReadonlyMap<string, Download>;
  readonly keeping: Keeping | null;
  /** Why the GPU went away, until a model is loaded again. */
  readonly lost: string | null;
  /** By the name that prompts call them by: their files', without the ending. */
  readonly loras: ReadonlyMap<string, OpenedLora>;
  /** Outputs of `model`, by the LoRAs that were merged (`lorasKey`), then by the pass (`keyOf`). */
  readonly encoded: ReadonlyMap<string, ReadonlyMap<string, EncodedPass>>;
  /** Counts the changes of the prompts, of the options and of what is on show. */
  readonly revision: number;
  /** Bytes held on the GPU for `model`. */
  readonly gpuBytes: number;
  /** The pass that is being encoded, once its rows up to EOS are there: the first `ready` are final. */
  readonly started:
    | (EncodedPass & {
        /** The keys of the LoRAs that are merged and of the pass, as in `encoded`. */
        readonly loras: string;
        readonly key: string;
        readonly ready: number;
      })
    | null;
  /** What the pictures need encoded beyond the prompt's own conditioning, by who needs it: last hidden states alone. */
  readonly needed: ReadonlyMap<string, readonly EncoderPass[]>;
  /** The last encode that failed, by the keys of its passes. */
  readonly encodeFailure: { readonly keys: string; readonly message: string } | null;
  readonly notices: readonly Notice[];
  /** The last replacement, until it is taken back or dismissed. */
  readonly replaced: Replacement | null;
  /** The file of conditionings that the prompts are compared with. */
  readonly compared: ConditioningFile | null;
  /** The checkpoint looked over last. */
  readonly examined: ExaminedCheckpoint | null;
  /** The tensors of one layer of `model` that were read back last. */
  readonly inspected: Inspected | null;
  /** The encode that was timed last; of `model`. */
  readonly profiled: { readonly rows: RowSpan; readonly task: Task<Profile> } | null;
  /** Textual inversions opened on this visit, of whatever width; no two of one name. */
  readonly embeddings: readonly Embedding[];
  /** Prompts worked on before, the newest first. */
  readonly past: readonly PastPrompts[];
  /** Which prompt the pictures show. */
  readonly side: Side;
  /** Which of its chunks, from 0. May exceed what there is: see `shownChunk`. */
  readonly chunk: number;
  /** From 0. May exceed what the model has: see `selectHead`. */
  readonly layer: number;
  readonly head: number;
  readonly stage: Stage;
  /** Whether a text that Compel blends or weighs as a whole is shown by itself, not in its conditioning. */
  readonly textAlone: boolean;
  /** The word whose merges are shown. */
  readonly word: string;
}

/** What messages call a model before it is loaded. */
export function requestName(request: ModelRequest): string {
  if (request.kind === 'file') return request.file.name;
  if (request.kind === 'stored') return request.name;
  return request.size === 'full' ? 'synthetic (random weights)' : 'synthetic-tiny (random weights)';
}
