/** The length of chunks, apart from the tokenizer: the first scripts of the page do without its code. */
import type { Tokenizer } from './tokenizer.ts';

/** Makes the same tokenizer for an encoder of so many positions. */
export function withMaxLength(tokenizer: Tokenizer, modelMaxLength: number): Tokenizer {
  return modelMaxLength === tokenizer.modelMaxLength ? tokenizer : { ...tokenizer, modelMaxLength };
}
