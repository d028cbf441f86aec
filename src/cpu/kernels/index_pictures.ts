// Everything that the denoiser needs besides what index.ts and index_backward.ts export.
export { gather_neighbours } from './gather_neighbours';
export { layer_norm_backward } from './layer_norm_backward';
export { softmax, softmax_backward } from './softmax';
