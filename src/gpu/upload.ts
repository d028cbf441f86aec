import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  tokenEmbeddingName,
  type WeightSource,
} from '../clip/weights.ts';
import { float32View, fromFloat32, toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { usage } from './flags.ts';
import type { Schedule, TensorSpec } from './schedule.ts';
import { GpuError } from './submit.ts';

/** A weight of the schedule, and the type in which the GPU holds its numbers. */
export interface WeightSpec extends TensorSpec {
  readonly dtype: WeightDtype;
}

export interface Weight extends WeightSpec {
  readonly buffer: GPUBuffer;
}

/** Weights by their names in the schedule. */
export type Weights = ReadonlyMap<string, Weight>;

/** The schedule's weights in the order in which they are used. A matrix whose parts differ in type becomes float32. */
export function weightSpecs(source: WeightSource, { tensors }: Schedule): Map<string, WeightSpec> {
  const specs = new Map<string, WeightSpec>();
  for (const [name, spec] of tensors) {
    if (spec.role !== 'weight') continue;
    const dtypes = new Set(spec.from.map((tensor) => source.tensor(tensor).dtype));
    specs.set(name, { ...spec, dtype: spec.kind === 'matrix' && dtypes.size === 1 ? [...dtypes][0] : 'F32' });
  }
  return specs;
}

/** Finds a tensor of the model among the weights: the weight that contains it, and which of its `parts` equal parts it is. */
export function findTensor(weights: Weights, tensor: string) {
  for (const [name, weight] of weights) {
    const part = weight.from.indexOf(tensor);
    if (part >= 0) return { name, weight, part, parts: weight.from.length };
  }
  throw new Error(`The encoder has no weight "${tensor}".`);
}

/** Bytes of tensors that are asked for together: neighbours in a file are then read in one piece. */
const batchBytes = 1 << 24;

/** Returns a function that gives the next tensor of `names` at each call. It reads one batch ahead of its caller. */
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
        // Avoids an unhandled rejection: the caller sees the error when it awaits this tensor.
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

export interface UploadedWeights {
  /** [V, d] as stored. Stays in memory: rows are gathered from it, since it is too large to be bound. */
  readonly tokenTable: Uint8Array<ArrayBuffer>;
  readonly weights: Weights;
  /** [d] each. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
}

/**
 * Reads an encoder's weights and writes them to the GPU. `onProgress` hears of bytes. Rejects with what `source.read` throws,
 * with the signal's reason, or with GpuError; buffers that were created by then are destroyed.
 */
export async function uploadWeights(
  device: GPUDevice,
  source: WeightSource,
  specs: ReadonlyMap<string, WeightSpec>,
  onProgress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<UploadedWeights> {
  const bytesOf = (name: string) => {
    const { dtype, shape } = source.tensor(name);
    return elementCount(shape) * weightBytes[dtype];
  };
  const names = [tokenEmbeddingName, ...[...specs.values()].flatMap(({ from }) => from)];
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
  const errors: Promise<GPUError | null>[] = [];
  try {
    const tokenTable = await read();
    for (const [name, spec] of specs) {
      const size = elementCount(spec.shape) * weightBytes[spec.dtype];
      // A scope for each buffer, closed before anything is awaited: another load would mix its scopes with ours.
      device.pushErrorScope('out-of-memory');
      const buffer = device.createBuffer({
        label: name,
        size,
        usage: usage.storage | usage.copyTarget | usage.copySource,
      });
      errors.push(device.popErrorScope());
      weights.set(name, { ...spec, buffer });
      let at = 0;
      for (const tensor of spec.from) {
        const stored = source.tensor(tensor).dtype;
        const bytes = await read();
        const data = stored === spec.dtype ? bytes : fromFloat32(toFloat32(bytes, stored), spec.dtype);
        device.queue.writeBuffer(buffer, at, data);
        at += data.length;
        if (tensor === finalLayerNormWeightName) finalLayerNorm.weight = float32View(data);
        if (tensor === finalLayerNormBiasName) finalLayerNorm.bias = float32View(data);
      }
    }
    if ((await Promise.all(errors)).some((error) => error))
      throw new GpuError(`The GPU has not enough memory for "${source.name}".`);
    return { tokenTable, weights, finalLayerNorm };
  } catch (error) {
    destroyWeights(weights);
    throw error;
  }
}

export function destroyWeights(weights: Weights): void {
  for (const { buffer } of weights.values()) buffer.destroy();
}
