// Runs one engine, in a page (page.mjs) or in a Node process (nodeProcess.mjs).
import { clipVitL14 } from '../../src/clip/config.ts';
import { syntheticWeights } from '../../src/models/synthetic.ts';
import { passes } from './inputs.mjs';

/**
 * @typedef {import('../../src/clip/weights.ts').WeightSource} WeightSource
 * @typedef {import('./inputs.mjs').Input} Input
 *
 * @typedef {object} Encoder
 * @property {(input: Input) => Promise<Float32Array>} pass one pass, until lastHiddenState [L, d] is in memory
 * @property {(input: Input) => Promise<number>} [edit] seconds until the rows up to EOS are there, after an edit of the
 * last of 20 tokens
 *
 * @typedef {object} Engine
 * @property {(source: WeightSource) => Promise<unknown>} prepare what is done once, before anybody opens the page: not timed
 * @property {(model: any, want: Want) => Promise<Encoder>} load from a prepared model in memory to what runs passes
 *
 * @typedef {object} Want
 * @property {string} backend
 * @property {number} threads
 * @property {string} [onnxruntime] where onnxruntime-web's WebAssembly is, if not on the page's server
 */

async function timed(work) {
  const start = performance.now();
  const result = await work();
  return { seconds: (performance.now() - start) / 1000, result };
}

/**
 * @param {() => Promise<Engine>} engine
 * @param {Want & { layers: number, count: number }} want
 */
export function createRunner(engine, { layers, count, ...want }) {
  let module, model, inputs, encoder;
  return {
    async prepare() {
      module = await engine();
      const source = syntheticWeights({ ...clipVitL14, numHiddenLayers: layers });
      inputs = await passes(source, count);
      model = await module.prepare(source);
      globalThis.gc?.();
    },
    async load() {
      const { seconds, result } = await timed(() => module.load(model, want));
      encoder = result;
      model = undefined;
      return seconds;
    },
    /** Runs a pass; `check`: its output is told too. */
    async pass(index, check) {
      const { seconds, result } = await timed(() => encoder.pass(inputs[index]));
      return { seconds, ...(check && { output: Array.from(result) }) };
    },
    /** Seconds of an edit; undefined for an engine that has to compute all rows again. */
    edit: (index) => encoder.edit?.(inputs[index]),
    /** Collects garbage, so that the memory measured is the engine's; needs --expose-gc. */
    collectGarbage: () => globalThis.gc?.(),
  };
}
