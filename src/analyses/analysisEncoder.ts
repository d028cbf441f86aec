/** The encoder as analyses ask it: an argument of each of them, so that float64 loops and an engine can stand for it. */
import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import type { LayerTensors, ResumedRows } from '../clip/layerTensors.ts';

/** Ways to switch a head off. `zero`: it adds nothing. `uniform`: it attends alike to all keys that the mask lets it see. */
export const headAblations = ['zero', 'uniform'] as const;
export type HeadAblation = (typeof headAblations)[number];

/** A part of the encoder that is switched off: a head, or the MLP of a layer. An MLP that is off adds nothing, whichever way heads are. */
export interface SwitchedOff {
  readonly layer: number;
  /** Null stands for the MLP. */
  readonly head: number | null;
  readonly way: HeadAblation;
}

/** Answers in float32 or float64; rejects with the signal's reason once nobody waits. L, N, d as in clip/config.ts. */
export interface AnalysisEncoder {
  readonly config: ClipTextConfig;
  /** The rows that weights act on, [L, d] each: after the final LayerNorm, with clip skip applied. */
  rows(passes: readonly EncoderPass[]): Promise<readonly ArrayLike<number>[]>;
  /** The residual stream of each pass before each layer and after the last, N + 1 of [L, d]. */
  states(passes: readonly EncoderPass[]): Promise<readonly (readonly ArrayLike<number>[])[]>;
  /** The final LayerNorm of rows [·, d]. */
  finalNorm(rows: ArrayLike<number>): ArrayLike<number>;
  /** Every tensor of one layer. */
  layer(pass: EncoderPass, layer: number): Promise<LayerTensors>;
  /** Multiplies outputs of a layer's heads, side by side [L, d], by W_O, without the bias. */
  project(layer: number, attended: Float32Array): Promise<ArrayLike<number>>;
  /** Goes on from a layer's input, or from what its heads give, with other numbers than the encoder's own; answers as `rows` does. */
  resume(pass: EncoderPass, layer: number, given: ResumedRows): Promise<ArrayLike<number>>;
}
