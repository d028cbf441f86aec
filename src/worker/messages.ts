import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encode.ts';

/** What can be loaded: made-up weights, or a file the person chose. */
export type ModelRequest =
  | { readonly kind: 'synthetic'; readonly size: 'full' | 'tiny' }
  | { readonly kind: 'file'; readonly file: File };

export interface ModelInfo {
  readonly name: string;
  /** True where the weights are made up and the numbers mean nothing. */
  readonly random: boolean;
  readonly config: ClipTextConfig;
  /** Of the weights, as weightsHash.ts makes it; absent for made-up ones, and on a page that is not secure. */
  readonly sha256?: string;
  /** Storage types of the layers' weights, as in the file: "F16". */
  readonly dtype: string;
  /** Bytes held on the GPU. */
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
  readonly dispatches: number;
}

/** Bytes (or elements made up) so far, of how many. */
export interface LoadProgress {
  readonly done: number;
  readonly total: number;
}

export type ToWorker =
  | { readonly type: 'start'; readonly id: number }
  | { readonly type: 'load'; readonly id: number; readonly model: ModelRequest }
  | { readonly type: 'cancel'; readonly id: number }
  | {
      readonly type: 'encode';
      readonly id: number;
      readonly passes: readonly EncoderPass[];
      readonly want: EncoderWant;
    };

export type FromWorker =
  | { readonly type: 'started'; readonly id: number; readonly adapter: AdapterInfo }
  | { readonly type: 'progress'; readonly id: number; readonly progress: LoadProgress }
  | { readonly type: 'loaded'; readonly id: number; readonly model: ModelInfo }
  | {
      readonly type: 'encoded';
      readonly id: number;
      readonly outputs: readonly EncoderOutput[];
      readonly stats: EncodeStats;
    }
  | { readonly type: 'failed'; readonly id: number; readonly name: string; readonly message: string }
  /** The GPU went away; the next load starts afresh. */
  | { readonly type: 'lost'; readonly message: string };
