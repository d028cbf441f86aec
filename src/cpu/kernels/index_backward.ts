// Everything that training needs besides what index.ts exports.
export { attention_backward } from './attention_backward';
export { quick_gelu_backward, quick_gelu_forward } from './quick_gelu';
export { pack_transposed } from './weights';
