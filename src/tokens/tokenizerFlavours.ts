import type { Syntax } from '../prompt/syntax.ts';

/**
 * Which original's text clean-up and pre-tokenisation. The default is the first: what A1111 runs, transformers'
 * Python CLIPTokenizer with ftfy. `hf-slow` is the same without ftfy, `hf-fast` the Rust tokenizer of transformers 4,
 * `hf-v5` that of transformers 5, `openai` the one CLIP came with, which needs ftfy too.
 */
export const tokenizerFlavours = ['hf-slow-ftfy', 'hf-slow', 'hf-fast', 'hf-v5', 'openai'] as const;
export type TokenizerFlavour = (typeof tokenizerFlavours)[number];

/**
 * The tokenizer that each language's program comes with: A1111 installs ftfy for openai/CLIP, ComfyUI's requirements are
 * transformers without ftfy, and Compel has the transformers 5 of diffusers.
 */
export const ownFlavour: Readonly<Record<Syntax, TokenizerFlavour>> = {
  a1111: 'hf-slow-ftfy',
  compel: 'hf-v5',
  comfy: 'hf-slow',
};

/** A flavour that was chosen on purpose and stays, or `program`: the one that the language's own program comes with. */
export const tokenizerChoices = ['program', ...tokenizerFlavours] as const;
export type TokenizerChoice = (typeof tokenizerChoices)[number];

interface ChosenTokenizer {
  readonly tokenizer: TokenizerChoice;
  readonly syntax: Syntax;
}

/** The flavour that a choice comes to in a language. */
export function flavourOf({ tokenizer, syntax }: ChosenTokenizer): TokenizerFlavour {
  return tokenizer === 'program' ? ownFlavour[syntax] : tokenizer;
}
