/**
 * Memory that threads of a training run share: a batch, the gradients of its parts, and the matrices of a step. Each thread takes the next part
 * that nobody has taken. Parts are summed in their order, so that a run has the same bits whoever computes them.
 */

import { contextLength } from '../tokens/clipVocabulary.ts';
import { type Muon, orthogonalDirection } from '../training/muon.ts';
import { pictureSize } from '../world/render.ts';
import { type Denoiser, denoise, denoiseBackward } from './denoiser.ts';
import { drawnLength } from './drawnPicture.ts';
import { flowLoss } from './flowMatching.ts';
import { groundingLoss, isGrounded, objectsAtMost } from './grounding.ts';

export interface BatchSizes {
  readonly parts: number;
  /** Pictures of a part. */
  readonly pictures: number;
  /** d, numbers of a row of the condition. */
  readonly contextWidth: number;
  /** P, numbers of a denoiser. */
  readonly parameters: number;
  /** Weight of the grounding loss of a layer. */
  readonly grounding: number;
}

/** Covers of a picture's objects. */
export const coversLength = objectsAtMost * pictureSize * pictureSize;

/** B = parts · pictures. */
export interface SharedBatch {
  readonly sizes: BatchSizes;
  readonly memory: SharedArrayBuffer;
  /** [B, 4, S, S] each. */
  readonly clean: Float32Array;
  readonly noisy: Float32Array;
  /** [B, 77, d] */
  readonly context: Float32Array;
  /** [B] */
  readonly times: Float64Array;
  /** [B, 2, S²] How much of each pixel an object covers. */
  readonly covers: Float32Array;
  /** [B, 77] The object of which a row tells; −1 for none. */
  readonly objects: Int8Array;
  /** [P] */
  readonly parameters: Float32Array;
  /** [parts, P], of the mean loss of a part. */
  readonly gradients: Float32Array;
  /** [P] Matrices that become orthogonal. */
  readonly directions: Float32Array;
  /** [parts] Means of flow matching's loss, and of the grounding loss with its weight. */
  readonly losses: Float64Array;
  readonly groundingLosses: Float64Array;
  /** [1] How much of the work has been taken. */
  readonly taken: Int32Array;
}

/** Views a batch in a memory, or in a new one. */
export function sharedBatch(sizes: BatchSizes, memory?: SharedArrayBuffer): SharedBatch {
  const { parts, pictures, contextWidth, parameters: P } = sizes;
  const B = parts * pictures;
  const rows = B * contextLength;
  const lengths = [B * drawnLength, B * drawnLength, rows * contextWidth, B * coversLength, P, parts * P, P];
  const floats = lengths.reduce((sum, length) => sum + length, 0);
  const doubles = B + 2 * parts;
  const shared = memory ?? new SharedArrayBuffer(8 * (doubles + 1) + 4 * floats + rows);
  let at = 8 * (doubles + 1);
  const [clean, noisy, context, covers, parameters, gradients, directions] = lengths.map((length) => {
    const view = new Float32Array(shared, at, length);
    at += 4 * length;
    return view;
  });
  return {
    ...{ sizes, memory: shared, clean, noisy, context, covers, parameters, gradients, directions },
    objects: new Int8Array(shared, at, rows),
    times: new Float64Array(shared, 0, B),
    losses: new Float64Array(shared, 8 * B, parts),
    groundingLosses: new Float64Array(shared, 8 * (B + parts), parts),
    taken: new Int32Array(shared, 8 * doubles, 1),
  };
}

/** Work that threads do together: gradients of the batch's parts, then the directions in which matrices go. */
export type SharedWork = 'gradients' | 'directions';

/** Models and memory that a thread works with. */
export interface WorkTools {
  readonly model: Denoiser;
  readonly muon: Muon;
  readonly batch: SharedBatch;
}

/** Does what is left of some work, until all of it is taken. */
export function shareWork({ model, muon, batch }: WorkTools, work: SharedWork): void {
  const { places } = model.parameters;
  const matrices = work === 'directions' ? [...places.values()].filter(({ name }) => muon.isMatrix(name)) : [];
  const count = work === 'directions' ? matrices.length : batch.sizes.parts;
  for (let i = Atomics.add(batch.taken, 0, 1); i < count; i = Atomics.add(batch.taken, 0, 1)) {
    if (work === 'directions') orthogonalDirection(muon, matrices[i], batch.directions);
    else computePart(model, batch, i);
  }
}

/** Computes a part's loss and gradient, by a denoiser that has the batch's parameters. */
function computePart(model: Denoiser, batch: SharedBatch, part: number): void {
  const { pictures, contextWidth, parameters: P, grounding } = batch.sizes;
  const [first, end] = [part * pictures, (part + 1) * pictures];
  const of = <Values extends Float32Array | Float64Array | Int8Array>(values: Values, n: number) =>
    values.subarray(first * n, end * n) as Values;
  const clean = of(batch.clean, drawnLength);
  const times = of(batch.times, 1);
  const lengths = new Int32Array(pictures).fill(contextLength);
  const context = of(batch.context, contextLength * contextWidth);
  const predicted = denoise(model, of(batch.noisy, drawnLength), times, context, lengths);
  const dpredicted = new Float32Array(clean.length);
  batch.losses[part] = flowLoss(dpredicted, predicted, clean, times);
  const [objects, covers] = [of(batch.objects, contextLength), of(batch.covers, coversLength)];
  batch.groundingLosses[part] = 0;
  denoiseBackward(model, dpredicted, (probabilities, side, b) => {
    const ground = {
      objects: objects.subarray(b * contextLength, (b + 1) * contextLength),
      covers: covers.subarray(b * coversLength, (b + 1) * coversLength),
    };
    if (!isGrounded(ground)) return null;
    // The more noise there is, the less can be seen of where objects are.
    const weight = (grounding * (1 - times[b])) / pictures;
    const dlooks = new Float32Array(probabilities.length);
    batch.groundingLosses[part] += weight * groundingLoss(dlooks, probabilities, side, ground, weight);
    return dlooks;
  });
  batch.gradients.set(model.parameters.gradients, part * P);
}

/** Writes the mean of the parts' gradients to the denoiser's, and returns the means of their losses. */
export function meanOfParts(
  { parameters: { gradients } }: Denoiser,
  batch: SharedBatch,
): { readonly loss: number; readonly groundingLoss: number } {
  const { parts, parameters: P } = batch.sizes;
  const share = 1 / parts;
  gradients.fill(0);
  for (let part = 0; part < parts; part++) {
    const own = batch.gradients.subarray(part * P, (part + 1) * P);
    for (let i = 0; i < P; i++) gradients[i] += own[i] * share;
  }
  const mean = (losses: Float64Array) => losses.reduce((sum, loss) => sum + loss, 0) / parts;
  return { loss: mean(batch.losses), groundingLoss: mean(batch.groundingLosses) };
}
