import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadWith } from './tfjs.mjs';

export { prepare } from './tfjs.mjs';

export const load = (model, want) => loadWith(tf, model, want);
