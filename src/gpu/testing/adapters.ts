import { type GpuDevice, requestGpuDevice } from '../device.ts';
import { nodeGpu, softwareAdapters } from '../node.ts';

/** Adapters that the GPU tests run on: every software adapter here, or the system's own if there is none. */
export const testAdapters: readonly (string | undefined)[] =
  softwareAdapters.length > 0 ? softwareAdapters : [undefined];

const isNative = (task: unknown) => Function.prototype.toString.call(task).includes('[native code]');
let pollsSeldom = false;

/**
 * Makes Dawn poll less often. While work is under way it asks by `setImmediate`, again and again, whether the work is done. On a
 * software adapter that takes a third of two cores from the work, so this thread sleeps 0.1 ms before each question.
 */
function pollSeldom(): void {
  if (pollsSeldom) return;
  pollsSeldom = true;
  const immediately = globalThis.setImmediate as (...task: unknown[]) => unknown;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  globalThis.setImmediate = Object.assign((task: unknown, ...rest: unknown[]) => {
    if (isNative(task)) Atomics.wait(sleeper, 0, 0, 0.1);
    return immediately(task, ...rest);
  }, immediately) as typeof setImmediate;
}

/** A new device, which a test may lose. */
export function newGpu(adapter?: string): Promise<GpuDevice> {
  if (adapter) pollSeldom();
  return requestGpuDevice(nodeGpu(adapter));
}

const devices = new Map<string | undefined, Promise<GpuDevice>>();

/** One device for each adapter. Throws if there is no adapter: a GPU test that runs nowhere proves nothing. */
export function testGpu(adapter?: string): Promise<GpuDevice> {
  const known = devices.get(adapter);
  if (known) return known;
  const made = newGpu(adapter).then((gpu) => {
    gpu.device.addEventListener('uncapturederror', ({ error }) => {
      throw error;
    });
    return gpu;
  });
  devices.set(adapter, made);
  return made;
}

export const testDevice = async (adapter?: string): Promise<GPUDevice> => (await testGpu(adapter)).device;
