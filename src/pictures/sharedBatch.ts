/**
 * A batch of a training run in memory that threads share, and the gradients of its parts. Parts are summed in their order, so that a run
 * has the same bits whoever computes them.
 */

import { contextLength } from '../tokens/clipVocabulary.ts';
import { pictureLength } from '../world/render.ts';
import { type Denoiser, denoise, denoiseBackward } from './denoiser.ts';
import { flowLoss } from './flowMatching.ts';

export interface BatchSizes {
  readonly parts: number;
  /** Pictures of a part. */
  readonly pictures: number;
  /** d, numbers of a row of the condition. */
  readonly contextWidth: number;
  /** P, numbers of a denoiser. */
  readonly parameters: number;
}

/** B = parts · pictures. */
export interface SharedBatch {
  readonly sizes: BatchSizes;
  readonly memory: SharedArrayBuffer;
  /** [B, 3, S, S] each. */
  readonly clean: Float32Array;
  readonly noisy: Float32Array;
  /** [B, 77, d] */
  readonly context: Float32Array;
  /** [B] */
  readonly times: Float64Array;
  /** [P] */
  readonly parameters: Float32Array;
  /** [parts, P], of the mean loss of a part. */
  readonly gradients: Float32Array;
  /** [parts] */
  readonly losses: Float64Array;
}

/** Views a batch in a memory, or in a new one. */
export function sharedBatch(sizes: BatchSizes, memory?: SharedArrayBuffer): SharedBatch {
  const { parts, pictures, contextWidth, parameters: P } = sizes;
  const B = parts * pictures;
  const lengths = [B * pictureLength, B * pictureLength, B * contextLength * contextWidth, P, parts * P];
  const floats = lengths.reduce((sum, length) => sum + length, 0);
  const doubles = B + parts;
  const shared = memory ?? new SharedArrayBuffer(8 * doubles + 4 * floats);
  let at = 8 * doubles;
  const [clean, noisy, context, parameters, gradients] = lengths.map((length) => {
    const view = new Float32Array(shared, at, length);
    at += 4 * length;
    return view;
  });
  return {
    ...{ sizes, memory: shared, clean, noisy, context, parameters, gradients },
    times: new Float64Array(shared, 0, B),
    losses: new Float64Array(shared, 8 * B, parts),
  };
}

/** Computes a part's loss and gradient, by a denoiser that has the batch's parameters. */
export function computePart(model: Denoiser, batch: SharedBatch, part: number): void {
  const { pictures, contextWidth, parameters: P } = batch.sizes;
  const [first, end] = [part * pictures, (part + 1) * pictures];
  const of = <Values extends Float32Array | Float64Array>(values: Values, n: number) =>
    values.subarray(first * n, end * n) as Values;
  const clean = of(batch.clean, pictureLength);
  const times = of(batch.times, 1);
  const lengths = new Int32Array(pictures).fill(contextLength);
  const context = of(batch.context, contextLength * contextWidth);
  const predicted = denoise(model, of(batch.noisy, pictureLength), times, context, lengths);
  const dpredicted = new Float32Array(clean.length);
  batch.losses[part] = flowLoss(dpredicted, predicted, clean, times);
  denoiseBackward(model, dpredicted);
  batch.gradients.set(model.parameters.gradients, part * P);
}

/** Writes the mean of the parts' gradients to the denoiser's, and returns the mean of their losses. */
export function meanOfParts({ parameters: { gradients } }: Denoiser, batch: SharedBatch): number {
  const { parts, parameters: P } = batch.sizes;
  gradients.fill(0);
  for (let part = 0; part < parts; part++)
    for (let i = 0; i < P; i++) gradients[i] += batch.gradients[part * P + i] / parts;
  return batch.losses.reduce((sum, loss) => sum + loss, 0) / parts;
}
