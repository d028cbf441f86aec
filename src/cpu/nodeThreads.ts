import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { SpawnThread, Thread } from './remoteShare.ts';

/** Cores that this process may use. */
export const nodeCores = availableParallelism;

/** Lets Node compile the relaxed kernels. Before Node 22 V8 has relaxed SIMD behind a switch. */
export function allowRelaxedSimd(): void {
  if (Number(process.versions.node.split('.')[0]) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
}

/** Loads a module of src through Vite, as scripts/run.mjs does, and answers messages. */
const script = (module: string) => `
  const { parentPort } = require('node:worker_threads');
  const waiting = [];
  parentPort.on('message', (message) => waiting.push(message));
  import('vite')
    .then(({ runnerImport }) => runnerImport(${JSON.stringify(module)}, { configFile: false, logLevel: 'error' }))
    .then(({ module }) => {
      const serve = module.serveShare((message, transfer) => parentPort.postMessage(message, transfer));
      parentPort.removeAllListeners('message');
      for (const message of waiting) serve(message);
      parentPort.on('message', serve);
    });`;

/** Starts a thread of Node that answers messages by the `serveShare` of a module, a path from the project's root. */
export function startNodeThread(module: string): Thread {
  const worker = new Worker(script(module), { eval: true });
  let ended = false;
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(onMessage, onEnd) {
      worker.on('message', onMessage);
      worker.on('error', ({ message }) => onEnd(message));
      worker.on('exit', () => ended || onEnd('it ended'));
    },
    end() {
      ended = true;
      worker.terminate();
    },
  };
}

/** Starts a thread of Node that computes a share. */
export const spawnNodeThread: SpawnThread = () => startNodeThread('./src/cpu/serveShare.ts');
