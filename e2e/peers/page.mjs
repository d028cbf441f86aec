// Runs one engine on a page of its own: ?engine=tfjs&backend=wasm&threads=2&layers=12&passes=4. inChromium.mjs calls the
// functions in `window.bench`.
import { createRunner } from './runner.mjs';

/** @type {Record<string, (want: { backend: string }) => Promise<import('./runner.mjs').Engine>>} */
const engines = {
  clipscope: ({ backend }) =>
    backend === 'webgpu' ? import('./engines/clipscopeWebgpu.mjs') : import('./engines/clipscopeWasm.mjs'),
  'jax-js': () => import('./engines/jax.mjs'),
  'LiteRT.js': () => import('./engines/litert.mjs'),
  'onnxruntime-web': ({ backend }) =>
    backend === 'webgpu' ? import('./engines/onnxruntimeWebgpu.mjs') : import('./engines/onnxruntimeWasm.mjs'),
  tfjs: ({ backend }) => (backend === 'webgpu' ? import('./engines/tfjsWebgpu.mjs') : import('./engines/tfjsWasm.mjs')),
};

const { engine, backend, layers, passes, threads } = Object.fromEntries(new URLSearchParams(location.search));

window.bench = {
  ...createRunner(() => engines[engine]({ backend }), {
    backend,
    layers: Number(layers),
    count: Number(passes),
    threads: Number(threads ?? navigator.hardwareConcurrency),
  }),
  /** Name of the adapter that WebGPU gives here. */
  async adapter() {
    const info = (await navigator.gpu?.requestAdapter())?.info;
    return info ? info.description || `${info.vendor} ${info.architecture}` : 'no WebGPU adapter';
  },
};
