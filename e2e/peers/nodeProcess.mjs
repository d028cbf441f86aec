// Runs one engine in Node: on the processor, or on WebGPU through Dawn, for adapters that Chromium does not offer.
// inNode.mjs starts it and sends it the calls.
import { cpus } from 'node:os';
import { pathToFileURL } from 'node:url';
import { requestGpuDevice } from '../../src/gpu/device.ts';
import { nodeGpu } from '../../src/gpu/node.ts';
import { createRunner } from './runner.mjs';

const engines = {
  clipscope: ({ backend }) =>
    backend === 'webgpu' ? import('./engines/clipscopeWebgpu.mjs') : import('./engines/clipscopeNode.mjs'),
  'onnxruntime-node': () => import('./engines/onnxruntimeNode.mjs'),
  'onnxruntime-web': () => import('./engines/onnxruntimeWebgpu.mjs'),
  tfjs: () => import('./engines/tfjsWebgpu.mjs'),
};

/** Copies views of shared memory, which onnxruntime-web uses and Dawn for Node does not accept. */
function acceptSharedMemory() {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, ...range) {
    const isShared = ArrayBuffer.isView(data) && data.buffer instanceof SharedArrayBuffer;
    return writeBuffer.call(this, buffer, offset, isShared ? data.slice() : data, ...range);
  };
}

/** Gives this process WebGPU on the adapter with `name` in its name; returns the adapter's description. */
async function useDawn(name) {
  const gpu = nodeGpu(name);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'Node' }, configurable: true });
  acceptSharedMemory();
  return (await requestGpuDevice(gpu)).description;
}

const { engine, backend, threads = cpus().length, layers, count, adapter, onnxruntime } = JSON.parse(process.argv[2]);
const description = backend === 'webgpu' ? await useDawn(adapter) : cpus()[0].model;
const runner = createRunner(() => engines[engine]({ backend }), {
  backend,
  threads,
  layers,
  count,
  onnxruntime: `${pathToFileURL(onnxruntime)}/`,
});
const empty = process.memoryUsage.rss() / 1e6;
await runner.prepare();
process.on('message', async ({ name, of }) => process.send((await runner[name](...of)) ?? null));
process.send({ load: await runner.load(), empty, description });
