import { requestGpuDevice } from '../device.ts';
import { nodeGpu, softwareAdapters } from '../node.ts';

/** What the GPU tests run on: every software adapter here, or the system's own where there is none. */
export const testAdapters: readonly (string | undefined)[] =
  softwareAdapters.length > 0 ? softwareAdapters : [undefined];

const devices = new Map<string | undefined, Promise<GPUDevice>>();

/** One device an adapter; throws where there is no adapter, for a GPU test that runs nowhere proves nothing. */
export function testDevice(adapter?: string): Promise<GPUDevice> {
  const known = devices.get(adapter);
  if (known) return known;
  const made = requestGpuDevice(nodeGpu(adapter)).then(({ device }) => {
    device.addEventListener('uncapturederror', ({ error }) => {
      throw error;
    });
    return device;
  });
  devices.set(adapter, made);
  return made;
}
