import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import type { WeightSource } from '../clip/weights.ts';
import { weightDtype } from './activations.ts';
import { type EncodeOptions, type EncodeRun, encodePasses } from './encodeRun.ts';
import { createEngine, destroyEngine, type Engine, minSlots, useLoras } from './engine.ts';
import { inspectLayer, readWeightRow, type WeightRow, type WeightRowPart } from './inspect.ts';
import { pipelinesOf } from './kernels.ts';
import type { WeightedLora } from './loraMerge.ts';
import type { Profile, RowSpan } from './profile.ts';
import { schedule } from './schedule.ts';
import { timeSteps } from './timing.ts';
import type { KernelChoice } from './tuning.ts';
import { uploadWeights, weightSpecs } from './upload.ts';

export interface GpuEncoder {
  readonly config: ClipTextConfig;
  /** Storage types of the layers' matrices: "F16", or "F16, F32" in a file that mixes them. */
  readonly dtype: string;
  /** Bytes of weights held on the GPU. */
  readonly gpuBytes: number;
  /** Bytes of weights with LoRAs merged into them, held in addition; 0 without LoRAs. */
  readonly mergedBytes: number;
  /** Bytes of activations: the rows of the passes that were encoded last, at every stage. */
  readonly activationBytes: number;
  /** [d] each. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
  encode(passes: readonly EncoderPass[], want: EncoderWant, options?: EncodeOptions): Promise<EncodeRun>;
  /**
   * Times each step of an encode of this pass, or of its rows `first` to `end`, with the LoRAs of the encode before, by the
   * GPU's own clock where it has `timestamp-query`.
   */
  profile(pass: EncoderPass, rows?: RowSpan): Promise<Profile>;
  /**
   * Reads back every intermediate tensor of one layer, of all rows; `layerTensorShapes` lists them. `loras` are merged, and no
   * others; the rows kept for encodes stay as they are where those were merged before. Rejects with RangeError for a layer that
   * there is not, with GpuError, or with the signal's reason.
   */
  inspect(
    pass: EncoderPass,
    layer: number,
    options?: { readonly loras?: readonly WeightedLora[]; readonly signal?: AbortSignal },
  ): Promise<LayerTensors>;
  /** Reads one row of a weight and its bias; `loras` are merged, and no others. Rejects with RangeError for a row that there is not. */
  weightRow(layer: number, part: WeightRowPart, row: number, loras?: readonly WeightedLora[]): Promise<WeightRow>;
  /**
   * Compiles the pipelines for an encode of one pass with any number of rows, which the first such encode would else wait for:
   * one after the other, and only while nothing else is to be done. Rejects with the signal's reason.
   */
  compile(signal?: AbortSignal): Promise<void>;
  destroy(): void;
}

/** Runs operations one at a time, in the order in which they were asked for. */
function createQueue() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run<T>(work: () => Promise<T>): Promise<T> {
      const result = last.then(work);
      last = result.catch(() => undefined);
      return result;
    },
    /** Resolves when nothing is running or waiting. */
    async idle(): Promise<void> {
      for (let awaited: unknown; awaited !== last; ) {
        awaited = last;
        await last;
      }
    },
  };
}

/** Compiles the pipelines of one pass with 1 to L rows, each when `idle` resolves. */
async function compileAll(engine: Engine, idle: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  const { config, choice, pipelines, bound } = engine;
  for (let end = 1; end <= config.maxPositionEmbeddings; end++)
    for (const step of schedule(config, 1, choice, { slot: 0, passes: 1, first: 0, end }).steps) {
      await idle();
      signal?.throwIfAborted();
      await pipelines(step.kernel, step.constants, weightDtype(step, bound));
    }
}

/**
 * Loads the weights onto the GPU and compiles the kernels. `device` stays the caller's. Rejects with what `source.read`
 * throws, with the signal's reason, or with GpuError; what was allocated by then is freed.
 */
export async function createGpuEncoder(
  device: GPUDevice,
  source: WeightSource,
  options: {
    readonly signal?: AbortSignal;
    /** Hears of bytes. */
    readonly onProgress?: (done: number, total: number) => void;
    readonly choice?: KernelChoice;
  } = {},
): Promise<GpuEncoder> {
  const { config } = source;
  const { choice, signal, onProgress = () => {} } = options;
  const range = { slot: 0, passes: 1, first: 0, end: config.maxPositionEmbeddings };
  const plan = schedule(config, minSlots, choice, range);
  const specs = weightSpecs(source, plan);
  const upload = uploadWeights(device, source, specs, onProgress, signal);
  // Compiles what the first encode needs while the weights are read. A failure is reported below, by `dispatches`.
  const pipelines = pipelinesOf(device);
  for (const step of plan.steps) pipelines(step.kernel, step.constants, weightDtype(step, specs)).catch(() => {});
  const uploaded = await upload;
  const engine = await createEngine(device, source, uploaded, choice);
  try {
    await engine.activations.dispatches(range);
    signal?.throwIfAborted();
  } catch (error) {
    destroyEngine(engine);
    throw error;
  }
  const queue = createQueue();
  const weights = [...engine.original.values()];
  const dtypes = new Set(weights.filter(({ kind }) => kind === 'matrix').map(({ dtype }) => dtype));
  return {
    config,
    dtype: [...dtypes].join(', '),
    gpuBytes: weights.reduce((sum, { buffer }) => sum + buffer.size, 0),
    finalLayerNorm: uploaded.finalLayerNorm,
    get mergedBytes() {
      return [...engine.merged.values()].reduce((sum, { buffer }) => sum + buffer.size, 0);
    },
    get activationBytes() {
      return engine.activations.bytes;
    },
    encode(passes, want, options = {}) {
      return queue.run(async () => {
        await useLoras(engine, options.loras ?? []);
        return encodePasses(engine, passes, want, options);
      });
    },
    profile(pass, rows = { first: 0, end: config.maxPositionEmbeddings }) {
      return queue.run(() => timeSteps(engine, pass, rows));
    },
    inspect(pass, layer, { loras = [], signal } = {}) {
      return queue.run(async () => {
        signal?.throwIfAborted();
        await useLoras(engine, loras);
        return inspectLayer(engine, pass, layer, signal);
      });
    },
    weightRow(layer, part, row, loras = []) {
      return queue.run(async () => {
        await useLoras(engine, loras);
        return readWeightRow(engine, layer, part, row);
      });
    },
    compile: (signal) => compileAll(engine, queue.idle, signal),
    destroy: () => destroyEngine(engine),
  };
}
