import { type GpuDevice, requestGpuDevice } from '../device.ts';
import { nodeGpu, softwareAdapters } from '../node.ts';

/** Adapters that the GPU tests run on: every software adapter here, or the system's own if there is none. */
export const testAdapters: readonly (string | undefined)[] =
  softwareAdapters.length > 0 ? softwareAdapters : [undefined];

const devices = new Map<string | undefined, Promise<GpuDevice>>();

/** One device for each adapter. Throws if there is no adapter: a GPU test that runs nowhere proves nothing. */
export function testGpu(adapter?: string): Promise<GpuDevice> {
  const known = devices.get(adapter);
  if (known) return known;
  const made = requestGpuDevice(nodeGpu(adapter)).then((gpu) => {
    gpu.device.addEventListener('uncapturederror', ({ error }) => {
      throw error;
    });
    return gpu;
  });
  devices.set(adapter, made);
  return made;
}

export const testDevice = async (adapter?: string): Promise<GPUDevice> => (await testGpu(adapter)).device;
