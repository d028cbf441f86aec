import type { ToShare } from './remoteShare.ts';
import { serveShare } from './serveShare.ts';
import type { Alive } from './workerThreads.ts';

// Computes one share of an encoder, in a worker that the encoder's thread starts.
const { name, postMessage } = self as unknown as {
  readonly name: string;
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
};

// The lock is free once this worker is gone, however it ends. There are no locks where a page is not secure, and none may be
// given where its storage is blocked.
navigator.locks
  ?.request(name, () => {
    postMessage.call(self, 'alive' satisfies Alive);
    return new Promise(() => {});
  })
  .catch(() => {});

const serve = serveShare((message, transfer) => postMessage.call(self, message, transfer));
self.onmessage = ({ data }: MessageEvent<ToShare>) => serve(data);
