/**
 * Which original's text clean-up and pre-tokenisation. The default is the first: what A1111 runs, transformers'
 * Python CLIPTokenizer with ftfy. `hf-slow` is the same without ftfy, `hf-fast` the Rust tokenizer of transformers 4,
 * `hf-v5` that of transformers 5, `openai` the one CLIP came with, which needs ftfy too.
 */
export const tokenizerFlavours = ['hf-slow-ftfy', 'hf-slow', 'hf-fast', 'hf-v5', 'openai'] as const;
export type TokenizerFlavour = (typeof tokenizerFlavours)[number];
