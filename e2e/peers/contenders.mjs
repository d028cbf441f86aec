import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} Contender
 * @property {string} engine a key of `engines` in page.mjs or nodeProcess.mjs
 * @property {string} backend
 * @property {string} [of] package whose version is shown; without it the engine is ours
 * @property {number} [threads] as many as there are cores where it is left out
 * @property {boolean} [isolated] false: the page is not cross-origin isolated
 */

/** @type {readonly Contender[]} in the order of a round, ours first */
const onWebgpu = [
  { engine: 'clipscope', backend: 'webgpu' },
  { engine: 'onnxruntime-web', backend: 'webgpu', of: 'onnxruntime-web' },
  { engine: 'onnxruntime-web', backend: 'wasm', of: 'onnxruntime-web' },
  { engine: 'tfjs', backend: 'webgpu', of: '@tensorflow/tfjs-backend-webgpu' },
  { engine: 'tfjs', backend: 'wasm', of: '@tensorflow/tfjs-backend-wasm' },
  { engine: 'jax-js', backend: 'webgpu', of: '@jax-js/jax' },
  { engine: 'jax-js', backend: 'wasm', of: '@jax-js/jax' },
  { engine: 'LiteRT.js', backend: 'webgpu', of: '@litertjs/core' },
  { engine: 'LiteRT.js', backend: 'wasm', of: '@litertjs/core' },
];
/** Engines that also run on Dawn in Node. jax-js needs a newer Node than the project, LiteRT.js a page. */
const onDawn = ['clipscope', 'onnxruntime-web', 'tfjs'];
/** Engines that compute in one thread, whatever they are told. */
const singleThreaded = ['jax-js'];

export const isOurs = ({ of }) => of === undefined;

/** Comparisons by where the engines run: `among(threads)` are the contenders of a round, ours first. */
export const settings = {
  webgpu: { among: () => onWebgpu },
  dawn: {
    // onnxruntime-web cannot start threads in Node; on WebGPU it needs none.
    among: () =>
      onWebgpu
        .filter(({ engine, backend }) => backend === 'webgpu' && onDawn.includes(engine))
        .map((one) => ({ ...one, threads: 1 })),
  },
  cpu: {
    among: (threads) => [
      { engine: 'clipscope', backend: 'wasm', threads, isolated: false },
      ...onWebgpu
        .filter(({ engine, backend }) => backend === 'wasm' && (threads === 1 || !singleThreaded.includes(engine)))
        .map((one) => ({ ...one, threads })),
    ],
  },
  node: {
    among: (threads) => [
      { engine: 'clipscope', backend: 'wasm', threads },
      { engine: 'onnxruntime-node', backend: 'cpu', of: 'onnxruntime-node', threads },
    ],
  },
};

/** Returns the version of the package in `packages`, or "this one". */
export const version = ({ of }, packages) =>
  of ? JSON.parse(readFileSync(join(packages, of, 'package.json'), 'utf8')).version : 'this one';
