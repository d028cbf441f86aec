import type { ClipTextConfig } from '../clip/config.ts';
import type { GpuDevice } from '../gpu/device.ts';
import { type KernelTuning, rememberedTuning, tuneKernels } from '../gpu/tuning.ts';

/** Where what was measured outlasts the page; a worker has no localStorage. */
const cacheName = 'clipscope-tunings';
const address = '/tunings.json';

let known: unknown[] | undefined;

/** Which kernels are fastest on this adapter: as remembered, else measured, and then remembered. */
export async function tuningOf(gpu: GpuDevice, config: ClipTextConfig): Promise<KernelTuning> {
  known ??= await remembered();
  const tuning = rememberedTuning(known, gpu, config);
  if (tuning) return tuning;
  const measured = await tuneKernels(gpu, config);
  known.push(measured);
  void remember(known);
  return measured;
}

async function remembered(): Promise<unknown[]> {
  try {
    const stored = await (await caches.open(cacheName)).match(address);
    const read: unknown = await stored?.json();
    return Array.isArray(read) ? read : [];
  } catch {
    // No cache storage, as on an insecure address: measured once a visit.
    return [];
  }
}

async function remember(tunings: readonly unknown[]): Promise<void> {
  try {
    await (await caches.open(cacheName)).put(address, new Response(JSON.stringify(tunings)));
  } catch {
    // Forbidden or full.
  }
}
