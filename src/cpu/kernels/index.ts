// Everything that the WebAssembly modules export. Pointers are byte offsets into the memory that they import; nothing is allocated.
export { attention } from './attention';
export { attention_backward } from './attention_backward';
export { embeddings } from './embeddings';
export { layer_norm } from './layer_norm';
export { lora_merge } from './lora_merge';
export { matmul } from './matmul';
export { quick_gelu_backward, quick_gelu_forward } from './quick_gelu';
export { pack, pack_transposed } from './weights';
