// Computes one share of an encoder, in a thread of Node that the encoder's thread starts.
import { parentPort } from 'node:worker_threads';
import { serveShare } from '../cpu/serveShare.ts';

const port = parentPort!;
port.on(
  'message',
  serveShare((message, transfer) => port.postMessage(message, transfer)),
);
