/** A denoiser that draws, on whichever engine runs its schedule. */

import { elementCount } from '../files/tensorFile.ts';
import type { ParameterSet } from '../training/parameters.ts';
import type { Floats } from '../training/products.ts';
import type { ContextSlots } from './contextSlots.ts';
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
  /**
   * [B] Rows of the text tower after its final LayerNorm, [T_b, d]. An array that comes again has the same rows: an engine keeps what it
   * computed of them.
   */
  readonly contexts: readonly Floats[];
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
  /** Largest batch that it has room for: so many pictures, each with up to so many rows of condition. */
  readonly room: DenoiserRoom;
  /**
   * Predicts clean pictures. `asksLooks`: whether it tells where pixels look. Calls run one at a time. Throws RangeError for a larger
   * batch, or a longer condition, than there is room for; rejects where the engine fails.
   */
  predict(noisy: NoisyPictures, asksLooks?: boolean): Prediction | Promise<Prediction>;
  /** Frees what the engine holds outside of JavaScript's own memory. */
  destroy(): void;
}

/** An engine whose weights are filled after it is made, before it predicts. */
export interface FillableEngine extends DenoiserEngine {
  readonly parameters: ParameterSet;
}

/** Conditions that are kept: those of two of the largest batches, and for a single picture those of four texts of a schedule. */
const keptContexts = ({ B }: DenoiserRoom) => 2 * B + 2;

/** [B] T_b, rows of each picture's condition. */
const lengthsOf = ({ contexts }: NoisyPictures, { contextWidth }: DenoiserConfig) =>
  contexts.map((rows) => rows.length / contextWidth);

/** Sizes of a batch. Throws RangeError where there is no room for it. */
export function batchOf(noisy: NoisyPictures, config: DenoiserConfig, room: DenoiserRoom): DenoiserBatch {
  const pictures = noisy.times.length;
  const longest = Math.max(...lengthsOf(noisy, config));
  if (pictures > room.B || longest > room.T)
    throw new RangeError(
      `There are ${pictures} pictures of up to ${longest} rows; there is room for ${room.B} of ${room.T}.`,
    );
  return { ...largestBatch(room), pictures };
}

/** The largest batch of a room. */
export const largestBatch = (room: DenoiserRoom): DenoiserBatch => ({
  pictures: room.B,
  contexts: keptContexts(room),
  contextRows: room.T,
});

/** Writes the inputs of pictures into arrays that are theirs by name. */
export function writeInputs(
  { x, times }: NoisyPictures,
  config: DenoiserConfig,
  inputs: Readonly<Record<'pixels' | 'waves', Floats>>,
): void {
  picturesToRows(inputs.pixels, x, { B: times.length, side: sideOf(config, 0) });
  timeEmbedding(inputs.waves, times);
}

/** [B, 2] The input `places` of pictures whose conditions lie in these slots. */
export function placesOf(
  noisy: NoisyPictures,
  config: DenoiserConfig,
  { T }: DenoiserRoom,
  { slots }: ContextSlots,
): Uint32Array<ArrayBuffer> {
  const lengths = lengthsOf(noisy, config);
  return Uint32Array.from(slots.flatMap((slot, b) => [slot * T, lengths[b]]));
}

/** Says where the pixels of each picture look; `read` gives the tensors of probabilities by name. */
export function looksOf(
  { steps, tensors }: DenoiserSchedule,
  noisy: NoisyPictures,
  config: DenoiserConfig,
  read: (name: string) => Floats,
): CrossAttention[][] {
  return lengthsOf(noisy, config).map((T, b) =>
    steps.flatMap((step) => {
      if (step.operation !== 'cross_attention') return [];
      const [, P, heads] = tensors.get(step.queries)!.shape;
      const [, room] = tensors.get(step.probabilities)!.shape;
      const probabilities = read(step.probabilities).subarray(b * room, b * room + heads * P * T);
      return [{ name: step.label, side: Math.sqrt(P), heads, T, probabilities }];
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
