import type { WeightSource } from '../clip/weights.ts';
import { type ReadWeights, readWeights, type WeightSpec } from '../engine/weightReading.ts';
import { weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import { usage } from './flags.ts';
import { GpuError } from './gpuError.ts';

export interface Weight extends WeightSpec {
  readonly buffer: GPUBuffer;
}

/** Weights by their names in the schedule. */
export type Weights = ReadonlyMap<string, Weight>;

export interface UploadedWeights extends ReadWeights {
  readonly weights: Weights;
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
  const weights = new Map<string, Weight>();
  const errors: Promise<GPUError | null>[] = [];
  const place = (name: string, spec: WeightSpec) => {
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
    return (part: number, data: Uint8Array<ArrayBuffer>) => device.queue.writeBuffer(buffer, part * data.length, data);
  };
  try {
    const read = await readWeights(source, specs, place, onProgress, signal);
    if ((await Promise.all(errors)).some((error) => error))
      throw new GpuError(`The GPU has not enough memory for "${source.name}".`);
    return { ...read, weights };
  } catch (error) {
    destroyWeights(weights);
    throw error;
  }
}

export function destroyWeights(weights: Weights): void {
  for (const { buffer } of weights.values()) buffer.destroy();
}
