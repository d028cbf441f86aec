import smallModelUrl from '/small-clip/model.safetensors?url';
import shareWorkerUrl from '../cpu/shareWorker.ts?worker&url';
import { spawnWorkers } from '../cpu/workerThreads.ts';
import { workerUnderPolicy } from '../cpu/workerUnderPolicy.ts';
import { createGpuEncoder } from '../gpu/gpuEncoder.ts';
import { openModelStorage } from '../models/library/openStorage.ts';
import type { ModelStorage } from '../models/library/storage.ts';
import { cpuEngine } from './engines.ts';
import { createHandlers } from './handlers.ts';
import type { Calls, FromWorker, ToWorker } from './messages.ts';
import { holdLock, serve } from './serve.ts';
import { tuningOf } from './tunings.ts';

const post = (message: FromWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

const spawnWorker = spawnWorkers((name) => workerUnderPolicy(shareWorkerUrl, name));
let storage: Promise<ModelStorage> | undefined;
const handlers = createHandlers({
  gpu: navigator.gpu,
  quota: navigator.storage,
  fetchSmallModel: (signal) => fetch(smallModelUrl, { signal }),
  storage() {
    storage ??= openModelStorage({ storage: navigator.storage, caches: globalThis.caches });
    return storage;
  },
  createGpuEncoder,
  createCpuEncoder: cpuEngine(spawnWorker, navigator.hardwareConcurrency || 1),
  tuningOf,
  onLost: (lost) => post({ type: 'lost', lost }),
});
const answer = serve<Calls>(handlers, post);

holdLock(post);
self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => void answer(data));
