import type { ToShare } from './remoteShare.ts';
import { serveShare } from './serveShare.ts';

// Computes one share of an encoder, in a worker that the encoder's thread starts.
const { postMessage } = self as unknown as { postMessage(message: unknown, transfer: ArrayBuffer[]): void };
const serve = serveShare((message, transfer) => postMessage.call(self, message, transfer));
self.onmessage = ({ data }: MessageEvent<ToShare>) => serve(data);
