import type { PromptEmbedding } from './promptTokens.ts';

/**
 * The token that diffusers' `load_textual_inversion` adds to the tokenizer unless it is given a `token`: the name in the file, which
 * of diffusers' own is the token, `<cat-toy>`, and of A1111's the `name`. For files without one, which diffusers cannot load
 * by themselves or calls by a tensor's name, it is the file's name.
 */
export function diffusersToken({ name, trainedAs }: Pick<PromptEmbedding, 'name' | 'trainedAs'>): string {
  return trainedAs || name;
}
