import { float32View, fromFloat32, toFloat32 } from '../checkpoint/dtypes.ts';
import { tokenRows } from '../checkpoint/tokenTable.ts';
import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass, EncoderWant } from '../clip/encode.ts';
import { attentionMask } from '../clip/masks.ts';
import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  layerTensor,
  positionEmbeddingName,
  tokenEmbeddingName,
  type WeightDtype,
  type WeightSource,
  weightBytes,
} from '../clip/weights.ts';
import { createPipelines, dispatch, type Kernel, kernels, type Pipelines, type Work } from './kernels.ts';
import {
  attentionsName,
  hiddenName,
  type MatmulChoice,
  type RowRange,
  type Schedule,
  type Step,
  schedule,
} from './schedule.ts';

export interface EncodeRun {
  readonly outputs: readonly EncoderOutput[];
  /** Rows (tokens) of all passes that were computed; the others were there from the pass before. */
  readonly rows: number;
  /** From the call until the results are in memory. */
  readonly milliseconds: number;
  readonly dispatches: number;
}

export interface GpuEncoder {
  readonly config: ClipTextConfig;
  /** Storage types of the layers' matrices: "F16", or "F16, F32" in a file that mixes them. */
  readonly dtype: string;
  /** Weights held on the GPU. */
  readonly gpuBytes: number;
  /** [d] each. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
  encode(passes: readonly EncoderPass[], want: EncoderWant): Promise<EncodeRun>;
  /** Nanoseconds of each step of one encode of `batch` passes, by the GPU's own clock. Needs `timestamp-query`. */
  profile(batch: number): Promise<{ step: Step; nanoseconds: number }[]>;
  destroy(): void;
}

/** Passes of one submit; more are encoded in several. Bounds what activations take on the GPU: 18 MB a pass. */
const maxBatch = 8;

/** Alignment of a buffer binding's offset. */
const alignment = 256;
const align = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const storage = 0x80; // GPUBufferUsage, which Node has no global for: STORAGE, COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE
const copySource = 0x04;
const copyTarget = 0x08;
const mapRead = 0x01;
const queryResolve = 0x200;

interface Weight {
  readonly buffer: GPUBuffer;
  readonly dtype: WeightDtype;
}

/** Uploads every layer's tensors as `schedule` names them. Q, K and V become one matrix, [3d, d]; half weights stay half. */
async function uploadWeights(
  device: GPUDevice,
  source: WeightSource,
  onProgress: (done: number, total: number) => void,
  signal?: AbortSignal,
) {
  const { config } = source;
  const weights = new Map<string, Weight>();
  const buffers: GPUBuffer[] = [];
  const bytesOf = (name: string) => {
    const { dtype, shape } = source.tensor(name);
    return count(shape) * weightBytes[dtype];
  };
  const parts: { name: string; from: string[]; matrix: boolean }[] = [
    { name: 'positionEmbedding', from: [positionEmbeddingName], matrix: false },
  ];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const add = (part: string, ...from: Parameters<typeof layerTensor>[1][]) =>
      parts.push({
        name: `layers.${layer}.${part}`,
        from: from.map((tensor) => layerTensor(layer, tensor)),
        matrix: part.endsWith('weight') && !part.includes('layer_norm'),
      });
    add('layer_norm1.weight', 'layer_norm1.weight');
    add('layer_norm1.bias', 'layer_norm1.bias');
    add('self_attn.qkv_proj.weight', 'self_attn.q_proj.weight', 'self_attn.k_proj.weight', 'self_attn.v_proj.weight');
    add('self_attn.qkv_proj.bias', 'self_attn.q_proj.bias', 'self_attn.k_proj.bias', 'self_attn.v_proj.bias');
    add('self_attn.out_proj.weight', 'self_attn.out_proj.weight');
    add('self_attn.out_proj.bias', 'self_attn.out_proj.bias');
    add('layer_norm2.weight', 'layer_norm2.weight');
    add('layer_norm2.bias', 'layer_norm2.bias');
    add('mlp.fc1.weight', 'mlp.fc1.weight');
    add('mlp.fc1.bias', 'mlp.fc1.bias');
    add('mlp.fc2.weight', 'mlp.fc2.weight');
    add('mlp.fc2.bias', 'mlp.fc2.bias');
  }
  parts.push({ name: 'final_layer_norm.weight', from: [finalLayerNormWeightName], matrix: false });
  parts.push({ name: 'final_layer_norm.bias', from: [finalLayerNormBiasName], matrix: false });

  const total = parts.reduce(
    (sum, { from }) => sum + from.reduce((s, name) => s + bytesOf(name), 0),
    bytesOf(tokenEmbeddingName),
  );
  let done = 0;
  const read = async (name: string) => {
    const bytes = await source.read(name, signal);
    done += bytes.length;
    onProgress(done, total);
    return bytes;
  };
  const finalLayerNorm = { weight: new Float32Array(0), bias: new Float32Array(0) };
  try {
    const tokenTable = await read(tokenEmbeddingName);
    for (const { name, from, matrix } of parts) {
      const dtypes = new Set(from.map((tensor) => source.tensor(tensor).dtype));
      // Vectors are few bytes and are kept in float32; a matrix keeps its type unless its parts differ.
      const dtype: WeightDtype = matrix && dtypes.size === 1 ? [...dtypes][0] : 'F32';
      const size = from.reduce((sum, tensor) => sum + count(source.tensor(tensor).shape) * weightBytes[dtype], 0);
      const buffer = device.createBuffer({ label: name, size, usage: storage | copyTarget });
      buffers.push(buffer);
      let at = 0;
      for (const tensor of from) {
        const stored = source.tensor(tensor).dtype;
        const bytes = await read(tensor);
        const data = stored === dtype ? bytes : fromFloat32(toFloat32(bytes, stored), dtype);
        device.queue.writeBuffer(buffer, at, data);
        at += data.length;
        if (tensor === finalLayerNormWeightName) finalLayerNorm.weight = float32View(data);
        if (tensor === finalLayerNormBiasName) finalLayerNorm.bias = float32View(data);
      }
      weights.set(name, { buffer, dtype });
    }
    return { tokenTable, weights, buffers, finalLayerNorm };
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

interface PreparedStep extends Work {
  readonly step: Step;
}

/** The buffers of one batch size, and the dispatches of the ranges of rows that were asked for. */
interface Activations {
  /** Tensor name → its buffer. */
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  readonly plan: Schedule;
  dispatches(range: RowRange): Promise<readonly PreparedStep[]>;
  destroy(): void;
}

function createActivations(
  device: GPUDevice,
  pipelines: Pipelines,
  config: ClipTextConfig,
  weights: ReadonlyMap<string, Weight>,
  batch: number,
  matmul?: MatmulChoice,
): Activations {
  const whole = schedule(config, batch, matmul);
  const buffers = new Map<string, GPUBuffer>();
  const own: GPUBuffer[] = [];
  for (const [name, { role, shape }] of whole.tensors) {
    const weight = weights.get(name);
    if (role === 'weight' && !weight) throw new Error(`The schedule needs a weight "${name}" that was not loaded.`);
    if (weight) buffers.set(name, weight.buffer);
    else {
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
  function binding(name: string, { range, tensors }: Schedule): GPUBufferBinding {
    const { shape, byRow } = tensors.get(name)!;
    const buffer = buffers.get(name)!;
    const bytes = count(shape) * weightBytes[weights.get(name)?.dtype ?? 'F32'];
    if (!byRow || batch > 1) return { buffer, size: bytes };
    const rowBytes = bytes / config.maxPositionEmbeddings;
    return { buffer, offset: range.first * rowBytes, size: (range.end - range.first) * rowBytes };
  }

  function prepare(plan: Schedule): Promise<PreparedStep[]> {
    return Promise.all(
      plan.steps.map(async (step): Promise<PreparedStep> => {
        const kernel: Kernel = kernels[step.kernel];
        const weight = kernel.bindings.findIndex(([name]) => name === 'weight');
        const dtype = kernel.weights ? weights.get(step.tensors[weight])!.dtype : 'F32';
        const pipeline = await pipelines(step.kernel, step.constants, dtype);
        // Attention looks at rows before its range too, and takes the range as an input.
        const all: Schedule = step.kernel === 'attention' ? whole : plan;
        const bindGroup = device.createBindGroup({
          label: step.label,
          layout: pipeline.getBindGroupLayout(0),
          entries: step.tensors.map((name, i) => ({ binding: i, resource: binding(name, all) })),
        });
        return { step, pipeline, bindGroup, grid: step.grid };
      }),
    );
  }

  const prepared = new Map<number, Promise<readonly PreparedStep[]>>();
  return {
    buffers,
    plan: whole,
    dispatches(range) {
      const key = range.first * 1000 + range.end;
      const known = prepared.get(key);
      if (known) return known;
      const made = prepare(schedule(config, batch, matmul, range));
      prepared.set(key, made);
      return made;
    },
    destroy() {
      for (const buffer of own) buffer.destroy();
    },
  };
}

/**
 * The first row of `pass` that can differ from the same row of `before`: under a causal mask a row depends on nothing that
 * comes after it. L where nothing differs, 0 without a causal mask.
 */
function firstChangedRow(before: EncoderPass | undefined, pass: EncoderPass): number {
  if (!before?.causal || !pass.causal || before.inputIds.length !== pass.inputIds.length) return 0;
  const differs = (_: number, i: number) => {
    const [a, b] = [before.vectors?.get(i), pass.vectors?.get(i)];
    const vectorDiffers = a !== b && !(a && b && a.every((value, c) => value === b[c]));
    return before.inputIds[i] !== pass.inputIds[i] || before.keyMask[i] !== pass.keyMask[i] || vectorDiffers;
  };
  const first = Array.from(pass.inputIds).findIndex(differs);
  return first < 0 ? pass.inputIds.length : first;
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
    readonly matmul?: MatmulChoice;
  } = {},
): Promise<GpuEncoder> {
  const { config } = source;
  const pipelines = createPipelines(device);
  device.pushErrorScope('out-of-memory');
  const upload = uploadWeights(device, source, options.onProgress ?? (() => {}), options.signal);
  const outOfMemory = upload.then(
    () => device.popErrorScope(),
    () => device.popErrorScope(),
  );
  const { tokenTable, weights, buffers: weightBuffers, finalLayerNorm } = await upload;
  const free = () => {
    for (const buffer of weightBuffers) buffer.destroy();
  };
  if (await outOfMemory) {
    free();
    throw new GpuError(`The GPU has not enough memory for "${source.name}".`);
  }
  const single = createActivations(device, pipelines, config, weights, 1, options.matmul);
  const everyRow: RowRange = { first: 0, end: config.maxPositionEmbeddings };
  /** The pass whose rows `single` holds. */
  let held: EncoderPass | undefined;
  let several: { batch: number; made: Activations } | undefined;
  function activationsFor(batch: number): Activations {
    if (batch === 1) return single;
    if (several?.batch === batch) return several.made;
    several?.made.destroy();
    several = { batch, made: createActivations(device, pipelines, config, weights, batch, options.matmul) };
    return several.made;
  }
  try {
    await single.dispatches(everyRow);
    options.signal?.throwIfAborted();
  } catch (error) {
    free();
    single.destroy();
    throw error;
  }

  const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N, numAttentionHeads: h } = config;
  const tokenDtype = source.tensor(tokenEmbeddingName).dtype;

  function writeInputs({ buffers }: Activations, passes: readonly EncoderPass[]) {
    passes.forEach((pass, b) => {
      const rows = tokenRows(tokenTable, tokenDtype, pass.inputIds, d);
      for (const [at, vector] of pass.vectors ?? []) rows.set(vector, at * d);
      device.queue.writeBuffer(buffers.get('tokenRows')!, b * L * d * 4, rows);
      device.queue.writeBuffer(buffers.get('mask')!, b * L * L * 4, Uint32Array.from(attentionMask(pass)));
    });
  }

  async function encodeBatch(passes: readonly EncoderPass[], want: EncoderWant) {
    const batch = passes.length;
    const set = activationsFor(batch);
    const range = batch === 1 ? { first: firstChangedRow(held, passes[0]), end: L } : everyRow;
    const dispatches = range.first < L ? await set.dispatches(range) : [];
    writeInputs(set, passes);
    device.queue.writeBuffer(set.buffers.get('range')!, 0, Uint32Array.of(range.first, range.end));
    const encoder = device.createCommandEncoder({ label: 'encode' });
    const pass = encoder.beginComputePass({ label: 'encode' });
    for (const work of dispatches) dispatch(pass, work);
    pass.end();

    const wanted = ['lastHiddenState', ...want.hiddenStates.map(hiddenName)];
    if (want.attentions) for (let layer = 0; layer < N; layer++) wanted.push(attentionsName(layer));
    const bytesOf = (name: string) => count(set.plan.tensors.get(name)!.shape) * 4;
    const staging = device.createBuffer({
      label: 'results',
      size: wanted.reduce((sum, name) => sum + bytesOf(name), 0),
      usage: copyTarget | mapRead,
    });
    let at = 0;
    for (const name of wanted) {
      encoder.copyBufferToBuffer(set.buffers.get(name)!, 0, staging, at, bytesOf(name));
      at += bytesOf(name);
    }
    device.queue.submit([encoder.finish()]);
    if (batch === 1) held = passes[0];
    try {
      await staging.mapAsync(1);
      const results = new Float32Array(staging.getMappedRange());
      const hidden = L * d;
      const part = (index: number, b: number) =>
        results.slice((index * batch + b) * hidden, (index * batch + b + 1) * hidden);
      const attentionsAt = (1 + want.hiddenStates.length) * batch * hidden;
      const outputs = passes.map((_, b): EncoderOutput => {
        const attentions = want.attentions ? new Float32Array(N * h * L * L) : undefined;
        for (let layer = 0; attentions && layer < N; layer++) {
          const start = attentionsAt + (layer * batch + b) * h * L * L;
          attentions.set(results.subarray(start, start + h * L * L), layer * h * L * L);
        }
        return {
          lastHiddenState: part(0, b),
          hiddenStates: new Map(want.hiddenStates.map((index, i) => [index, part(i + 1, b)])),
          attentions,
        };
      });
      return { outputs, dispatches: dispatches.length, rows: batch * (range.end - range.first) };
    } finally {
      staging.destroy();
    }
  }

  async function encodeAll(passes: readonly EncoderPass[], want: EncoderWant): Promise<EncodeRun> {
    const start = performance.now();
    const outputs: EncoderOutput[] = [];
    let dispatches = 0;
    let rows = 0;
    for (let from = 0; from < passes.length; from += maxBatch) {
      const batch = await encodeBatch(passes.slice(from, from + maxBatch), want);
      outputs.push(...batch.outputs);
      dispatches += batch.dispatches;
      rows += batch.rows;
    }
    return { outputs, rows, milliseconds: performance.now() - start, dispatches };
  }

  let last: Promise<unknown> = Promise.resolve();
  const dtypes = new Set(
    [...weights].filter(([name]) => /(proj|fc\d)\.weight$/.test(name)).map(([, { dtype }]) => dtype),
  );
  return {
    config,
    dtype: [...dtypes].join(', '),
    gpuBytes: weightBuffers.reduce((sum, buffer) => sum + buffer.size, 0),
    finalLayerNorm,
    encode(passes, want) {
      // One at a time, for each builds on the rows that the one before it left.
      const run = last.then(() => encodeAll(passes, want));
      last = run.catch(() => undefined);
      return run;
    },
    async profile(batch) {
      const set = activationsFor(batch);
      device.queue.writeBuffer(set.buffers.get('range')!, 0, Uint32Array.of(0, L));
      if (batch === 1) held = undefined;
      const dispatches = await set.dispatches(everyRow);
      const querySet = device.createQuerySet({ type: 'timestamp', count: dispatches.length * 2 });
      const size = dispatches.length * 16;
      const resolved = device.createBuffer({ size, usage: queryResolve | copySource });
      const staging = device.createBuffer({ size, usage: copyTarget | mapRead });
      const encoder = device.createCommandEncoder({ label: 'profile' });
      dispatches.forEach((work, i) => {
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex: i * 2, endOfPassWriteIndex: i * 2 + 1 },
        });
        dispatch(pass, work);
        pass.end();
      });
      encoder.resolveQuerySet(querySet, 0, dispatches.length * 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(1);
      const times = new BigUint64Array(staging.getMappedRange().slice(0));
      for (const disposable of [querySet, resolved, staging]) disposable.destroy();
      return dispatches.map(({ step }, i) => ({ step, nanoseconds: Number(times[i * 2 + 1] - times[i * 2]) }));
    },
    destroy() {
      free();
      single.destroy();
      several?.made.destroy();
    },
  };
}
