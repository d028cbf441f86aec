import { existsSync, readdirSync } from 'node:fs';
import { create, globals } from 'webgpu';

/** Vulkan drivers that run on a CPU, where Debian's packages put their descriptions. */
const softwareDrivers = [
  { adapter: 'SwiftShader', icd: '/usr/lib/chromium/vk_swiftshader_icd.json' },
  { adapter: 'llvmpipe', icd: '/usr/share/vulkan/icd.d/lvp_icd.json' },
].filter(({ icd }) => existsSync(icd));

/** Names of the software adapters that are installed, for `nodeGpu`. */
export const softwareAdapters = softwareDrivers.map(({ adapter }) => adapter);

function systemHasDrivers(): boolean {
  return ['/etc/vulkan/icd.d', '/usr/share/vulkan/icd.d'].some(
    (path) => existsSync(path) && readdirSync(path).length > 0,
  );
}

// Keeps every GPU object alive: Dawn crashes when one is collected while its devices live.
const aliveGpus: GPU[] = [];

/**
 * Dawn for Node, as `navigator.gpu` would be. `adapter`: part of an adapter's name; without it the system's best, or a
 * software driver where the system has none.
 */
export function nodeGpu(adapter?: string): GPU {
  Object.assign(globalThis, globals);
  // lavapipe wants a runtime folder, and the Vulkan loader only knows the drivers of the system's folders.
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  const software = adapter ? softwareAdapters.includes(adapter) : process.platform === 'linux' && !systemHasDrivers();
  if (software) process.env.VK_ICD_FILENAMES ??= softwareDrivers.map(({ icd }) => icd).join(':');
  // Timestamps are rounded to a tenth of a millisecond to guard a browser's users; a kernel on a GPU takes less.
  const exact = 'disable-dawn-features=timestamp_quantization';
  const gpu = create(adapter ? [exact, `adapter=${adapter}`] : [exact]);
  aliveGpus.push(gpu);
  return gpu;
}
