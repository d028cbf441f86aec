/** The other side of a thread that shares the work of a training run. */

import { compileKernels } from '../cpu/kernels.ts';
import type { DenoiserConfig } from './denoiserConfig.ts';
import { createTrainee } from './pictureRun.ts';
import { type BatchSizes, type SharedWork, sharedBatch, shareWork, type WorkTools } from './sharedBatch.ts';

/** Tells a thread where the batches will be, which comes first, or what to help with. */
export type ToPartsThread =
  | { readonly config: DenoiserConfig; readonly sizes: BatchSizes; readonly memory: SharedArrayBuffer }
  | { readonly work: SharedWork };

/** Says that the thread is ready, or that nothing of the work is left to take; or what went wrong. */
export type FromPartsThread = { readonly error?: string };

/** Answers each message with one, in their order. */
export function servePictureParts(post: (message: FromPartsThread) => void): (message: ToPartsThread) => void {
  let tools: WorkTools | undefined;
  const answer = async (message: ToPartsThread) => {
    if ('config' in message) {
      const { config, sizes, memory } = message;
      const trainee = await createTrainee(await compileKernels(false), config, sizes.pictures);
      tools = { ...trainee, batch: sharedBatch(sizes, memory) };
      return;
    }
    if (!tools) throw new Error('There is no batch yet.');
    const { model, batch } = tools;
    if (message.work === 'gradients') model.parameters.values.set(batch.parameters);
    shareWork(tools, message.work);
  };
  return (message) =>
    void answer(message).then(
      () => post({}),
      (error: Error) => post({ error: error.message }),
    );
}
