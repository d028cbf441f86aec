import type { ClipTextConfig } from '../clip/config.ts';
import type { GpuDevice } from '../gpu/device.ts';
import { type KernelTuning, rememberedTuning, tuneKernels } from '../gpu/tuning.ts';

/** Name of the cache that holds tunings between visits; a worker has no localStorage. */
const cacheName = 'clipscope-tunings';
const address = '/tunings.json';

/** Tunings from earlier visits, joined by those of this one. */
let known: Promise<unknown[]> | undefined;
/** Measurements that are running, by adapter and width: two at once would time each other's work. */
const underway = new Map<string, Promise<KernelTuning>>();

/** Finds the fastest kernels on this adapter: remembered ones, else measured now and then remembered. */
export async function tuningOf(gpu: GpuDevice, config: ClipTextConfig): Promise<KernelTuning> {
  known ??= remembered();
  const tunings = await known;
  const key = `${gpu.description} ${config.hiddenSize}`;
  const found = rememberedTuning(tunings, gpu, config) ?? underway.get(key);
  if (found) return found;
  const measuring = measure(gpu, config, tunings).finally(() => underway.delete(key));
  underway.set(key, measuring);
  return measuring;
}

async function measure(gpu: GpuDevice, config: ClipTextConfig, tunings: unknown[]): Promise<KernelTuning> {
  const measured = await tuneKernels(gpu, config);
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
