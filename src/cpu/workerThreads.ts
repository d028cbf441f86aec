import type { FromShare, SpawnThread } from './remoteShare.ts';

/** Message of a worker that holds the lock of its name. */
export type Alive = 'alive';

/**
 * Returns a function that starts workers, also from within another one. `start` starts shareWorker.ts under a name. A worker that
 * ends without a word is missed by the lock that it holds.
 */
export const spawnWorkers =
  (start: (name: string) => Worker): SpawnThread =>
  () => {
    const name = `share ${Math.random()}`;
    const worker = start(name);
    return {
      post: (message, transfer) => worker.postMessage(message, [...transfer]),
      listen(onMessage, onEnd) {
        worker.onmessage = ({ data }: MessageEvent<FromShare | Alive>) => {
          if (data !== 'alive') onMessage(data);
          else void navigator.locks.request(name, () => onEnd('the browser ended it, perhaps for want of memory'));
        };
        worker.onerror = (event) => {
          // Keeps the error from ending the worker that started this one, too.
          event.preventDefault();
          onEnd(event.message?.replace(/\.$/, '') || 'the browser gave no reason');
        };
      },
      end: () => worker.terminate(),
    };
  };

/** Starts workers of the script beside this one. */
export const spawnWorker = spawnWorkers(
  (name) => new Worker(new URL('./shareWorker.ts', import.meta.url), { type: 'module', name }),
);
