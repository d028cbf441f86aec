import { sha256 } from '@noble/hashes/sha2.js';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass } from '../clip/encoderPass.ts';
import type { WeightSource } from '../clip/weights.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { type ByteSource, blobSource } from '../files/sources.ts';
import { type GpuDevice, requestGpuDevice } from '../gpu/device.ts';
import type { EncodeRun } from '../gpu/encode.ts';
import { createGpuEncoder, type GpuEncoder } from '../gpu/encoder.ts';
import { meanProfile, type Profile, type RowSpan } from '../gpu/profile.ts';
import { type DoctorOptions, drift, examine } from '../models/doctor.ts';
import { download } from '../models/library/download.ts';
import { DownloadError } from '../models/library/httpSource.ts';
import { keepEncoder } from '../models/library/keep.ts';
import type { ModelFile } from '../models/library/modelSources.ts';
import { openModelStorage } from '../models/library/openStorage.ts';
import { StorageError } from '../models/library/storage.ts';
import { type Lora, loraEffects, openLora } from '../models/loraFile.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { weightsHash } from '../models/weightsHash.ts';
import type {
  EncodeStats,
  FileRequest,
  FromWorker,
  LoraUse,
  ModelRequest,
  StoredModels,
  ToWorker,
} from './messages.ts';
import { tuningOf } from './tunings.ts';

let gpu: GpuDevice | undefined;
let encoder: GpuEncoder | undefined;
/** Where its weights came from. */
let weights: WeightSource | undefined;
/** Read for it. */
const loras = new Map<number, Lora>();
/** What the page can cancel, by the id of its request. */
const underway = new Map<number, AbortController>();
/** The id of the load that counts: the newest. */
let loading: number | undefined;
/** What is compiled ahead for the encoder in use. */
let compiling: AbortController | undefined;

const post = (message: FromWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

async function cancellable<T>(id: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  underway.set(id, abort);
  try {
    return await run(abort.signal);
  } finally {
    underway.delete(id);
  }
}

let finding: Promise<GpuDevice> | undefined;
/** The one device, found once, and once more where it was lost. */
function device(): Promise<GpuDevice> {
  finding ??= requestGpuDevice(navigator.gpu).then(
    (found) => {
      gpu = found;
      found.device.lost.then(({ message, reason }) => {
        finding = undefined;
        gpu = undefined;
        encoder = undefined;
        if (reason !== 'destroyed') post({ type: 'lost', message: message || 'the graphics driver gave no reason' });
      });
      return found;
    },
    (error: unknown) => {
      finding = undefined;
      throw error;
    },
  );
  return finding;
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

async function downloadModel(id: number, file: ModelFile, signal: AbortSignal): Promise<void> {
  // A part is found again by the first address, whichever of them it then comes from.
  const into = await (await modelStorage()).sink({ name: file.label, source: file.urls[0] });
  const model = await download(file.urls, {
    into,
    expected: file,
    sha256: () => sha256.create(),
    signal,
    onProgress: (progress) => post({ type: 'downloading', id, progress }),
  });
  post({ type: 'downloaded', id, model });
}

async function keepModel(id: number, file: File, source: string, signal: AbortSignal): Promise<void> {
  const model = await keepEncoder(await openCheckpoint(blobSource(file), signal), {
    into: await modelStorage(),
    source,
    sha256: () => sha256.create(),
    signal,
    onProgress: (progress) => post({ type: 'downloading', id, progress }),
  });
  post({ type: 'downloaded', id, model });
}

async function openModel(model: ModelRequest, signal: AbortSignal): Promise<WeightSource> {
  switch (model.kind) {
    case 'synthetic':
      return syntheticWeights(model.size === 'full' ? clipVitL14 : clipTiny);
    case 'file':
    case 'stored':
      return openCheckpoint(await openSource(model), signal);
    default:
      return model satisfies never;
  }
}

async function openSource(model: FileRequest): Promise<ByteSource> {
  return model.kind === 'file' ? blobSource(model.file) : (await modelStorage()).open(model.model, model.name);
}

function examined<T>(id: number, run: (options: DoctorOptions & { signal: AbortSignal }) => Promise<T>): Promise<T> {
  const onProgress = (done: number, total: number) => post({ type: 'examining', id, progress: { done, total } });
  return cancellable(id, (signal) => run({ signal, onProgress }));
}

/** Two encoders are held while one replaces the other, so that a load that fails costs nothing. */
async function load(id: number, model: ModelRequest, signal: AbortSignal): Promise<void> {
  if (loading !== undefined) underway.get(loading)?.abort();
  loading = id;
  compiling?.abort();
  try {
    const on = await device();
    const source = await openModel(model, signal);
    const tuning = await tuningOf(on, source.config);
    let reported = 0;
    const made = await createGpuEncoder(on.device, source, {
      signal,
      choice: { ...tuning, support: on.support },
      onProgress(done, total) {
        // Sixty messages are as smooth as a bar of a second can show.
        if (done < total && done - reported < total / 60) return;
        reported = done;
        post({ type: 'progress', id, progress: { done, total } });
      },
    });
    if (signal.aborted || gpu !== on) {
      made.destroy();
      signal.throwIfAborted();
      throw new Error(`The GPU went away while "${source.name}" was loaded; load it again.`);
    }
    encoder?.destroy();
    encoder = made;
    weights = source;
    loras.clear();
    const { config, dtype, finalLayerNorm } = made;
    const { name, random } = source;
    post({ type: 'loaded', id, model: { name, random, config, dtype, gpuBytes: heldBytes(made), finalLayerNorm } });
  } finally {
    if (loading === id) {
      loading = undefined;
      compileAhead();
    }
  }
}

/** What a later edit needs is compiled while nobody waits. Should it fail, the encode that needs it says so. */
function compileAhead(): void {
  compiling?.abort();
  compiling = new AbortController();
  encoder?.compile(compiling.signal).catch(() => {});
}

const heldBytes = ({ gpuBytes, mergedBytes, activationBytes }: GpuEncoder) => gpuBytes + mergedBytes + activationBytes;

async function hash(id: number): Promise<void> {
  if (!weights) throw new Error('No encoder is loaded.');
  post({ type: 'hashed', id, sha256: await weightsHash(weights) });
}

/**
 * Of a software adapter's padding, which takes as long as a second: what is typed meanwhile waits for one of them. A GPU does
 * all in the time between two keys.
 */
const softwarePaddingSubmits = 6;

async function encode(
  { id, passes, want, loras: uses, rowsFirst, alsoNeeded }: Extract<ToWorker, { type: 'encode' }>,
  signal: AbortSignal,
): Promise<void> {
  const on = encoder;
  if (!on) throw new Error('No encoder is loaded.');
  const rowsTotal = passes.length * on.config.maxPositionEmbeddings;
  const statsOf = ({ milliseconds, rows }: EncodeRun): EncodeStats => ({ milliseconds, rowsComputed: rows, rowsTotal });
  const mergedBefore = on.mergedBytes;
  const run = await on.encode(passes, want, {
    signal,
    loras: heldLoras(uses),
    alsoNeeded,
    paddingSubmits: gpu?.software ? softwarePaddingSubmits : 1,
    ...(rowsFirst && {
      onRows: (start) =>
        post(
          { type: 'rows', id, outputs: start.outputs, ready: start.ready, stats: statsOf(start) },
          buffersOf(start.outputs),
        ),
    }),
  });
  // Weights with LoRAs merged into them are of another type.
  if (on.mergedBytes !== mergedBefore && on === encoder) compileAhead();
  const gpuBytes = heldBytes(on);
  post({ type: 'encoded', id, outputs: run.outputs, stats: statsOf(run), gpuBytes }, buffersOf(run.outputs));
}

function buffersOf(outputs: readonly EncoderOutput[]): ArrayBuffer[] {
  return outputs.flatMap(({ lastHiddenState, hiddenStates, attentions }) => [
    lastHiddenState.buffer as ArrayBuffer,
    ...[...hiddenStates.values()].map((state) => state.buffer as ArrayBuffer),
    ...(attentions ? [attentions.buffer as ArrayBuffer] : []),
  ]);
}

/** A profile takes as long as what it is of; none is begun after this. */
const profiling = { milliseconds: 1000, most: 20 };

async function profile(pass: EncoderPass, rows: RowSpan): Promise<Profile> {
  const on = encoder;
  if (!on) throw new Error('No encoder is loaded.');
  // The first wakes the GPU.
  await on.profile(pass, rows);
  const profiles: Profile[] = [];
  const start = performance.now();
  do profiles.push(await on.profile(pass, rows));
  while (profiles.length < profiling.most && performance.now() - start < profiling.milliseconds);
  return meanProfile(profiles);
}

function loadedEncoder(): GpuEncoder {
  if (!encoder) throw new Error('No encoder is loaded.');
  return encoder;
}

async function inspect(
  { id, pass, layer, loras: uses }: Extract<ToWorker, { type: 'inspect' }>,
  signal: AbortSignal,
): Promise<void> {
  const tensors = await loadedEncoder().inspect(pass, layer, { loras: uses && heldLoras(uses), signal });
  post(
    { type: 'inspected', id, tensors },
    [...tensors.values()].map(({ buffer }) => buffer as ArrayBuffer),
  );
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
      return cancellable(message.id, (signal) => load(message.id, message.model, signal));
    case 'hash':
      return hash(message.id);
    case 'cancel':
      return underway.get(message.id)?.abort();
    case 'encode':
      return cancellable(message.id, (signal) => encode(message, signal));
    case 'examine': {
      const examination = await examined(message.id, async (options) =>
        examine(await openTensorFile(await openSource(message.model), options.signal), options),
      );
      return post({ type: 'examined', id: message.id, examination });
    }
    case 'drift': {
      const { from, to } = message;
      const drifted = await examined(message.id, async (options) =>
        drift(await openModel(from, options.signal), await openModel(to, options.signal), options),
      );
      return post({ type: 'drifted', id: message.id, drift: drifted });
    }
    case 'profile':
      return post({ type: 'profiled', id: message.id, profile: await profile(message.pass, message.rows) });
    case 'inspect':
      return cancellable(message.id, (signal) => inspect(message, signal));
    case 'weightRow': {
      const { layer, part, row } = message;
      return post({ type: 'weightRow', id: message.id, row: await loadedEncoder().weightRow(layer, part, row) });
    }
    case 'addLora':
      return addLora(message.id, message.file);
    case 'removeLora':
      loras.delete(message.lora);
      return;
    case 'models':
      return post({ type: 'models', id: message.id, stored: await storedModels() });
    case 'download':
      return cancellable(message.id, (signal) => downloadModel(message.id, message.file, signal));
    case 'keep':
      return cancellable(message.id, (signal) => keepModel(message.id, message.file, message.source, signal));
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
