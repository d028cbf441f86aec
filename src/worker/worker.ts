import { sha256 } from '@noble/hashes/sha2.js';
import { download } from '../checkpoint/download.ts';
import { DownloadError } from '../checkpoint/httpSource.ts';
import { type Lora, loraEffects, openLora } from '../checkpoint/loraFile.ts';
import type { ModelFile } from '../checkpoint/modelSources.ts';
import { openCheckpoint } from '../checkpoint/openCheckpoint.ts';
import { blobSource } from '../checkpoint/sources.ts';
import { openModelStorage, StorageError } from '../checkpoint/storage.ts';
import { syntheticWeights } from '../checkpoint/synthetic.ts';
import { hashWeights } from '../checkpoint/weightsHash.ts';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import type { WeightSource } from '../clip/weights.ts';
import { type GpuDevice, requestGpuDevice } from '../gpu/device.ts';
import { createGpuEncoder, type GpuEncoder } from '../gpu/encoder.ts';
import { fastestMatmul, type MatmulKernel } from '../gpu/matmul.ts';
import type { FromWorker, LoraUse, ModelRequest, StoredModels, ToWorker } from './messages.ts';

/** A device with what was measured on it, by the encoder's width. */
interface Gpu extends GpuDevice {
  readonly matmul: Map<number, MatmulKernel>;
}

let gpu: Gpu | undefined;
let encoder: GpuEncoder | undefined;
/** Where its weights came from. */
let weights: WeightSource | undefined;
/** Read for it. */
const loras = new Map<number, Lora>();
const downloads = new Map<number, AbortController>();
let loading: { readonly id: number; readonly abort: AbortController } | undefined;

const post = (message: FromWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

async function device(): Promise<Gpu> {
  if (gpu) return gpu;
  const found: Gpu = { ...(await requestGpuDevice(navigator.gpu)), matmul: new Map() };
  gpu = found;
  found.device.lost.then(({ message, reason }) => {
    if (gpu !== found) return;
    gpu = undefined;
    encoder = undefined;
    if (reason !== 'destroyed') post({ type: 'lost', message: message || 'the graphics driver gave no reason' });
  });
  return found;
}

let storage: ReturnType<typeof openModelStorage> | undefined;
function modelStorage() {
  storage ??= openModelStorage({ storage: navigator.storage, caches: globalThis.caches });
  return storage;
}

async function storedModels(): Promise<StoredModels> {
  const { place, list } = await modelStorage();
  // Not there where the page came over plain http.
  const quota: StorageManager | undefined = navigator.storage;
  const { usage = 0, quota: most } = (await quota?.estimate().catch(() => undefined)) ?? {};
  return {
    place,
    models: await list(),
    free: most === undefined || place === 'memory' ? null : Math.max(0, most - usage),
    persisted: place !== 'memory' && ((await quota?.persisted().catch(() => undefined)) ?? false),
  };
}

async function downloadModel(id: number, file: ModelFile): Promise<void> {
  const abort = new AbortController();
  downloads.set(id, abort);
  try {
    // A part is found again by the first address, whichever of them it then comes from.
    const into = await (await modelStorage()).sink({ name: file.label, source: file.urls[0] });
    const model = await download(file.urls, {
      into,
      expected: file,
      sha256: () => sha256.create(),
      signal: abort.signal,
      onProgress: (progress) => post({ type: 'downloading', id, progress }),
    });
    post({ type: 'downloaded', id, model });
  } finally {
    downloads.delete(id);
  }
}

async function openModel(model: ModelRequest, signal: AbortSignal): Promise<WeightSource> {
  switch (model.kind) {
    case 'synthetic':
      return syntheticWeights(model.size === 'full' ? clipVitL14 : clipTiny);
    case 'file':
      return openCheckpoint(blobSource(model.file), signal);
    case 'stored':
      return openCheckpoint(await (await modelStorage()).open(model.model), signal);
    default:
      return model satisfies never;
  }
}

/** Two encoders are held while one replaces the other, so that a load that fails costs nothing. */
async function load(id: number, model: ModelRequest): Promise<void> {
  loading?.abort.abort();
  const abort = new AbortController();
  loading = { id, abort };
  try {
    const on = await device();
    const opened = await openModel(model, abort.signal);
    // Made-up weights are known by their name.
    const { source, sha256 } = opened.random ? { source: opened, sha256: async () => undefined } : hashWeights(opened);
    const { hiddenSize } = source.config;
    const kernel = on.matmul.get(hiddenSize) ?? (await fastestMatmul(on.device, on.support, source.config));
    on.matmul.set(hiddenSize, kernel);
    let reported = 0;
    const made = await createGpuEncoder(on.device, source, {
      signal: abort.signal,
      matmul: { kernel, support: on.support },
      onProgress(done, total) {
        // Two hundred messages are as smooth as a bar can show.
        if (done < total && done - reported < total / 200) return;
        reported = done;
        post({ type: 'progress', id, progress: { done, total } });
      },
    });
    const hash = await sha256();
    if (abort.signal.aborted) {
      made.destroy();
      abort.signal.throwIfAborted();
    }
    encoder?.destroy();
    encoder = made;
    weights = opened;
    loras.clear();
    const { config, dtype, gpuBytes, finalLayerNorm } = made;
    const { name, random } = source;
    post({ type: 'loaded', id, model: { name, random, sha256: hash, config, dtype, gpuBytes, finalLayerNorm } });
  } finally {
    if (loading?.id === id) loading = undefined;
  }
}

async function addLora(id: number, file: File): Promise<void> {
  const [on, from] = [encoder, weights];
  if (!on || !from) throw new Error(`"${file.name}" cannot be used before a model is loaded.`);
  const lora = await openLora(blobSource(file), { config: on.config });
  const effects = await loraEffects(lora, from, { multiplier: 1 });
  if (encoder !== on) throw new DOMException('Another model took its place.', 'AbortError');
  loras.set(id, lora);
  const ranks = [...new Set(lora.updates.map(({ rank }) => rank))].sort((a, b) => a - b);
  post({ type: 'loraAdded', id, info: { lora: id, ranks, effects, leftOut: lora.leftOut } });
}

function heldLoras(uses: readonly LoraUse[]) {
  return uses.map(({ lora, multiplier }) => {
    const held = loras.get(lora);
    if (!held) throw new Error('A LoRA that is to be merged was removed.');
    return { updates: held.updates, multiplier };
  });
}

async function answer(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'start': {
      const { description, software } = await device();
      return post({ type: 'started', id: message.id, adapter: { description, software } });
    }
    case 'load':
      return load(message.id, message.model);
    case 'cancel':
      if (loading?.id === message.id) loading.abort.abort();
      return;
    case 'encode': {
      if (!encoder) throw new Error('No encoder is loaded.');
      await encoder.setLoras(heldLoras(message.loras));
      const { outputs, rows, milliseconds, dispatches } = await encoder.encode(message.passes, message.want);
      const rowsTotal = message.passes.length * encoder.config.maxPositionEmbeddings;
      const transfer = outputs.flatMap(({ lastHiddenState, hiddenStates, attentions }) => [
        lastHiddenState.buffer as ArrayBuffer,
        ...[...hiddenStates.values()].map((state) => state.buffer as ArrayBuffer),
        ...(attentions ? [attentions.buffer as ArrayBuffer] : []),
      ]);
      return post(
        {
          type: 'encoded',
          id: message.id,
          outputs,
          stats: { milliseconds, rowsComputed: rows, rowsTotal, dispatches },
        },
        transfer,
      );
    }
    case 'addLora':
      return addLora(message.id, message.file);
    case 'removeLora':
      loras.delete(message.lora);
      return;
    case 'models':
      return post({ type: 'models', id: message.id, stored: await storedModels() });
    case 'download':
      return downloadModel(message.id, message.file);
    case 'pause':
      return downloads.get(message.id)?.abort();
    case 'deleteModel':
      await (await modelStorage()).delete(message.model);
      return post({ type: 'models', id: message.id, stored: await storedModels() });
    default:
      return message satisfies never;
  }
}

self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  answer(data).catch((error: unknown) => {
    const { name, message } =
      error instanceof Error || error instanceof DOMException ? error : new Error(String(error));
    const fault = error instanceof DownloadError || error instanceof StorageError ? error.fault : undefined;
    post({ type: 'failed', id: data.id, name, message, fault });
  });
});
