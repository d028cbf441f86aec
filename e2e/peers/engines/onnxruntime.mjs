import { clipVitL14 } from '../../../src/clip/config.ts';
import { onnxModel } from '../onnxModel.mjs';

const { maxPositionEmbeddings: L, hiddenSize: d } = clipVitL14;

export const prepare = onnxModel;

/**
 * @param ort onnxruntime-web, in the build for `backend`
 * @param wasm where its WebAssembly is
 */
export async function loadWith(ort, { model, data }, backend, threads, wasm = '/onnxruntime/') {
  ort.env.wasm.wasmPaths = wasm;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [backend],
    graphOptimizationLevel: 'all',
    externalData: [{ path: 'weights', data }],
  });
  return async ({ rows }) => {
    const { y } = await session.run({ x: new ort.Tensor('float32', rows, [1, L, d]) });
    const output = await y.getData();
    y.dispose();
    return output;
  };
}
