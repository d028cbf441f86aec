import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import type { Profile, RowSpan } from '../engine/profile.ts';
import type { Drift, Examination } from '../models/doctor.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import type { DownloadProgress } from '../models/library/download.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import { smallModelName } from '../models/smallModel.ts';
import type { Side } from '../prompt/side.ts';
import type { ConditioningFile } from '../road/export/conditioningFile.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type {
  EncodeStats,
  FileRequest,
  LoadProgress,
  LoraInfo,
  LoraUse,
  Lost,
  ModelInfo,
  ModelRequest,
  StoredModels,
} from '../worker/messages.ts';
import type { PastPrompts } from './history.ts';
import type { NewerBuild } from './offline.ts';
import type { Remembered, Work } from './remembered.ts';
import type { ShownParts } from './shownParts.ts';
import type { View } from './view.ts';

/** The encoder state that a picture shows: an index into `hidden_states`, or the state after the final LayerNorm. */
export type Stage = number | 'last';

/** Prompts and options that were opened or pasted, as one program reads them. */
export interface Reading {
  /** The button that takes it in place of another reading. */
  readonly label: string;
  /** The sentence that says what came from where. */
  readonly message: string;
  readonly after: Partial<Work>;
}

/** A replacement of prompts or options, which can be taken back. */
export interface Replacement extends Omit<Reading, 'label'> {
  readonly before: Partial<Work>;
  /** Two readings of what was opened: the one that was taken, and the one that can be taken instead. */
  readonly readings?: readonly [Reading, Reading];
}

/** A download that was asked for on this visit, until it is whole or given up. */
export interface Download {
  readonly file: ModelFile;
  readonly phase: 'running' | 'paused' | 'failed';
  readonly progress: DownloadProgress | null;
  /** The sentence that says why it failed. */
  readonly message?: string;
  /** The error's fault, as the worker reports it. */
  readonly fault?: string;
}

/** The copying of an opened file's encoder into the browser, until it is done or given up. */
export interface Keeping {
  readonly file: File;
  /** The name under which it is stored: see keptSource. */
  readonly source: string;
  readonly progress: DownloadProgress | null;
  /** The sentence that says why it ended, and the error's fault, as the worker reports it. */
  readonly failure: { readonly message: string; readonly fault?: string } | null;
}

/** A LoRA that was opened; it is read anew for every model. */
export interface OpenedLora {
  readonly file: File;
  /** Text of the `adapter_config.json` that was opened with it. */
  readonly adapterConfig?: string;
  /** The LoRA as the model in use reads it; null while it is read, and where it cannot be used with that model. */
  readonly info: LoraInfo | null;
  /** The sentence that says why it cannot be used. */
  readonly problem: string | null;
}

export interface EncodedPass {
  /** The states: all of them with attentions where a picture showed the pass, else those that the weighting reads. */
  readonly output: EncoderOutput;
  readonly stats: EncodeStats;
  /** The facts' `revision` that it was encoded for. */
  readonly revision: number;
}

/** Work that takes a while. */
export type Task<T> =
  | { readonly phase: 'running'; readonly progress: LoadProgress | null }
  | { readonly phase: 'done'; readonly result: T }
  | { readonly phase: 'failed'; readonly message: string };

/** An analysis that was asked for; `done` counts the passes of the encoder that it has had. */
export type AnalysisTask =
  | { readonly phase: 'running'; readonly done: number }
  | { readonly phase: 'done'; readonly result: unknown }
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

/**
 * Remedy that the notice offers: to load a model, or to open a file, in another way, to examine a damaged one, or to look for the
 * GPU again.
 */
export type Offer = { readonly label: string } & (
  | { readonly request: ModelRequest }
  | { readonly file: File }
  | { readonly damaged: FileRequest }
  | { readonly retriesGpu: true }
);

export interface Notice {
  readonly id: number;
  readonly message: string;
  readonly offer?: Offer;
  /** The fault of the page that it tells of, so that a report of it can be copied. */
  readonly fault?: Fault;
}

/** Everything that a prompt is read from. */
export interface ReadingInput {
  readonly prompt: string;
  readonly options: PromptOptions;
  readonly tokenizer: Tokenizer;
  /** The textual inversions of the model's width. */
  readonly embeddings: readonly Embedding[];
}

/** A long prompt's reading, and what it is of: it is in use as long as that is what the page has. */
export interface LongReading {
  readonly input: ReadingInput;
  readonly prepared: PreparedPrompt;
}

/** Something that went wrong in the page's own code. */
export interface Fault {
  /** The part of the page that it went wrong in, as the page calls it. */
  readonly place: string;
  readonly error: Error;
}

export interface Facts extends Remembered {
  /** The remembered prompts and options that are not in use, because the last visit stopped at them; null where there are none. */
  readonly putAside: Work | null;
  readonly tokenizer:
    | { readonly phase: 'loading' }
    /** The road is loaded by then: see road.ts. */
    | { readonly phase: 'ready'; readonly tokenizer: Tokenizer }
    | { readonly phase: 'failed'; readonly message: string };
  /** The readings of long prompts that have arrived (longReading.ts); null where there is none. */
  readonly longReadings: Readonly<Record<Side, LongReading | null>>;
  /** The sentence that says why the engine that was chosen cannot run; null where it can, and while a model is in use. */
  readonly noEngine: string | null;
  /** The model in use; it stays while another loads, and when that fails. */
  readonly model: ModelInfo | null;
  /**
   * SHA-256 of `model`'s weights (weightsHash.ts): null until it is known, a moment after the load; undefined for made-up
   * weights, on a page that is not secure, and where the file is gone by then.
   */
  readonly weightsHash: string | null | undefined;
  /** The request that `model` was loaded by. */
  readonly modelRequest: ModelRequest | null;
  readonly loading: {
    readonly request: ModelRequest;
    readonly progress: LoadProgress | null;
    /** Whether it was cancelled: it ends as soon as the step under way is done. */
    readonly isCancelled: boolean;
  } | null;
  /** The checkpoint opened last, so that one can come back to it. */
  readonly file: File | null;
  /** Models in the browser's storage; null until the worker has listed them. */
  readonly stored: StoredModels | null;
  /** Downloads, by the file's id. */
  readonly downloads: ReadonlyMap<string, Download>;
  readonly keeping: Keeping | null;
  /** The GPU or the worker that went away with `model`, until one is loaded again; else null. */
  readonly lost: Lost | null;
  /** LoRAs, by the name that prompts call them: their file's, without the ending. */
  readonly loras: ReadonlyMap<string, OpenedLora>;
  /** Outputs of `model`, by the LoRAs that were merged (`lorasKey`), then by the pass (`keyOf`). */
  readonly encoded: ReadonlyMap<string, ReadonlyMap<string, EncodedPass>>;
  /** Counts the changes of the prompts, of the options and of what is on show. */
  readonly revision: number;
  /** Bytes that the engine holds for `model`. */
  readonly heldBytes: number;
  /** The pass that is being encoded, once its rows up to EOS are there: the first `ready` are final. */
  readonly started:
    | (EncodedPass & {
        /** The keys of the LoRAs that are merged and of the pass, as in `encoded`. */
        readonly loras: string;
        readonly key: string;
        readonly ready: number;
      })
    | null;
  /** Passes that pictures need beyond the prompt's own conditioning, by who needs them: their last hidden states alone. */
  readonly needed: ReadonlyMap<string, readonly EncoderPass[]>;
  /** The last encode that failed, by the keys of its passes. */
  readonly encodeFailure: { readonly keys: string; readonly message: string } | null;
  readonly notices: readonly Notice[];
  /** The newer build of the page, once there is one. */
  readonly newerBuild: NewerBuild | null;
  /** The last replacement, until it is taken back or dismissed. */
  readonly replaced: Replacement | null;
  /** The file of conditionings that the prompts are compared with. */
  readonly compared: ConditioningFile | null;
  /** The file whose U-Net is looked at in the place of the model's own. */
  readonly unet: File | null;
  /** The checkpoint looked over last. */
  readonly examined: ExaminedCheckpoint | null;
  /** The tensors of one layer of `model` that were read back last. */
  readonly inspected: Inspected | null;
  /** Analyses of `model`, by their keys: the results kept, and the one under way. */
  readonly analysed: ReadonlyMap<string, AnalysisTask>;
  /** The encode that was timed last; of `model`. */
  readonly profiled: { readonly rows: RowSpan; readonly task: Task<Profile> } | null;
  /** Textual inversions opened on this visit, of whatever width; no two of one name. */
  readonly embeddings: readonly Embedding[];
  /** Prompts worked on before, the newest first. */
  readonly past: readonly PastPrompts[];
  readonly view: View;
  /** The parts of the page on show, as its address has them. */
  readonly parts: ShownParts;
  /** The prompt that the pictures show. */
  readonly side: Side;
  /** Index of its chunk on show. It may exceed what there is: see `shownChunk`. */
  readonly chunk: number;
  /** Indices of the layer and the head on show. They may exceed what the model has: see `shownLayer`, `shownHead`. */
  readonly layer: number;
  readonly head: number;
  readonly stage: Stage;
  /** Whether a text that Compel blends or weighs as a whole is shown by itself, not in its conditioning. */
  readonly textAlone: boolean;
  /** The word whose merges are shown; null for one of the prompt's. */
  readonly word: string | null;
}

/** The name of a model in messages, before it is loaded. */
export function requestName(request: ModelRequest): string {
  if (request.kind === 'small') return smallModelName;
  if (request.kind === 'file') return request.file.name;
  if (request.kind === 'stored') return request.name;
  return request.size === 'full' ? 'made-up weights, full size' : 'made-up weights, tiny';
}
