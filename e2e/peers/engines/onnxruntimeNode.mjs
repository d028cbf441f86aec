import ort from 'onnxruntime-node';
import { passOf } from './onnxruntime.mjs';

export { prepare } from './onnxruntime.mjs';

export async function load({ model, data }, { backend, threads }) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [backend],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    externalData: [{ path: 'weights', data }],
  });
  return passOf(ort, session);
}
