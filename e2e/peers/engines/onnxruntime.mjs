import { clipVitL14 } from '../../../src/clip/config.ts';
import { onnxModel } from '../onnxModel.mjs';

const { maxPositionEmbeddings: L, hiddenSize: d } = clipVitL14;

export const prepare = onnxModel;

/** @param ort the package that made `session` */
export const passOf = (ort, session) => ({
  async pass({ rows }) {
    const { y } = await session.run({ x: new ort.Tensor('float32', rows, [1, L, d]) });
    const output = await y.getData();
    y.dispose();
    return output;
  },
});

/** @param ort onnxruntime-web, in the build for `backend` */
export async function loadWith(ort, { model, data }, { backend, threads, onnxruntime = '/onnxruntime/' }) {
  ort.env.wasm.wasmPaths = onnxruntime;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [backend],
    graphOptimizationLevel: 'all',
    externalData: [{ path: 'weights', data }],
  });
  return passOf(ort, session);
}
