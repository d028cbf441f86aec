import type { LiveMeasures } from '../../training/liveMeasures.ts';
import type { LiveKnobs, LiveSettings, LiveStep } from '../../training/liveRun.ts';
import type { AttentionByLayer } from '../../training/pooledAttention.ts';
import type { Call } from '../threadCalls.ts';

/** N pairs, for a person to look at. */
export interface LabBatch {
  readonly captions: readonly string[];
  /** [N], the first row with the very same caption: itself, or an earlier one. */
  readonly alike: Uint32Array;
  /** [N, S, S, 4] RGBA */
  readonly pictures: Uint8ClampedArray<ArrayBuffer>;
}

/** A model's answer to one batch. */
export interface LabFrame {
  /** Steps that the model had learned from. */
  readonly step: number;
  /** The batch; absent where it is that of the frame before. */
  readonly batch?: LabBatch;
  readonly E: number;
  /** [N, E] */
  readonly u: Float64Array;
  /** [N, E] */
  readonly v: Float64Array;
  /** [N, N], ⟨u, v⟩ */
  readonly cosines: Float64Array;
  /** −ln τ and SigLIP's bias. */
  readonly logScale: number;
  readonly bias: number;
}

export interface LabStarted {
  readonly parameters: number;
  readonly frame: LabFrame;
}

/** One batch that is never learned from, or that of the last step, as it was before the step. */
export type WatchedBatch = 'fixed' | 'step';

export interface TrainRequest {
  readonly knobs: LiveKnobs;
  /** The most steps to make. */
  readonly steps: number;
  /** No step begins later than this after the first. */
  readonly milliseconds: number;
  readonly watched: WatchedBatch;
}

export interface Trained {
  readonly steps: readonly LiveStep[];
  readonly measured: readonly LiveMeasures[];
  readonly frame: LabFrame;
}

/** Texts and pictures that a person made. */
export interface EmbedRequest {
  readonly texts: readonly string[];
  /** [B, 3, S, S], −1 … 1 */
  readonly pictures: Float32Array;
}

/** The model's answer to texts and pictures. */
export interface Embedded {
  /** Steps that the model had learned from. */
  readonly step: number;
  readonly E: number;
  /** [texts, E] and [B, E], rows of length 1. */
  readonly texts: Float64Array;
  readonly pictures: Float64Array;
  readonly logScale: number;
}

/** One caption and one picture [3, S, S], −1 … 1. */
export interface LookRequest {
  readonly caption: string;
  readonly picture: Float32Array;
}

/** Places that the model looks at as it reads both. */
export interface Look {
  /** Steps that the model had learned from. */
  readonly step: number;
  /** The caption's tokens as they are written, BOS and EOS among them. */
  readonly tokens: readonly string[];
  /** The attention of the EOS to the tokens. */
  readonly caption: AttentionByLayer;
  /** The attention of the class token to itself, then to the patches. */
  readonly picture: AttentionByLayer;
}

/** Every call that the page can make to the lab's worker. */
export interface LabCalls {
  /** Begins a run, and forgets the one before. `merges` is the address of CLIP's merges. */
  start: Call<{ readonly settings: LiveSettings; readonly merges: string }, LabStarted>;
  /** Makes at least one step. Where it is cancelled it answers after the step under way. */
  train: Call<TrainRequest, Trained>;
  /** Embeds by the model as it is, between two calls that train it. */
  embed: Call<EmbedRequest, Embedded>;
  /** Reads one caption and one picture by the model as it is, and tells where it looks. */
  look: Call<LookRequest, Look>;
}
