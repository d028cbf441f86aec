import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { scriptOf } from '../cpu/nodeThreads.ts';
import type { PartsThread, PictureRun } from '../pictures/pictureRun.ts';
import type { FromPartsThread, ToPartsThread } from '../pictures/servePictureParts.ts';

const serve = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', exports.servePictureParts((message) => parentPort.postMessage(message)));`;

/** Threads that share the work of a run, until they are ended. */
export interface PartsThreads {
  readonly threads: readonly PartsThread[];
  end(): Promise<void>;
}

/** Starts so many threads. Rejects with Error where one cannot begin. */
export async function startPartsThreads({ model, batch }: PictureRun, count: number): Promise<PartsThreads> {
  const script = count > 0 ? (await scriptOf('./src/pictures/servePictureParts.ts')) + serve : '';
  const workers = Array.from({ length: count }, () => new Worker(script, { eval: true }));
  const ask = async (worker: Worker, message: ToPartsThread) => {
    // An error of the worker itself rejects here as well.
    const answer = once(worker, 'message') as Promise<[FromPartsThread]>;
    worker.postMessage(message);
    const [{ error }] = await answer;
    if (error) throw new Error(`A thread of the training run failed: ${error}`);
  };
  const end = async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
  const { sizes, memory } = batch;
  await Promise.all(workers.map((worker) => ask(worker, { config: model.config, sizes, memory }))).catch(
    async (error) => {
      // Threads that go on would keep the program from its end.
      await end();
      throw error;
    },
  );
  return { threads: workers.map((worker) => ({ share: (work) => ask(worker, { work }) })), end };
}
