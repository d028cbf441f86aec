import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { build } from 'vite';
import type { SpawnThread, Thread } from './remoteShare.ts';

/** Cores that this process may use. */
export const nodeCores = availableParallelism;

/** Lets Node compile the relaxed kernels. Before Node 22 V8 has relaxed SIMD behind a switch. */
export function allowRelaxedSimd(): void {
  if (Number(process.versions.node.split('.')[0]) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
}

/**
 * Milliseconds in which a thread asks again and again for a message before it sleeps: to be woken takes about as long. Where threads
 * share a core, it keeps the other from its work meanwhile.
 */
const awake = 0.1;

/**
 * Answers messages by the `serveShare` that the code before it exports. After a segment the next one comes soon, so that the thread
 * stays awake.
 */
const serve = `
  const { receiveMessageOnPort, workerData } = require('node:worker_threads');
  const serve = exports.serveShare((message, transfer) => workerData.postMessage(message, transfer));
  workerData.on('message', (message) => {
    serve(message);
    if (message.call !== 'run') return;
    for (let end = performance.now() + ${awake}; performance.now() < end; ) {
      const next = receiveMessageOnPort(workerData);
      if (!next) continue;
      serve(next.message);
      end = performance.now() + ${awake};
    }
  });`;

/** Scripts of threads by module. Vite makes each once, in a tenth of the time that a thread would need to load Vite. */
const scripts = new Map<string, Promise<string>>();

async function bundle(module: string): Promise<string> {
  const output = { format: 'cjs', codeSplitting: false } as const;
  const made = await build({
    ...{ configFile: false, publicDir: false, logLevel: 'silent' },
    build: { ssr: module, write: false, rolldownOptions: { output } },
  });
  return (made as Exclude<typeof made, unknown[] | { close(): unknown }>).output[0].code;
}

/** The script of a module, a path from the project's root, with what it exports in `exports`. */
export function scriptOf(module: string): Promise<string> {
  const script = scripts.get(module) ?? bundle(module);
  scripts.set(module, script);
  return script;
}

/** Starts a thread of Node that answers messages by the `serveShare` of a module, a path from the project's root. */
export function startNodeThread(module: string): Thread {
  const { port1: ours, port2: theirs } = new MessageChannel();
  let worker: Worker | undefined;
  let ended = false;
  let hear: Parameters<Thread['listen']>;
  const begin = (script: string) => {
    if (ended) return;
    worker = new Worker(script + serve, { eval: true, workerData: theirs, transferList: [theirs] });
    ours.on('message', (message) => hear[0](message));
    worker.on('error', ({ message }) => hear[1](message));
    worker.on('exit', () => ended || hear[1]('it ended'));
  };
  scriptOf(module).then(begin, ({ message }: Error) => hear[1](message));
  return {
    // Messages wait in the channel until the thread is there.
    post: (message, transfer) => ours.postMessage(message, transfer),
    listen(...listeners) {
      hear = listeners;
    },
    end() {
      ended = true;
      ours.close();
      void worker?.terminate();
    },
    hearNext() {
      for (const end = performance.now() + awake; performance.now() < end; ) {
        const next = receiveMessageOnPort(ours);
        if (!next) continue;
        hear[0](next.message);
        return true;
      }
      return false;
    },
  };
}

/** Starts a thread of Node that computes a share. */
export const spawnNodeThread: SpawnThread = () => startNodeThread('./src/cpu/serveShare.ts');
