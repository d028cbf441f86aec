// Runs one engine on a page of its own: ?engine=tfjs&backend=webgpu&layers=12&passes=4. run.mjs calls the functions in
// `window.bench`.

import { clipVitL14 } from '../../src/clip/config.ts';
import { syntheticWeights } from '../../src/models/synthetic.ts';
import { passes } from './inputs.mjs';

/**
 * @typedef {import('../../src/clip/weights.ts').WeightSource} WeightSource
 * @typedef {import('./inputs.mjs').Input} Input
 * @typedef {(input: Input) => Promise<Float32Array>} Pass one pass, until lastHiddenState [L, d] is in memory
 *
 * @typedef {object} Engine
 * @property {(source: WeightSource) => Promise<unknown>} prepare what is done once, before anybody opens the page: not timed
 * @property {(model: any, backend: string, threads: number) => Promise<Pass>} load from a prepared model in memory to what runs passes
 */

/** @type {Record<string, (want: { backend: string }) => Promise<Engine>>} */
const engines = {
  clipscope: () => import('./engines/clipscope.mjs'),
  'jax-js': () => import('./engines/jax.mjs'),
  'LiteRT.js': () => import('./engines/litert.mjs'),
  'onnxruntime-web': ({ backend }) =>
    backend === 'webgpu' ? import('./engines/onnxruntimeWebgpu.mjs') : import('./engines/onnxruntimeWasm.mjs'),
  tfjs: ({ backend }) => (backend === 'webgpu' ? import('./engines/tfjsWebgpu.mjs') : import('./engines/tfjsWasm.mjs')),
};

const { engine, backend, layers, passes: count } = Object.fromEntries(new URLSearchParams(location.search));
let module, model, inputs, run;

async function timed(work) {
  const start = performance.now();
  const result = await work();
  return { seconds: (performance.now() - start) / 1000, result };
}

window.bench = {
  async prepare() {
    module = await engines[engine]({ backend });
    const source = syntheticWeights({ ...clipVitL14, numHiddenLayers: Number(layers) });
    inputs = await passes(source, Number(count));
    model = await module.prepare(source);
    window.gc?.();
  },
  async load() {
    const { seconds, result } = await timed(() => module.load(model, backend, navigator.hardwareConcurrency));
    run = result;
    model = undefined;
    return seconds;
  },
  async pass(index) {
    const { seconds, result } = await timed(() => run(inputs[index]));
    return { seconds, output: Array.from(result) };
  },
  /** Collects garbage, so that the memory measured is the engine's; needs --js-flags=--expose-gc. */
  collectGarbage: () => window.gc?.(),
  /** Name of the adapter that WebGPU gives here. */
  async adapter() {
    const info = (await navigator.gpu?.requestAdapter())?.info;
    return info ? info.description || `${info.vendor} ${info.architecture}` : 'no WebGPU adapter';
  },
};
