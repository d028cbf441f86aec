import type { EncoderOutput } from '../clip/encoderPass.ts';
import type { WeightSource } from '../clip/weights.ts';
import type { EncodeRun } from '../engine/encodeRun.ts';
import type { Encoder } from '../engine/encoder.ts';
import { meanProfile, type Profile } from '../engine/profile.ts';
import { blobSource } from '../files/sources.ts';
import { type GpuDevice, requestGpuDevice, WebGpuUnavailableError } from '../gpu/device.ts';
import type { createGpuEncoder } from '../gpu/gpuEncoder.ts';
import { chooseKernels } from '../gpu/tuning.ts';
import { describeLora, type Lora, loraEffects, openLora } from '../models/loraFile.ts';
import { weightsHash } from '../models/weightsHash.ts';
import { type ChosenEncoder, chooseEncoder, type Engines } from './engines.ts';
import { type Library, libraryHandlers, openModel } from './libraryHandlers.ts';
import type {
  Calls,
  EncodeStats,
  EngineRequest,
  LoadProgress,
  LoraInfo,
  LoraUse,
  Lost,
  ModelInfo,
} from './messages.ts';
import { type Handlers, moving } from './serve.ts';
import type { tuningOf } from './tunings.ts';

/** Everything that the handlers need of the worker they run in. */
export interface Surroundings extends Library {
  /** `navigator.gpu` */
  readonly gpu: GPU | undefined;
  readonly createGpuEncoder: typeof createGpuEncoder;
  readonly createCpuEncoder: Engines['onCpu'];
  readonly tuningOf: typeof tuningOf;
  /** Hears of a part of the engine that went away with the model in use. */
  readonly onLost: (lost: Lost) => void;
}

/** The encoder in use, where its weights came from, and the LoRAs that were read for it. */
interface Loaded extends ChosenEncoder {
  readonly weights: WeightSource;
  readonly loras: Map<number, Lora>;
}

/** The handlers' state: the model in use, and the GPU that was found. */
interface Session {
  readonly surroundings: Surroundings;
  /** The device, or the search for it; undefined before the first load that needs it and after it was lost. */
  finding?: Promise<GpuDevice>;
  gpu?: GpuDevice;
  /** Whether a device went away, and no other was found since: browsers then keep GPUs from the page for a while. */
  hasLost?: boolean;
  loaded?: Loaded;
  /** Stops the newest load, which cancels the one before. */
  loading?: AbortController;
  /** Stops the compiling ahead for the encoder in use. */
  compiling?: AbortController;
  nextLora: number;
}

/** Finds the device once, and once more after it was lost. Rejects with WebGpuUnavailableError. */
function device(session: Session): Promise<GpuDevice> {
  session.finding ??= requestGpuDevice(session.surroundings.gpu).then(
    (gpu) => {
      session.gpu = gpu;
      session.hasLost = false;
      gpu.device.lost.then(({ message, reason }) => {
        session.finding = undefined;
        session.gpu = undefined;
        session.hasLost = true;
        // A model on the CPU is still there.
        if (session.loaded && session.loaded.gpu !== gpu) return;
        session.loaded = undefined;
        const told = message.replace(/\.$/, '') || 'the graphics driver gave no reason';
        if (reason !== 'destroyed') session.surroundings.onLost({ part: 'GPU', reason: told });
      });
      return gpu;
    },
    (error: unknown) => {
      session.finding = undefined;
      throw session.hasLost
        ? new WebGpuUnavailableError(
            'The browser gives this page no GPU since it went away',
            'wait two minutes and load again, restart the browser',
            { cause: error },
          )
        : error;
    },
  );
  return session.finding;
}

/** Compiles what a later edit needs while nobody waits. Should it fail, the encode that needs it says so. */
function compileAhead(session: Session): void {
  session.compiling?.abort();
  session.compiling = new AbortController();
  session.loaded?.encoder.compile(session.compiling.signal).catch(() => {});
}

const heldBytes = ({ weightBytes, mergedBytes, activationBytes }: Encoder) =>
  weightBytes + mergedBytes + activationBytes;

/** Messages of progress per load: as many as a bar of a second can show smoothly. */
const progressMessages = 60;

function progressTo(tell: (progress: LoadProgress) => void) {
  let reported = 0;
  return (done: number, total: number) => {
    if (done < total && done - reported < total / progressMessages) return;
    reported = done;
    tell({ done, total });
  };
}

/** Whether the device is lost. An operation that failed because of it may be told of a moment before. */
const isLost = ({ device }: GpuDevice): Promise<boolean> =>
  Promise.race([device.lost.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 100))]);

/** The engines that a load can take. */
function enginesFor(session: Session, { engine, retriesGpu }: EngineRequest): Engines {
  const { surroundings } = session;
  return {
    async findGpu() {
      if (session.hasLost && engine === 'automatic' && !retriesGpu)
        throw new WebGpuUnavailableError('The GPU went away', 'look for it again');
      return device(session);
    },
    async onGpu(gpu, weights, options) {
      const wentAway = (cause?: unknown) =>
        new WebGpuUnavailableError(`The GPU went away while "${weights.name}" was loaded`, 'load it again', { cause });
      let encoder: Encoder;
      try {
        const choice = await chooseKernels(gpu, weights.config, surroundings.tuningOf);
        encoder = await surroundings.createGpuEncoder(gpu.device, weights, { ...options, choice });
      } catch (error) {
        options.signal?.throwIfAborted();
        throw (await isLost(gpu)) ? wentAway(error) : error;
      }
      if (session.gpu === gpu) return encoder;
      encoder.destroy();
      throw wentAway();
    },
    async onCpu(weights, options) {
      let encoder: Encoder | undefined;
      const onLost = (reason: string) => {
        if (!encoder || session.loaded?.encoder !== encoder) return;
        session.loaded = undefined;
        encoder.destroy();
        surroundings.onLost({ part: 'thread', reason });
      };
      const run = await surroundings.createCpuEncoder(weights, { ...options, onLost });
      encoder = run.encoder;
      return run;
    },
  };
}

/** Loads a model beside the one in use and replaces that at the end, so that a load that fails costs nothing. */
async function load(
  session: Session,
  { model, engine: request }: Calls['load']['request'],
  callSignal: AbortSignal,
  tell: (progress: LoadProgress) => void,
): Promise<ModelInfo> {
  session.loading?.abort();
  const mine = new AbortController();
  session.loading = mine;
  session.compiling?.abort();
  const signal = AbortSignal.any([callSignal, mine.signal]);
  try {
    const weights = await openModel(session.surroundings, model, signal);
    const options = { signal, onProgress: progressTo(tell) };
    const chosen = await chooseEncoder(weights, request, enginesFor(session, request), options);
    if (signal.aborted) {
      chosen.encoder.destroy();
      signal.throwIfAborted();
    }
    session.loaded?.encoder.destroy();
    session.loaded = { ...chosen, weights, loras: new Map() };
    const { encoder, engine } = chosen;
    const { config, dtype, finalLayerNorm } = encoder;
    const { name, random, doubt, compactTable } = weights;
    const knownIds = compactTable && new Set(compactTable.rowOf.keys());
    const hasProjection = weights.projection !== undefined;
    return {
      ...{ name, random, doubt, config, knownIds, hasProjection, dtype, engine },
      ...{ heldBytes: heldBytes(encoder), finalLayerNorm },
    };
  } finally {
    if (session.loading === mine) {
      session.loading = undefined;
      compileAhead(session);
    }
  }
}

function inUse({ loaded }: Session): Loaded {
  if (!loaded) throw new Error('No encoder is loaded.');
  return loaded;
}

function heldLoras({ loras }: Loaded, uses: readonly LoraUse[]) {
  return uses.map(({ lora, multiplier }) => {
    const held = loras.get(lora);
    if (!held) throw new Error('A LoRA that is to be merged was removed.');
    return { updates: held.updates, multiplier };
  });
}

const arraysOf = (outputs: readonly EncoderOutput[]) =>
  outputs.flatMap(({ lastHiddenState, hiddenStates, attentions }) => [
    lastHiddenState,
    ...hiddenStates.values(),
    ...(attentions ? [attentions] : []),
  ]);

const encodeWith =
  (session: Session): Handlers<Calls>['encode'] =>
  async ({ passes, want, loras, rowsFirst, alsoNeeded }, signal, tell) => {
    const loaded = inUse(session);
    const { encoder } = loaded;
    const rowsTotal = passes.length * encoder.config.maxPositionEmbeddings;
    const statsOf = ({ milliseconds, rows }: EncodeRun): EncodeStats => ({
      milliseconds,
      rowsComputed: rows,
      rowsTotal,
    });
    const mergedBefore = encoder.mergedBytes;
    let untilEos: number | undefined;
    const run = await encoder.encode(passes, want, {
      signal,
      loras: heldLoras(loaded, loras),
      alsoNeeded,
      ...(rowsFirst && {
        onRows: (start) => {
          const { outputs, ready, milliseconds } = start;
          untilEos = milliseconds;
          tell(moving({ outputs, ready, stats: statsOf(start) }, arraysOf(outputs)));
        },
      }),
    });
    // Merged weights are of another type, and need other pipelines.
    if (encoder.mergedBytes !== mergedBefore && loaded === session.loaded) compileAhead(session);
    const { outputs } = run;
    return moving({ outputs, stats: { ...statsOf(run), untilEos }, heldBytes: heldBytes(encoder) }, arraysOf(outputs));
  };

/** Profiles of a pass are taken for `milliseconds`, but at most `most` of them. */
const profiling = { milliseconds: 1000, most: 20 };

const profileWith =
  (session: Session): Handlers<Calls>['profile'] =>
  async ({ pass, rows }) => {
    const { encoder } = inUse(session);
    // The first profile wakes the engine up and is thrown away.
    await encoder.profile(pass, rows);
    const profiles: Profile[] = [];
    const start = performance.now();
    do profiles.push(await encoder.profile(pass, rows));
    while (profiles.length < profiling.most && performance.now() - start < profiling.milliseconds);
    return meanProfile(profiles);
  };

/** Reads a LoRA for the model in use. Rejects with AbortError where another model took its place meanwhile. */
async function addLora(session: Session, file: File, adapterConfig?: string): Promise<LoraInfo> {
  const { loaded } = session;
  if (!loaded) throw new Error(`"${file.name}" cannot be used before a model is loaded.`);
  const lora = await openLora(blobSource(file), { config: loaded.encoder.config, adapterConfig });
  const effects = await loraEffects(lora, loaded.weights, { multiplier: 1 });
  if (session.loaded !== loaded) throw new DOMException('Another model took its place.', 'AbortError');
  const id = session.nextLora++;
  loaded.loras.set(id, lora);
  const finalNorm = lora.updates.filter(({ target }) => target.includes('.final_layer_norm.'));
  return { lora: id, ...describeLora(lora), effects, alias: lora.alias, finalNorm, leftOut: lora.leftOut };
}

/** Makes the handlers of all calls, with a session of their own. */
export function createHandlers(surroundings: Surroundings): Handlers<Calls> {
  const session: Session = { surroundings, nextLora: 0 };
  return {
    ...libraryHandlers(surroundings),
    load: (request, signal, tell) => load(session, request, signal, tell),
    weightsHash: async () => weightsHash(inUse(session).weights),
    encode: encodeWith(session),
    profile: profileWith(session),
    async inspect({ pass, layer, loras }, signal) {
      const loaded = inUse(session);
      const options = { loras: heldLoras(loaded, loras), signal };
      const tensors = await loaded.encoder.inspect(pass, layer, options);
      return moving(tensors, tensors.values());
    },
    async resume({ pass, layer, given, states, loras }, signal) {
      const loaded = inUse(session);
      const options = { loras: heldLoras(loaded, loras), signal };
      const output = await loaded.encoder.resume(pass, layer, given, states, options);
      return moving(output, arraysOf([output]));
    },
    async project({ layer, attended, loras }, signal) {
      const loaded = inUse(session);
      const rows = await loaded.encoder.project(layer, attended, { loras: heldLoras(loaded, loras), signal });
      return moving(rows, [rows]);
    },
    async projection(_, signal) {
      const projection = (await inUse(session).weights.projection?.(signal)) ?? null;
      return projection && moving(projection, [projection.matrix]);
    },
    async weightRow({ layer, part, row, loras }) {
      const loaded = inUse(session);
      return loaded.encoder.weightRow(layer, part, row, heldLoras(loaded, loras));
    },
    addLora: ({ file, adapterConfig }) => addLora(session, file, adapterConfig),
    async removeLora({ lora }) {
      session.loaded?.loras.delete(lora);
    },
  };
}
