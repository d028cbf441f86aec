import type { FromShare, SpawnThread } from './remoteShare.ts';

/** Starts a worker, also from within another one. */
export const spawnWorker: SpawnThread = () => {
  const worker = new Worker(new URL('./shareWorker.ts', import.meta.url), { type: 'module' });
  return {
    post: (message, transfer) => worker.postMessage(message, [...transfer]),
    listen(onMessage, onEnd) {
      worker.onmessage = ({ data }: MessageEvent<FromShare>) => onMessage(data);
      worker.onerror = ({ message }) => onEnd(message || 'it could not be started');
    },
    end: () => worker.terminate(),
  };
};
