// Runs one engine on WebGPU in Node, through Dawn, for adapters that Chromium does not offer. run.mjs --dawn builds and
// runs it.
import { pathToFileURL } from 'node:url';
import { clipVitL14 } from '../../src/clip/config.ts';
import { requestGpuDevice } from '../../src/gpu/device.ts';
import { nodeGpu } from '../../src/gpu/node.ts';
import { syntheticWeights } from '../../src/models/synthetic.ts';
import { passes } from './inputs.mjs';

const engines = {
  clipscope: () => import('./engines/clipscope.mjs'),
  'onnxruntime-web': () => import('./engines/onnxruntimeWebgpu.mjs'),
  tfjs: () => import('./engines/tfjsWebgpu.mjs'),
};

async function timed(work) {
  const start = performance.now();
  const result = await work();
  return { seconds: (performance.now() - start) / 1000, result };
}

/** Copies views of shared memory, which onnxruntime-web uses and Dawn for Node does not accept. */
function acceptSharedMemory() {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, ...range) {
    const isShared = ArrayBuffer.isView(data) && data.buffer instanceof SharedArrayBuffer;
    return writeBuffer.call(this, buffer, offset, isShared ? data.slice() : data, ...range);
  };
}

const processor = () => Object.values(process.cpuUsage()).reduce((sum, microseconds) => sum + microseconds / 1e6, 0);

/** Returns the results that a page of page.mjs returns, without memory and code sizes. */
async function runEngine({ adapter, engine, layers, count, warmSeconds, onnxruntime }) {
  const gpu = nodeGpu(adapter);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'Node' }, configurable: true });
  acceptSharedMemory();
  const { prepare, load } = await engines[engine]();
  const source = syntheticWeights({ ...clipVitL14, numHiddenLayers: layers });
  const inputs = await passes(source, count);
  const model = await prepare(source);
  const { seconds: loaded, result: run } = await timed(() =>
    load(model, 'webgpu', 1, `${pathToFileURL(onnxruntime)}/`),
  );
  const runs = [];
  const sum = () => runs.slice(1).reduce((total, { seconds }) => total + seconds, 0);
  let before = processor();
  while (runs.length < inputs.length && (runs.length < 2 || sum() < warmSeconds)) {
    runs.push(await timed(() => run(inputs[runs.length])));
    if (runs.length === 1) before = processor();
  }
  return {
    adapter: (await requestGpuDevice(gpu)).description,
    load: loaded,
    passes: runs.map(({ seconds }) => seconds),
    processor: (processor() - before) / (runs.length - 1),
    outputs: runs.map(({ result }) => Array.from(result)),
  };
}

// Dawn keeps the process alive.
process.send(await runEngine(JSON.parse(process.argv[2])), () => process.exit());
