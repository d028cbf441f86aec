import { openCheckpoint } from '../checkpoint/openCheckpoint.ts';
import { blobSource } from '../checkpoint/sources.ts';
import { syntheticWeights } from '../checkpoint/synthetic.ts';
import { hashWeights } from '../checkpoint/weightsHash.ts';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { type GpuDevice, requestGpuDevice } from '../gpu/device.ts';
import { createGpuEncoder, type GpuEncoder } from '../gpu/encoder.ts';
import { fastestMatmul, type MatmulKernel } from '../gpu/matmul.ts';
import type { FromWorker, ModelRequest, ToWorker } from './messages.ts';

/** A device with what was measured on it, by the encoder's width. */
interface Gpu extends GpuDevice {
  readonly matmul: Map<number, MatmulKernel>;
}

let gpu: Gpu | undefined;
let encoder: GpuEncoder | undefined;
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

function openModel(model: ModelRequest, signal: AbortSignal) {
  switch (model.kind) {
    case 'synthetic':
      return syntheticWeights(model.size === 'full' ? clipVitL14 : clipTiny);
    case 'file':
      return openCheckpoint(blobSource(model.file), signal);
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
    const { config, dtype, gpuBytes, finalLayerNorm } = made;
    const { name, random } = source;
    post({ type: 'loaded', id, model: { name, random, sha256: hash, config, dtype, gpuBytes, finalLayerNorm } });
  } finally {
    if (loading?.id === id) loading = undefined;
  }
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
    default:
      return message satisfies never;
  }
}

self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  answer(data).catch((error: unknown) => {
    const { name, message } =
      error instanceof Error || error instanceof DOMException ? error : new Error(String(error));
    post({ type: 'failed', id: data.id, name, message });
  });
});
