import { mapModeRead, usage } from './flags.ts';
import { GpuError } from './gpuError.ts';
import { dispatch, type Work } from './kernels.ts';

/**
 * Submits what `record` records. Rejects with GpuError where the GPU refuses it: without a check the buffers would keep their
 * old contents unnoticed. A buffer that `record` returns is mapped for reading. `model` names the model in error messages.
 */
export async function submit<T extends GPUBuffer | undefined>(
  device: GPUDevice,
  model: string,
  record: (encoder: GPUCommandEncoder) => T,
): Promise<T> {
  const filters = ['validation', 'out-of-memory'] as const;
  for (const filter of filters) device.pushErrorScope(filter);
  const encoder = device.createCommandEncoder({ label: 'encode' });
  const results = record(encoder);
  device.queue.submit([encoder.finish()]);
  const mapped = results?.mapAsync(mapModeRead);
  // The reason for the refusal, below, says more than that the buffer cannot be mapped.
  mapped?.catch(() => {});
  try {
    const [full, refused] = await Promise.all(filters.map(() => device.popErrorScope()));
    if (full) throw new GpuError(`The GPU has not enough memory left to encode with "${model}".`);
    if (refused) throw new GpuError(`The GPU refused to encode: ${refused.message}`);
    await mapped;
    return results;
  } catch (error) {
    results?.destroy();
    throw error;
  }
}

/** Records dispatches in one compute pass. */
export function dispatchAll(encoder: GPUCommandEncoder, works: readonly Work[]): void {
  const pass = encoder.beginComputePass({ label: 'encode' });
  for (const work of works) dispatch(pass, work);
  pass.end();
}

/** Numbers of four bytes to be read back. */
export interface Copy {
  readonly buffer: GPUBuffer;
  /** Index of the first one. */
  readonly from: number;
  readonly elements: number;
}

/** Records copies, one behind the other, into a new buffer that can be mapped. */
export function copyToStaging(device: GPUDevice, encoder: GPUCommandEncoder, copies: readonly Copy[]): GPUBuffer {
  const size = copies.reduce((sum, { elements }) => sum + elements * 4, 0);
  const staging = device.createBuffer({ label: 'results', size, usage: usage.copyTarget | usage.mapRead });
  let to = 0;
  for (const { buffer, from, elements } of copies) {
    encoder.copyBufferToBuffer(buffer, from * 4, staging, to, elements * 4);
    to += elements * 4;
  }
  return staging;
}
