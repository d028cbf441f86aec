import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import { attentionMask } from '../clip/masks.ts';
import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  layerTensor,
  positionEmbeddingName,
  tokenEmbeddingName,
  type WeightSource,
} from '../clip/weights.ts';
import { float32View, fromFloat32, toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { tokenRows } from '../models/tokenTable.ts';
import { dispatch, type Kernel, kernels, type Pipelines, pipelinesOf, type Work } from './kernels.ts';
import { mergeLoras, type Weight, type WeightedLora } from './loraMerge.ts';
import { type Profile, type RowSpan, visibleKeys } from './profile.ts';
import {
  attentionsName,
  hiddenName,
  isAttention,
  type RowRange,
  type Schedule,
  type Step,
  schedule,
  stepBytes,
} from './schedule.ts';
import { isSamePass, type Placed, paddingStart, placePasses, rowRanges, type Slot } from './slots.ts';
import type { KernelChoice } from './tuning.ts';

export interface EncodeRun {
  readonly outputs: readonly EncoderOutput[];
  /** Rows (tokens) of all passes that were computed; the others were there from before. */
  readonly rows: number;
  /** From the call until the results are in memory. */
  readonly milliseconds: number;
  readonly dispatches: number;
}

/** A run that is not over: of outputs[i] the first ready[i] rows are as they will be, and the rest is zeros. */
export interface EncodeStart extends EncodeRun {
  readonly ready: readonly number[];
}

export interface EncodeOptions {
  /**
   * Has the rows up to EOS computed first, and hears of them before the padding is begun; awaited. Not called where that
   * is no gain: no padding to compute, several new passes at once (which are done together), no causal mask (then every
   * row depends on the padding).
   */
  readonly onRows?: (start: EncodeStart) => void | Promise<void>;
  /** Between two submits: rows that `onRows` was told of are kept, and the encode rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * The weights have these LoRAs merged into them, and no others: without any, the outputs are to the bit those of the model.
   * Nothing is done where they are the ones of the encode before (the same updates, in the same order). Rejects with GpuError,
   * and leaves things as they were, where the GPU has no room for the merged weights.
   */
  readonly loras?: readonly WeightedLora[];
  /** In how many submits the padding is computed after `onRows`: 1, or more where a signal should not have to wait for all. */
  readonly paddingSubmits?: number;
  /**
   * Passes that will be edited too, the most important first: their rows are kept as long as there is room, which is made
   * for them up to a bound.
   */
  readonly alsoNeeded?: readonly EncoderPass[];
}

export interface GpuEncoder {
  readonly config: ClipTextConfig;
  /** Storage types of the layers' matrices: "F16", or "F16, F32" in a file that mixes them. */
  readonly dtype: string;
  /** Weights held on the GPU. */
  readonly gpuBytes: number;
  /** Weights with LoRAs merged into them, held besides; 0 without LoRAs. */
  readonly mergedBytes: number;
  /** What else is held there: the rows of the passes that were encoded last, at every stage. */
  readonly activationBytes: number;
  /** [d] each. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
  encode(passes: readonly EncoderPass[], want: EncoderWant, options?: EncodeOptions): Promise<EncodeRun>;
  /**
   * Each step of an encode of this pass, or of its rows `first` to `end`, with the LoRAs of the encode before, by the GPU's own
   * clock where it has `timestamp-query`.
   */
  profile(pass: EncoderPass, rows?: RowSpan): Promise<Profile>;
  /**
   * Compiles what an encode of one pass needs, whatever the number of rows, which else the first of its kind waits for: one
   * pipeline after the other, and none begun while something else is to be done.
   */
  compile(signal?: AbortSignal): Promise<void>;
  destroy(): void;
}

/** Passes of one submit; more are encoded in several. Bounds what activations take on the GPU: 17 MB a pass. */
const maxSlots = 8;
/** Passes there is room for from the start: a prompt and a negative prompt, encoded together or in turn. */
const minSlots = 2;
/** Row ranges whose dispatches are kept. */
const maxPrepared = 64;

/** Alignment of a buffer binding's offset. */
const alignment = 256;
const align = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const storage = 0x80; // GPUBufferUsage, which Node has no global for: STORAGE, COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE
const copySource = 0x04;
const copyTarget = 0x08;
const mapRead = 0x01;
const queryResolve = 0x200;

/** A tensor that the schedule names, and the ones of the model that it is made of, one below the other. */
interface WeightPart {
  readonly name: string;
  readonly from: readonly string[];
  /** As it is held on the GPU. */
  readonly dtype: WeightDtype;
}

/** Every layer's tensors as `schedule` names them. Q, K and V become one matrix, [3d, d]; half weights stay half. */
function weightParts(source: WeightSource): WeightPart[] {
  const parts: WeightPart[] = [];
  const add = (name: string, ...from: string[]) => {
    const dtypes = new Set(from.map((tensor) => source.tensor(tensor).dtype));
    // Vectors are few bytes and are kept in float32; a matrix keeps its type unless its parts differ.
    const isMatrix = name.endsWith('weight') && !name.includes('layer_norm');
    parts.push({ name, from, dtype: isMatrix && dtypes.size === 1 ? [...dtypes][0] : 'F32' });
  };
  add('positionEmbedding', positionEmbeddingName);
  for (let layer = 0; layer < source.config.numHiddenLayers; layer++) {
    const addLayer = (part: string, ...from: Parameters<typeof layerTensor>[1][]) =>
      add(`layers.${layer}.${part}`, ...from.map((name) => layerTensor(layer, name)));
    const same = (...names: Parameters<typeof layerTensor>[1][]) => {
      for (const name of names) addLayer(name, name);
    };
    same('layer_norm1.weight', 'layer_norm1.bias');
    addLayer(
      'self_attn.qkv_proj.weight',
      'self_attn.q_proj.weight',
      'self_attn.k_proj.weight',
      'self_attn.v_proj.weight',
    );
    addLayer('self_attn.qkv_proj.bias', 'self_attn.q_proj.bias', 'self_attn.k_proj.bias', 'self_attn.v_proj.bias');
    same('self_attn.out_proj.weight', 'self_attn.out_proj.bias', 'layer_norm2.weight', 'layer_norm2.bias');
    same('mlp.fc1.weight', 'mlp.fc1.bias', 'mlp.fc2.weight', 'mlp.fc2.bias');
  }
  add('final_layer_norm.weight', finalLayerNormWeightName);
  add('final_layer_norm.bias', finalLayerNormBiasName);
  return parts;
}

/** Bytes of tensors that are asked for together: what lies side by side in a file is then read in one piece. */
const batchBytes = 1 << 24;

/** Reads tensors in this order, a batch ahead of the one that the caller works on. */
function readAhead(
  source: WeightSource,
  names: readonly string[],
  bytesOf: (name: string) => number,
  signal?: AbortSignal,
) {
  const batches: Promise<Uint8Array<ArrayBuffer>>[][] = [];
  let begun = 0;
  return (): Promise<Uint8Array<ArrayBuffer>> => {
    while (batches.length < 2 && begun < names.length) {
      const batch: Promise<Uint8Array<ArrayBuffer>>[] = [];
      for (let bytes = 0; begun < names.length && bytes < batchBytes; begun++) {
        bytes += bytesOf(names[begun]);
        const read = source.read(names[begun], signal);
        // Told to whoever takes it, who may have given up by then.
        read.catch(() => {});
        batch.push(read);
      }
      batches.push(batch);
    }
    const read = batches[0].shift()!;
    if (batches[0].length === 0) batches.shift();
    return read;
  };
}

/** The token table, which stays in memory, and the parts on the GPU. */
async function uploadWeights(
  device: GPUDevice,
  source: WeightSource,
  parts: readonly WeightPart[],
  onProgress: (done: number, total: number) => void,
  signal?: AbortSignal,
) {
  const bytesOf = (name: string) => {
    const { dtype, shape } = source.tensor(name);
    return count(shape) * weightBytes[dtype];
  };
  const names = [tokenEmbeddingName, ...parts.flatMap(({ from }) => from)];
  const total = names.reduce((sum, name) => sum + bytesOf(name), 0);
  const take = readAhead(source, names, bytesOf, signal);
  let done = 0;
  const read = async () => {
    const bytes = await take();
    done += bytes.length;
    onProgress(done, total);
    return bytes;
  };
  const weights = new Map<string, Weight>();
  const finalLayerNorm = { weight: new Float32Array(0), bias: new Float32Array(0) };
  const buffers: GPUBuffer[] = [];
  const errors: Promise<GPUError | null>[] = [];
  try {
    const tokenTable = await read();
    for (const { name, from, dtype } of parts) {
      const size = from.reduce((sum, tensor) => sum + count(source.tensor(tensor).shape) * weightBytes[dtype], 0);
      // Each by itself: another load would come between where something is awaited.
      device.pushErrorScope('out-of-memory');
      const buffer = device.createBuffer({ label: name, size, usage: storage | copyTarget });
      errors.push(device.popErrorScope());
      buffers.push(buffer);
      let at = 0;
      for (const tensor of from) {
        const stored = source.tensor(tensor).dtype;
        const bytes = await read();
        const data = stored === dtype ? bytes : fromFloat32(toFloat32(bytes, stored), dtype);
        device.queue.writeBuffer(buffer, at, data);
        at += data.length;
        if (tensor === finalLayerNormWeightName) finalLayerNorm.weight = float32View(data);
        if (tensor === finalLayerNormBiasName) finalLayerNorm.bias = float32View(data);
      }
      weights.set(name, { buffer, dtype });
    }
    if ((await Promise.all(errors)).some((error) => error))
      throw new GpuError(`The GPU has not enough memory for "${source.name}".`);
    return { tokenTable, weights, buffers, finalLayerNorm };
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

interface PreparedStep extends Work {
  readonly step: Step;
}

interface Prepared {
  readonly steps: readonly PreparedStep[];
  /** Kept with the bind groups that have it; too small to be worth destroying early. */
  readonly range: GPUBuffer;
}

/** Buffers with room for some passes, and the dispatches of the row ranges that were asked for. */
interface Activations {
  /** Tensor name → its buffer. */
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  /** Those of them that are not weights. */
  readonly own: readonly GPUBuffer[];
  readonly plan: Schedule;
  readonly slots: Slot[];
  readonly bytes: number;
  dispatches(range: RowRange): Promise<readonly PreparedStep[]>;
  destroy(): void;
}

function createActivations(
  device: GPUDevice,
  pipelines: Pipelines,
  config: ClipTextConfig,
  weights: ReadonlyMap<string, Weight>,
  slots: number,
  choice?: KernelChoice,
): Activations {
  const whole = schedule(config, slots, choice);
  const buffers = new Map<string, GPUBuffer>();
  const own: GPUBuffer[] = [];
  for (const [name, { role, shape }] of whole.tensors) {
    const weight = weights.get(name);
    if (role === 'weight' && !weight) throw new Error(`The schedule needs a weight "${name}" that was not loaded.`);
    if (weight) buffers.set(name, weight.buffer);
    else if (name !== 'range') {
      const buffer = device.createBuffer({
        label: name,
        size: align(count(shape) * 4),
        usage: storage | copySource | copyTarget,
      });
      own.push(buffer);
      buffers.set(name, buffer);
    }
  }

  /** The kernels take the number of rows from arrayLength: a binding is as long as its tensor's part, not as its buffer. */
  function binding(name: string, step: Step, { range, tensors }: Schedule): GPUBufferBinding {
    const { shape, bySlot, byRow } = tensors.get(name)!;
    const buffer = buffers.get(name)!;
    if (!byRow || isAttention(step))
      return { buffer, size: count(shape) * weightBytes[weights.get(name)?.dtype ?? 'F32'] };
    const rowBytes = shape[shape.length - 1] * 4;
    const before = (bySlot ? range.slot * config.maxPositionEmbeddings : 0) + range.first;
    const rows = (bySlot ? range.passes : 1) * (range.end - range.first);
    return { buffer, offset: before * rowBytes, size: rows * rowBytes };
  }

  async function prepare(plan: Schedule): Promise<Prepared> {
    const { slot, first, end } = plan.range;
    const range = device.createBuffer({ label: 'range', size: 12, usage: storage | copyTarget });
    device.queue.writeBuffer(range, 0, Uint32Array.of(first, end, slot));
    const steps = await Promise.all(
      plan.steps.map(async (step): Promise<PreparedStep> => {
        const pipeline = await pipelines(step.kernel, step.constants, weightDtype(step, weights));
        const bindGroup = device.createBindGroup({
          label: step.label,
          layout: pipeline.getBindGroupLayout(0),
          entries: step.tensors.map((name, i) => ({
            binding: i,
            resource: name === 'range' ? { buffer: range } : binding(name, step, plan),
          })),
        });
        return { step, pipeline, bindGroup, grid: step.grid };
      }),
    );
    return { steps, range };
  }

  const prepared = new Map<string, Promise<Prepared>>();
  return {
    buffers,
    own,
    plan: whole,
    slots: Array.from({ length: slots }, () => ({ pass: undefined, rows: 0, used: 0 })),
    bytes: own.reduce((sum, { size }) => sum + size, 0),
    async dispatches(range) {
      const key = `${range.slot} ${range.passes} ${range.first} ${range.end}`;
      const made = prepared.get(key) ?? prepare(schedule(config, slots, choice, range));
      // The one that was used last comes last.
      prepared.delete(key);
      prepared.set(key, made);
      // What failed may not fail again.
      made.catch(() => prepared.get(key) === made && prepared.delete(key));
      if (prepared.size > maxPrepared) prepared.delete(prepared.keys().next().value!);
      return (await made).steps;
    },
    destroy() {
      for (const buffer of own) buffer.destroy();
    },
  };
}

/** Begins with what the first encode waits for; what goes wrong is told there. */
function compileAhead(pipelines: Pipelines, { steps }: Schedule, parts: readonly WeightPart[]): void {
  const weights = new Map(parts.map((part) => [part.name, part]));
  for (const step of steps) pipelines(step.kernel, step.constants, weightDtype(step, weights)).catch(() => {});
}

/** Type of the stored weights that a step reads. */
function weightDtype(step: Step, weights: ReadonlyMap<string, Pick<Weight, 'dtype'>>): WeightDtype {
  const kernel: Kernel = kernels[step.kernel];
  const weight = kernel.bindings.findIndex(([name]) => name === 'weight');
  return kernel.weights ? weights.get(step.tensors[weight])!.dtype : 'F32';
}

/** Out of GPU memory, or a GPU that refused what it was asked. */
export class GpuError extends Error {
  override name = 'GpuError';
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
    readonly onProgress?: (done: number, total: number) => void;
    readonly choice?: KernelChoice;
  } = {},
): Promise<GpuEncoder> {
  const { config } = source;
  const pipelines = pipelinesOf(device);
  const parts = weightParts(source);
  const upload = uploadWeights(device, source, parts, options.onProgress ?? (() => {}), options.signal);
  const pass: RowRange = { slot: 0, passes: 1, first: 0, end: config.maxPositionEmbeddings };
  compileAhead(pipelines, schedule(config, minSlots, options.choice, pass), parts);
  const { tokenTable, weights, buffers: weightBuffers, finalLayerNorm } = await upload;
  const free = () => {
    for (const buffer of weightBuffers) buffer.destroy();
  };
  const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N, numAttentionHeads: h } = config;
  /** What LoRAs are merged, and the weights that they changed. */
  let loras: readonly WeightedLora[] = [];
  let merged: ReadonlyMap<string, Weight> = new Map();
  /** What is bound: the originals, and in the place of some what LoRAs made of them. */
  let bound: ReadonlyMap<string, Weight> = weights;
  async function activations(slots: number): Promise<Activations> {
    device.pushErrorScope('out-of-memory');
    const made = createActivations(device, pipelines, config, bound, slots, options.choice);
    if (!(await device.popErrorScope())) return made;
    made.destroy();
    throw new GpuError(`The GPU has not enough memory to encode ${slots} prompts with "${source.name}".`);
  }
  let set = await activations(minSlots).catch((error: unknown) => {
    free();
    throw error;
  });
  try {
    await set.dispatches(pass);
    options.signal?.throwIfAborted();
  } catch (error) {
    free();
    set.destroy();
    throw error;
  }
  /** Passes that there may be memory for, as far as was tried. */
  let most = maxSlots;
  /** Grows to `wished` passes where there is memory for them, at least to `passes`; what is there is kept. */
  async function makeRoom(passes: number, wished: number): Promise<void> {
    const wanted = Math.max(passes, Math.min(most, wished));
    if (wanted <= set.slots.length) return;
    const before = set;
    try {
      set = await activations(wanted);
    } catch (error) {
      most = wanted - 1;
      if (passes === wanted) throw error;
      return makeRoom(passes, wished);
    }
    const encoder = device.createCommandEncoder({ label: 'more room' });
    for (const [i, buffer] of before.own.entries()) encoder.copyBufferToBuffer(buffer, 0, set.own[i], 0, buffer.size);
    device.queue.submit([encoder.finish()]);
    for (const [i, slot] of before.slots.entries()) set.slots[i] = slot;
    before.destroy();
  }
  const tokenDtype = source.tensor(tokenEmbeddingName).dtype;

  function writeInputs({ pass, slot }: Placed) {
    const rows = tokenRows(tokenTable, tokenDtype, pass.inputIds, d);
    for (const [at, vector] of pass.vectors ?? []) rows.set(vector, at * d);
    device.queue.writeBuffer(set.buffers.get('tokenRows')!, slot * L * d * 4, rows);
    device.queue.writeBuffer(set.buffers.get('mask')!, slot * L * L * 4, Uint32Array.from(attentionMask(pass)));
  }

  /**
   * Submits what `record` records, and rejects where the GPU refuses it, which else would leave the results as they were. The
   * buffer that it returns is mapped to be read.
   */
  async function submit<T extends GPUBuffer | undefined>(record: (encoder: GPUCommandEncoder) => T): Promise<T> {
    const filters = ['validation', 'out-of-memory'] as const;
    for (const filter of filters) device.pushErrorScope(filter);
    const encoder = device.createCommandEncoder({ label: 'encode' });
    const results = record(encoder);
    device.queue.submit([encoder.finish()]);
    const mapped = results?.mapAsync(1);
    // Why it was refused says more than that it cannot be mapped.
    mapped?.catch(() => {});
    try {
      const [full, refused] = await Promise.all(filters.map(() => device.popErrorScope()));
      if (full) throw new GpuError(`The GPU has not enough memory left to encode with "${source.name}".`);
      if (refused) throw new GpuError(`The GPU refused to encode: ${refused.message}`);
      await mapped;
      return results;
    } catch (error) {
      results?.destroy();
      throw error;
    }
  }

  const dispatchAll = (encoder: GPUCommandEncoder, works: readonly Work[]) => {
    const pass = encoder.beginComputePass({ label: 'encode' });
    for (const work of works) dispatch(pass, work);
    pass.end();
  };

  /** Computes `ranges`, and reads back what is there of the placed passes then; the rest is zeros. */
  async function compute(
    ranges: readonly RowRange[],
    placed: readonly Placed[],
    want: EncoderWant,
    { submits = 1, signal }: { readonly submits?: number; readonly signal?: AbortSignal } = {},
  ) {
    const dispatches = (await Promise.all(ranges.map((range) => set.dispatches(range)))).flat();
    const ofOne = Math.ceil(dispatches.length / submits);
    let at = 0;
    for (; at + ofOne < dispatches.length; at += ofOne) {
      await submit((encoder) => void dispatchAll(encoder, dispatches.slice(at, at + ofOne)));
      await device.queue.onSubmittedWorkDone();
      signal?.throwIfAborted();
    }
    const rowsOf = new Map(set.slots.map(({ rows }, slot) => [slot, rows]));
    for (const { slot, passes, end } of ranges) for (let s = slot; s < slot + passes; s++) rowsOf.set(s, end);
    const ready = placed.map(({ slot }) => rowsOf.get(slot)!);
    const hiddenNames = ['lastHiddenState', ...want.hiddenStates.map(hiddenName)];
    const attentionNames = want.attentions ? Array.from({ length: N }, (_, layer) => attentionsName(layer)) : [];
    const copies: { buffer: GPUBuffer; from: number; elements: number }[] = [];
    for (const [i, { slot }] of placed.entries()) {
      for (const name of hiddenNames)
        copies.push({ buffer: set.buffers.get(name)!, from: slot * L * d, elements: ready[i] * d });
      for (const name of attentionNames)
        copies.push({ buffer: set.buffers.get(name)!, from: slot * h * L * L, elements: h * L * L });
    }
    const staging = await submit((encoder) => {
      dispatchAll(encoder, dispatches.slice(at));
      const size = copies.reduce((sum, { elements }) => sum + elements * 4, 0);
      const staging = device.createBuffer({ label: 'results', size, usage: copyTarget | mapRead });
      let to = 0;
      for (const { buffer, from, elements } of copies) {
        encoder.copyBufferToBuffer(buffer, from * 4, staging, to, elements * 4);
        to += elements * 4;
      }
      return staging;
    });
    try {
      const results = new Float32Array(staging.getMappedRange());
      let from = 0;
      const take = (elements: number) => {
        from += elements;
        return results.subarray(from - elements, from);
      };
      const outputs = placed.map((_, i): EncoderOutput => {
        const states = hiddenNames.map(() => {
          const state = new Float32Array(L * d);
          state.set(take(ready[i] * d));
          return state;
        });
        const attentions = want.attentions ? new Float32Array(N * h * L * L) : undefined;
        // Of each head the rows that are there: the others are those of the pass before.
        for (let head = 0; attentions && head < N * h; head++)
          attentions.set(take(L * L).subarray(0, ready[i] * L), head * L * L);
        return {
          lastHiddenState: states[0],
          hiddenStates: new Map(want.hiddenStates.map((index, n) => [index, states[n + 1]])),
          attentions,
        };
      });
      for (const [slot, rows] of rowsOf) set.slots[slot].rows = rows;
      return {
        outputs,
        ready,
        dispatches: dispatches.length,
        rows: ranges.reduce((sum, { passes, first, end }) => sum + passes * (end - first), 0),
      };
    } finally {
      staging.destroy();
    }
  }

  let uses = 0;
  /** A slot for each pass, with what it holds of it and the inputs of the rest. */
  function place(passes: readonly EncoderPass[], alsoNeeded?: readonly EncoderPass[]): Placed[] {
    const placed = placePasses(set.slots, passes, alsoNeeded);
    for (const one of placed) {
      if (one.first < L) writeInputs(one);
      set.slots[one.slot] = { pass: one.pass, rows: one.first, used: ++uses };
    }
    return placed;
  }

  async function encodeAll(passes: readonly EncoderPass[], want: EncoderWant, options: EncodeOptions) {
    const { onRows, signal, paddingSubmits: submits } = options;
    // Of a prompt without words there is nothing worth keeping.
    const alsoNeeded = (options.alsoNeeded ?? []).filter((pass) => paddingStart(pass) > 2);
    const start = performance.now();
    const outputs: EncoderOutput[] = [];
    let dispatches = 0;
    let rows = 0;
    for (let from = 0; from < passes.length; from += maxSlots) {
      signal?.throwIfAborted();
      const some = passes.slice(from, from + maxSlots);
      const others = alsoNeeded.filter((other) => !some.some((pass) => isSamePass(pass, other)));
      await makeRoom(some.length, some.length + others.length);
      const placed = place(some, alsoNeeded);
      // What is told early is told of all passes, so they have to be of one submit.
      const { now, later } = rowRanges(placed, L, onRows !== undefined && passes.length <= maxSlots);
      let run = await compute(now, placed, want);
      dispatches += run.dispatches;
      rows += run.rows;
      if (later.length > 0) {
        await onRows?.({ ...run, milliseconds: performance.now() - start });
        signal?.throwIfAborted();
        run = await compute(later, placed, want, { submits, signal });
        dispatches += run.dispatches;
        rows += run.rows;
      }
      outputs.push(...run.outputs);
    }
    return { outputs, rows, milliseconds: performance.now() - start, dispatches };
  }

  function freeMerged() {
    for (const { buffer } of merged.values()) buffer.destroy();
  }

  async function mergeAll(wanted: readonly WeightedLora[]) {
    const now = wanted.filter(({ updates, multiplier }) => multiplier !== 0 && updates.length > 0);
    const isSame = (lora: WeightedLora, i: number) =>
      lora.updates === loras[i].updates && lora.multiplier === loras[i].multiplier;
    if (now.length === loras.length && now.every(isSame)) return;
    const made = await mergeLoras(device, pipelines, weights, now);
    if (!made) throw new GpuError(`The GPU has not enough memory to merge LoRAs into "${source.name}".`);
    const before = { bound, set };
    bound = new Map([...weights, ...made]);
    try {
      // The bind groups of the one before have its weights, and its rows are theirs.
      set = await activations(minSlots);
    } catch (error) {
      bound = before.bound;
      for (const { buffer } of made.values()) buffer.destroy();
      throw error;
    }
    before.set.destroy();
    freeMerged();
    loras = now;
    merged = made;
    most = maxSlots;
  }

  async function profileOf(pass: EncoderPass, { first, end }: RowSpan): Promise<Profile> {
    const [placed] = place([pass]);
    const range = { slot: placed.slot, passes: 1, first, end };
    const dispatches = await set.dispatches(range);
    const plan = { ...set.plan, range };
    const elementBytes = (name: string) => weightBytes[bound.get(name)?.dtype ?? 'F32'];
    const looked = visibleKeys(pass, range);
    const steps = dispatches.map(({ step }) => ({
      label: step.label,
      kernel: step.kernel,
      flops: isAttention(step) ? (step.flops * looked.pairs) / ((end - first) * L) : step.flops,
      bytes: stepBytes(step, plan, elementBytes, looked.keys),
    }));
    if (!device.features.has('timestamp-query'))
      return {
        steps: steps.map((step) => ({ ...step, milliseconds: null })),
        noTimes: "This browser or graphics driver does not let pages read the GPU's clock (timestamp-query).",
      };
    const querySet = device.createQuerySet({ type: 'timestamp', count: dispatches.length * 2 });
    const size = dispatches.length * 16;
    const resolved = device.createBuffer({ size, usage: queryResolve | copySource });
    const staging = await submit((encoder) => {
      dispatches.forEach((work, i) => {
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex: i * 2, endOfPassWriteIndex: i * 2 + 1 },
        });
        dispatch(pass, work);
        pass.end();
      });
      const staging = device.createBuffer({ size, usage: copyTarget | mapRead });
      encoder.resolveQuerySet(querySet, 0, dispatches.length * 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      return staging;
    });
    // The same numbers once more; where rows that they depend on are missing, they are numbers of nothing.
    if (pass.causal ? first <= placed.first : first === 0 && end === L)
      set.slots[placed.slot].rows = Math.max(placed.first, end);
    const times = new BigUint64Array(staging.getMappedRange().slice(0));
    for (const disposable of [querySet, resolved, staging]) disposable.destroy();
    return {
      steps: steps.map((step, i) => ({ ...step, milliseconds: Number(times[i * 2 + 1] - times[i * 2]) / 1e6 })),
      noTimes: null,
    };
  }

  let last: Promise<unknown> = Promise.resolve();
  /** One at a time, for each builds on the rows that the one before it left. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = last.then(work);
    last = run.catch(() => undefined);
    return run;
  }
  const dtypes = new Set(
    [...weights].filter(([name]) => /(proj|fc\d)\.weight$/.test(name)).map(([, { dtype }]) => dtype),
  );
  return {
    config,
    dtype: [...dtypes].join(', '),
    gpuBytes: weightBuffers.reduce((sum, buffer) => sum + buffer.size, 0),
    finalLayerNorm,
    get mergedBytes() {
      return [...merged.values()].reduce((sum, { buffer }) => sum + buffer.size, 0);
    },
    get activationBytes() {
      return set.bytes;
    },
    encode(passes, want, how = {}) {
      return inTurn(async () => {
        await mergeAll(how.loras ?? []);
        return encodeAll(passes, want, how);
      });
    },
    profile(pass, rows = { first: 0, end: L }) {
      return inTurn(() => profileOf(pass, rows));
    },
    async compile(signal) {
      for (let rows = 1; rows <= L; rows++)
        for (const step of schedule(config, 1, options.choice, { slot: 0, passes: 1, first: 0, end: rows }).steps) {
          for (let done = last; ; done = last) {
            await done;
            if (done === last) break;
          }
          signal?.throwIfAborted();
          await pipelines(step.kernel, step.constants, weightDtype(step, bound));
        }
    },
    destroy() {
      free();
      freeMerged();
      set.destroy();
    },
  };
}
