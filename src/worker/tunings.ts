import type { GpuDevice } from '../gpu/device.ts';
import { type KernelTuning, measureKernels, rememberedTuning } from '../gpu/tuning.ts';

/** Name of the cache that holds tunings between visits; a worker has no localStorage. */
const cacheName = 'clipscope-tunings';
const address = '/tunings.json';

/** Tunings from earlier visits, joined by those of this one. */
let known: Promise<unknown[]> | undefined;
/** Measurements that are running, by adapter: two at once would time each other's work. */
const underway = new Map<string, Promise<KernelTuning>>();

/** Finds the fastest kernels on this adapter: remembered ones, else measured now and then remembered. */
export async function tuningOf(gpu: GpuDevice): Promise<KernelTuning> {
  known ??= remembered();
  const tunings = await known;
  const found = rememberedTuning(tunings, gpu) ?? underway.get(gpu.description);
  if (found) return found;
  const measuring = measure(gpu, tunings).finally(() => underway.delete(gpu.description));
  underway.set(gpu.description, measuring);
  return measuring;
}

async function measure(gpu: GpuDevice, tunings: unknown[]): Promise<KernelTuning> {
  const measured = await measureKernels(gpu);
  // A lost device finishes all work at once, so that its times mean nothing.
  const lost = await Promise.race([gpu.device.lost, undefined]);
  if (!lost) {
    tunings.push(measured);
    void remember(tunings);
  }
  return measured;
}

async function remembered(): Promise<unknown[]> {
  try {
    const stored = await (await caches.open(cacheName)).match(address);
    const read: unknown = await stored?.json();
    return Array.isArray(read) ? read : [];
  } catch {
    // An insecure address has no cache storage: kernels are measured once a visit.
    return [];
  }
}

async function remember(tunings: readonly unknown[]): Promise<void> {
  try {
    await (await caches.open(cacheName)).put(address, new Response(JSON.stringify(tunings)));
  } catch {
    // Cache storage is forbidden or full: the next visit measures again.
  }
}
