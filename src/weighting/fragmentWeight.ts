/** One fragment of a text at another weight. */
import type { Tokenizer } from '../clip/tokenizer.ts';
import type { WeightedPrompt } from './method.ts';
import { compelPromptOptions, normalised, type PreparedText, type PromptOptions } from './pipeline.ts';
import { withSpanWeight } from './sweep.ts';
import { compelPrompt, weightedPrompt } from './weightedPrompt.ts';

/**
 * A text with another weight typed on one of its fragments, its tokens where they are. What Compel removes is split and cut
 * off anew, as it is without the fragment.
 */
export function withFragmentWeight(
  text: PreparedText,
  fragment: number,
  weight: number,
  options: PromptOptions,
  tokenizer: Tokenizer,
): WeightedPrompt {
  if (options.syntax === 'compel') {
    const fragments = text.fragments.with(fragment, { ...text.fragments[fragment], weight });
    return normalised(compelPrompt(fragments, tokenizer, compelPromptOptions(options)), options);
  }
  const { batch } = text.weighted;
  const typed = { ...weightedPrompt(text.chunks, options.mask), ...(batch && { batch }) };
  return normalised(withSpanWeight(typed, fragmentRows(text, fragment), weight), options);
}

/** The rows of a fragment's tokens, among those of all chunks. */
export function fragmentRows({ chunks }: PreparedText, fragment: number): number[] {
  return chunks.flatMap(({ tokens }, at) =>
    tokens.flatMap((token, row) => (token.fragment === fragment ? [at * tokens.length + row] : [])),
  );
}
