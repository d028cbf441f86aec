/** The other side of a thread that computes parts of batches. */

import { compileKernels } from '../cpu/kernels.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import type { Denoiser } from './denoiser.ts';
import type { DenoiserConfig } from './denoiserConfig.ts';
import { type BatchSizes, computePart, type SharedBatch, sharedBatch } from './sharedBatch.ts';
import { createFastDenoiser } from './wasmPictureKernels.ts';

/** Tells a thread where the batches will be, which comes first, or which parts to compute. */
export type ToPartsThread =
  | { readonly config: DenoiserConfig; readonly sizes: BatchSizes; readonly memory: SharedArrayBuffer }
  | { readonly parts: readonly number[] };

/** Says that the thread is ready, or that the parts are there; or what went wrong. */
export type FromPartsThread = { readonly error?: string };

/** Answers each message with one, in their order. */
export function servePictureParts(post: (message: FromPartsThread) => void): (message: ToPartsThread) => void {
  let made: { readonly model: Denoiser; readonly batch: SharedBatch } | undefined;
  const answer = async (message: ToPartsThread) => {
    if ('config' in message) {
      const { config, sizes, memory } = message;
      const room = { B: sizes.pictures, T: contextLength };
      const model = await createFastDenoiser(await compileKernels(false), config, room);
      made = { model, batch: sharedBatch(sizes, memory) };
      return;
    }
    if (!made) throw new Error('There is no batch yet.');
    const { model, batch } = made;
    model.parameters.values.set(batch.parameters);
    for (const part of message.parts) computePart(model, batch, part);
  };
  return (message) =>
    void answer(message).then(
      () => post({}),
      (error: Error) => post({ error: error.message }),
    );
}
