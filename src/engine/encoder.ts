import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import type { LayerTensors, ResumedRows } from '../clip/layerTensors.ts';
import { tokenEmbeddingName, type WeightSource } from '../clip/weights.ts';
import type { Backend, WeightedLora } from './backend.ts';
import { type EncodeOptions, type EncodeRun, encodePasses } from './encodeRun.ts';
import { type EncoderState, emptySlots, minSlots, slotBound, useLoras } from './encoderState.ts';
import { inspectLayer, readWeightRow, type WeightRow, type WeightRowPart } from './inspect.ts';
import type { Profile, RowSpan } from './profile.ts';
import { projectHeads, resumePass } from './resume.ts';
import { timeSteps } from './stepTimes.ts';
import type { ReadWeights } from './weightReading.ts';

/** The text encoder of a model, on any engine. Its operations run one at a time, in the order in which they were asked for. */
export interface Encoder {
  readonly config: ClipTextConfig;
  /** Storage types of the layers' matrices: "F16", or "F16, F32" in a file that mixes them. */
  readonly dtype: string;
  /** Bytes of weights that the engine holds. */
  readonly weightBytes: number;
  /** Bytes of weights with LoRAs merged into them, held in addition; 0 without LoRAs. */
  readonly mergedBytes: number;
  /** Bytes of activations: the rows of the passes that were encoded last, at every stage. */
  readonly activationBytes: number;
  /** [d] each. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
  /** Rejects with the engine's error, or with the signal's reason. */
  encode(passes: readonly EncoderPass[], want: EncoderWant, options?: EncodeOptions): Promise<EncodeRun>;
  /**
   * Times each step of an encode of this pass, or of its rows `first` to `end`, with the LoRAs of the encode before, by the
   * engine's own clock.
   */
  profile(pass: EncoderPass, rows?: RowSpan): Promise<Profile>;
  /**
   * Reads back every intermediate tensor of one layer, of all rows; `layerTensorShapes` lists them. `loras` are merged, and no
   * others; the rows kept for encodes stay as they are where those were merged before. Rejects with RangeError for a layer that
   * there is not, with the engine's error, or with the signal's reason.
   */
  inspect(
    pass: EncoderPass,
    layer: number,
    options?: { readonly loras?: readonly WeightedLora[]; readonly signal?: AbortSignal },
  ): Promise<LayerTensors>;
  /**
   * Encodes from the middle on, with these numbers in the place of the encoder's own: see resume.ts. `states` are those to read
   * back beside the output.
   */
  resume(
    pass: EncoderPass,
    layer: number,
    given: ResumedRows,
    states: readonly number[],
    options?: { readonly loras?: readonly WeightedLora[]; readonly signal?: AbortSignal },
  ): Promise<EncoderOutput>;
  /** Multiplies outputs of a layer's heads [L, d] by W_O, without its bias: see resume.ts. */
  project(
    layer: number,
    attended: Float32Array,
    options?: { readonly loras?: readonly WeightedLora[]; readonly signal?: AbortSignal },
  ): Promise<Float32Array>;
  /** Reads one row of a weight and its bias; `loras` are merged, and no others. Rejects with RangeError for a row that there is not. */
  weightRow(layer: number, part: WeightRowPart, row: number, loras?: readonly WeightedLora[]): Promise<WeightRow>;
  /**
   * Prepares an encode of one pass with any number of rows, for which the first such encode would else wait: piece by piece, and
   * only while nothing else is to be done. Rejects with the signal's reason.
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

/** Makes an encoder on a backend that holds the source's weights and has room for `minSlots` passes. It owns the backend. */
export function createEncoder(
  backend: Backend,
  source: WeightSource,
  { tokenTable, finalLayerNorm }: ReadWeights,
): Encoder {
  const { config, compactTable } = source;
  const state: EncoderState = {
    backend,
    config,
    tokenTable: { bytes: tokenTable, dtype: source.tensor(tokenEmbeddingName).dtype, compact: compactTable },
    loras: [],
    slots: emptySlots(minSlots),
    mostSlots: slotBound(config),
    uses: 0,
  };
  const queue = createQueue();
  const matrices = [...backend.weights.values()].filter(({ kind }) => kind === 'matrix');
  return {
    config,
    dtype: [...new Set(matrices.map(({ dtype }) => dtype))].join(', '),
    finalLayerNorm,
    get weightBytes() {
      return backend.weightBytes;
    },
    get mergedBytes() {
      return backend.mergedBytes;
    },
    get activationBytes() {
      return backend.activationBytes;
    },
    encode(passes, want, options = {}) {
      return queue.run(async () => {
        await useLoras(state, options.loras ?? []);
        return encodePasses(state, passes, want, options);
      });
    },
    profile(pass, rows = { first: 0, end: config.maxPositionEmbeddings }) {
      return queue.run(() => timeSteps(state, pass, rows));
    },
    inspect(pass, layer, { loras = [], signal } = {}) {
      return queue.run(async () => {
        signal?.throwIfAborted();
        await useLoras(state, loras);
        return inspectLayer(state, pass, layer, signal);
      });
    },
    resume(pass, layer, given, states, { loras = [], signal } = {}) {
      return queue.run(async () => {
        signal?.throwIfAborted();
        await useLoras(state, loras);
        return resumePass(state, pass, layer, given, states, signal);
      });
    },
    project(layer, attended, { loras = [], signal } = {}) {
      return queue.run(async () => {
        signal?.throwIfAborted();
        await useLoras(state, loras);
        return projectHeads(state, layer, attended, signal);
      });
    },
    weightRow(layer, part, row, loras = []) {
      return queue.run(async () => {
        await useLoras(state, loras);
        return readWeightRow(backend, layer, part, row);
      });
    },
    compile: (signal) => backend.compile(queue.idle, signal),
    destroy: () => backend.destroy(),
  };
}
