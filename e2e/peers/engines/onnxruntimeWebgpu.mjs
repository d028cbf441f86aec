import * as ort from 'onnxruntime-web/webgpu';
import { loadWith } from './onnxruntime.mjs';

export { prepare } from './onnxruntime.mjs';

export const load = (model, backend, threads, wasm) => loadWith(ort, model, backend, threads, wasm);
