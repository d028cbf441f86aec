import type { ModelInfo } from '../../worker/messages.ts';
import { bytes } from '../page/numbers.ts';

/** The part of a loaded model that tells of its engine. */
type Run = Pick<ModelInfo, 'engine' | 'dtype'>;

function place({ engine, description, threads, software }: ModelInfo['engine']): string {
  if (engine === 'webgpu')
    return software ? `${description}, a processor in the place of a GPU` : `the GPU, ${description}`;
  return `the CPU, ${threads === 1 ? '1 thread' : `${threads} threads`}`;
}

/** "Runs on the CPU, 2 threads · 32-bit numbers · 492 MB of memory". */
export function engineInWords({ engine, dtype }: Run, heldBytes: number): string {
  const bits = [...new Set(dtype.match(/\d+/g))].join('- and ');
  return [`Runs on ${place(engine)}`, `${bits}-bit numbers`, `${bytes(heldBytes)} of memory`].join(' · ');
}

/** Exact terms for it: "CPU, 2 threads, relaxed SIMD · F32 · 492 MB held". */
export function engineInTerms({ engine: { engine, description, software }, dtype }: Run, heldBytes: number): string {
  const device = engine === 'webgpu' ? `WebGPU on ${description}${software ? ' (software)' : ''}` : description;
  return [device, dtype, `${bytes(heldBytes)} held`].join(' · ');
}
