import type { Syntax } from '../prompt/syntax.ts';
import { diffusersToken } from './diffusersToken.ts';
import type { PromptEmbedding } from './promptTokens.ts';

/** Finds the embedding that `embedding:` with this name means. */
export type FindEmbedding = (typed: string) => PromptEmbedding | undefined;

/** Endings that ComfyUI tries where no file is called as typed. */
const endings = ['', '.safetensors', '.pt', '.bin'];

/**
 * Finds embeddings as ComfyUI's `load_embed` finds files: by the name as typed, then with one of its endings, in any folder, of
 * which nothing is known here. One without a file of its own goes by its name.
 */
export function embeddingByName<One extends PromptEmbedding>(
  embeddings: readonly One[],
): (typed: string) => One | undefined {
  const byFile = new Map(embeddings.flatMap((one) => (one.file === undefined ? [] : [[one.file, one] as const])));
  const byName = new Map(embeddings.map((one) => [one.name, one]));
  return (typed) => {
    const name = typed.replace(/^.*[\\/]/, '');
    const ending = endings.find((one) => byFile.has(name + one));
    if (ending !== undefined) return byFile.get(name + ending);
    const named = byName.get(name) ?? byName.get(name.replace(/\.(safetensors|pt|bin)$/, ''));
    return named && (named.file === undefined || named.name === name) ? named : undefined;
  };
}

/** Finds the embedding that a prompt calls `name`, as the chunkers do: ComfyUI tries the name with its commas first. */
export function embeddingCalled<One extends PromptEmbedding>(
  name: string,
  syntax: Syntax,
  embeddings: readonly One[],
): One | undefined {
  if (syntax !== 'comfy')
    return embeddings.find((one) => (syntax === 'compel' ? diffusersToken(one) : one.name) === name);
  const find = embeddingByName(embeddings);
  return find(name) ?? find(name.replace(/^,+|,+$/g, ''));
}
