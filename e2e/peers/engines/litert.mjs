import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';
import { clipVitL14 } from '../../../src/clip/config.ts';
import { tfliteModel } from '../tfliteModel.mjs';

const { maxPositionEmbeddings: L, hiddenSize: d } = clipVitL14;

export const prepare = tfliteModel;

export async function load(bytes, { backend: accelerator, threads }) {
  await loadLiteRt('/litert/', { threads: accelerator === 'wasm' && threads > 1 });
  // Half precision, the default on WebGPU, would not be equal work.
  const model = await loadAndCompile(bytes, {
    accelerator,
    cpuOptions: { numThreads: threads },
    gpuOptions: { precision: 'fp32' },
  });
  if (model.options.accelerator !== accelerator || !model.isFullyAccelerated)
    throw new Error(`LiteRT.js does not run all of the model on ${accelerator}.`);
  return {
    async pass({ rows }) {
      const input = new Tensor(rows, [1, L, d]);
      const [output] = await model.run(input);
      const data = await output.data();
      input.delete();
      output.delete();
      return data;
    },
  };
}
