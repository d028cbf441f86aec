/** A denoiser that draws, on whichever engine runs its schedule. */

import { elementCount } from '../files/tensorFile.ts';
import type { ParameterSet } from '../training/parameters.ts';
import type { Floats } from '../training/products.ts';
import { rowCount } from '../training/tower.ts';
import type { CrossAttention, DenoiserRoom } from './denoiser.ts';
import { type DenoiserConfig, sideOf } from './denoiserConfig.ts';
import type { DenoiserBatch, DenoiserSchedule } from './denoiserSchedule.ts';
import { picturesToRows } from './gridLayers.ts';
import { timeEmbedding } from './timeEmbedding.ts';

/** Noisy pictures, and what the denoiser is told of each. S is a picture's side. */
export interface NoisyPictures {
  /** [B, 4, S, S], x = (1 − t) · clean + t · noise. */
  readonly x: ArrayLike<number>;
  /** [B], 1 for noise alone and 0 for clean. */
  readonly times: ArrayLike<number>;
  /** [Σ T_b, d] Rows of the text tower after its final LayerNorm, picture by picture. */
  readonly context: ArrayLike<number>;
  /** [B], T_b */
  readonly lengths: ArrayLike<number>;
}

/** Views that the next call writes over. */
export interface Prediction {
  /** [B, 4, S, S], −1 … 1 */
  readonly clean: Floats;
  /** Layer by layer in the order in which they run, of each picture; empty where nobody asked. */
  readonly looks: readonly (readonly CrossAttention[])[];
}

export interface DenoiserEngine {
  readonly config: DenoiserConfig;
  /** Largest batch that it has room for. */
  readonly room: DenoiserRoom;
  /**
   * Predicts clean pictures. `asksLooks`: whether it tells where pixels look. Calls run one at a time. Throws RangeError for a larger
   * batch than there is room for; rejects where the engine fails.
   */
  predict(noisy: NoisyPictures, asksLooks?: boolean): Prediction | Promise<Prediction>;
  /** Frees what the engine holds outside of JavaScript's own memory. */
  destroy(): void;
}

/** An engine whose weights are filled after it is made. */
export interface FillableEngine extends DenoiserEngine {
  readonly parameters: ParameterSet;
}

/** Sizes of a batch. Throws RangeError where there is no room for it. */
export function batchOf({ times, lengths }: NoisyPictures, room: DenoiserRoom): DenoiserBatch {
  const batch = { pictures: times.length, contextRows: rowCount(lengths) };
  if (batch.pictures > room.B || batch.contextRows > room.B * room.T)
    throw new RangeError(
      `There are ${batch.pictures} pictures of ${batch.contextRows} rows; there is room for ${room.B} of ${room.T} each.`,
    );
  return batch;
}

/** The largest batch of a room. */
export const largestBatch = ({ B, T }: DenoiserRoom): DenoiserBatch => ({ pictures: B, contextRows: B * T });

/** Writes a schedule's inputs, but for `starts`, into arrays that are theirs by name. */
export function writeInputs(
  { x, times, context }: NoisyPictures,
  config: DenoiserConfig,
  inputs: Readonly<Record<'pixels' | 'waves' | 'context', Floats>>,
): void {
  picturesToRows(inputs.pixels, x, { B: times.length, side: sideOf(config, 0) });
  timeEmbedding(inputs.waves, times);
  inputs.context.set(context);
}

/** [B + 1] The first row of each picture's condition, and the row after the last. */
export function startsOf(lengths: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array(lengths.length + 1);
  for (let b = 0; b < lengths.length; b++) starts[b + 1] = starts[b] + lengths[b];
  return starts;
}

/** Says where the pixels of each picture look; `read` gives the tensors of probabilities by name. */
export function looksOf(
  { steps, tensors }: DenoiserSchedule,
  lengths: ArrayLike<number>,
  read: (name: string) => Floats,
): CrossAttention[][] {
  const starts = startsOf(lengths);
  return Array.from({ length: lengths.length }, (_, b) =>
    steps.flatMap((step) => {
      if (step.operation !== 'cross_attention') return [];
      const [, P, heads] = tensors.get(step.queries)!.shape;
      const all = read(step.probabilities);
      const probabilities = all.subarray(heads * P * starts[b], heads * P * starts[b + 1]);
      return [{ name: step.label, side: Math.sqrt(P), heads, T: lengths[b], probabilities }];
    }),
  );
}

/** Numbers of a tensor of the schedule. */
export const countOf = ({ tensors }: DenoiserSchedule, name: string) => elementCount(tensors.get(name)!.shape);

/**
 * An engine that goes on with another from the call on in which it fails, whatever the reason; `other` makes that one. Its looks and
 * pictures are the same, up to rounding.
 */
export function withSubstitute(engine: DenoiserEngine, other: () => Promise<DenoiserEngine>): DenoiserEngine {
  let running: Promise<DenoiserEngine> | null = null;
  return {
    config: engine.config,
    room: engine.room,
    async predict(noisy, asksLooks) {
      if (!running)
        try {
          return await engine.predict(noisy, asksLooks);
        } catch (error) {
          console.warn('The denoiser goes on with another engine:', error);
          engine.destroy();
          running = other();
        }
      return (await running).predict(noisy, asksLooks);
    },
    destroy() {
      engine.destroy();
      running?.then((substitute) => substitute.destroy()).catch(() => {});
    },
  };
}
