import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { build } from 'vite';
import type { SpawnThread, Thread } from './remoteShare.ts';

/** Cores that this process may use. */
export const nodeCores = availableParallelism;

/** Lets Node compile the relaxed kernels. Before Node 22 V8 has relaxed SIMD behind a switch. */
export function allowRelaxedSimd(): void {
  if (Number(process.versions.node.split('.')[0]) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
}

/** Answers messages by the `serveShare` that the code before it exports. */
const serve = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', exports.serveShare((message, transfer) => parentPort.postMessage(message, transfer)));`;

/** Scripts of threads by module. Vite makes each once, in a tenth of the time that a thread would need to load Vite. */
const scripts = new Map<string, Promise<string>>();

async function bundle(module: string): Promise<string> {
  const output = { format: 'cjs', codeSplitting: false } as const;
  const made = await build({
    ...{ configFile: false, publicDir: false, logLevel: 'silent' },
    build: { ssr: module, write: false, rolldownOptions: { output } },
  });
  return (made as Exclude<typeof made, unknown[] | { close(): unknown }>).output[0].code + serve;
}

function scriptOf(module: string): Promise<string> {
  const script = scripts.get(module) ?? bundle(module);
  scripts.set(module, script);
  return script;
}

/** Starts a thread of Node that answers messages by the `serveShare` of a module, a path from the project's root. */
export function startNodeThread(module: string): Thread {
  let worker: Worker | undefined;
  let ended = false;
  let hear: Parameters<Thread['listen']>;
  const waiting: Parameters<Thread['post']>[] = [];
  const begin = (script: string) => {
    if (ended) return;
    worker = new Worker(script, { eval: true });
    worker.on('message', (message) => hear[0](message));
    worker.on('error', ({ message }) => hear[1](message));
    worker.on('exit', () => ended || hear[1]('it ended'));
    for (const [message, transfer] of waiting) worker.postMessage(message, transfer);
  };
  scriptOf(module).then(begin, ({ message }: Error) => hear[1](message));
  return {
    post(message, transfer) {
      if (worker) worker.postMessage(message, transfer);
      else waiting.push([message, transfer]);
    },
    listen(...listeners) {
      hear = listeners;
    },
    end() {
      ended = true;
      void worker?.terminate();
    },
  };
}

/** Starts a thread of Node that computes a share. */
export const spawnNodeThread: SpawnThread = () => startNodeThread('./src/cpu/serveShare.ts');
