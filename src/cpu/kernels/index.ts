// Everything that the encoder's modules export. Pointers are byte offsets into the memory that they import; nothing is allocated.
export { attention } from './attention';
export { embeddings } from './embeddings';
export { layer_norm } from './layer_norm';
export { lora_merge } from './lora_merge';
export { matmul } from './matmul';
export { pack } from './weights';
