/** What names a textual inversion. */
export interface NamedEmbedding {
  /** Its file's name, without the ending. */
  readonly name: string;
  /** As the file itself calls it. */
  readonly trainedAs?: string;
}

/**
 * What diffusers' `load_textual_inversion` adds to the tokenizer unless it is given a `token`: the name in the file, which
 * of diffusers' own is the token, `<cat-toy>`, and of A1111's the `name`. For files without one, which diffusers cannot load
 * by themselves or calls by a tensor's name, it is the file's name.
 */
export function diffusersToken({ name, trainedAs }: NamedEmbedding): string {
  return trainedAs || name;
}
