import * as ort from 'onnxruntime-web/wasm';
import { loadWith } from './onnxruntime.mjs';

export { prepare } from './onnxruntime.mjs';

export const load = (model, backend, threads) => loadWith(ort, model, backend, threads);
