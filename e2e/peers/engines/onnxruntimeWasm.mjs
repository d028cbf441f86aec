import * as ort from 'onnxruntime-web/wasm';
import { loadWith } from './onnxruntime.mjs';

export { prepare } from './onnxruntime.mjs';

export const load = (model, want) => loadWith(ort, model, want);
