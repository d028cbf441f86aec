import { workerUnderPolicy } from '../../cpu/workerUnderPolicy.ts';
import { createAsk } from '../../worker/ask.ts';
import type { UnetCalls } from '../../worker/unet/unetMessages.ts';
import unetWorkerUrl from '../../worker/unet/unetWorker.ts?worker&url';
import type { AskUnet } from './unetAnalysis.ts';

/** Asks a worker of its own, so that the encoder never waits for a U-Net. It starts with the first question. */
export const startUnet = (): AskUnet =>
  createAsk<UnetCalls>({
    name: 'The worker that reads the U-Net',
    startWorker: () => workerUnderPolicy(unetWorkerUrl),
    locks: navigator.locks,
  });
