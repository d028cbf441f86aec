import type { Range } from '../prompt/ast.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import { withFragmentWeight } from '../road/study/fragmentWeight.ts';
import type { PromptEmbedding } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { WeightedPrompt } from '../weighting/method.ts';

/** A place in a prompt, and the weight that is to be tried there. */
export interface TriedWeight extends Range {
  readonly weight: number;
}

/**
 * Gives the words at a place another weight: every fragment that lies there, in whatever text. Nothing changes in a prompt that has no
 * fragment there, as in some steps of a schedule.
 */
export function withTriedWeight(
  prepared: PreparedPrompt,
  { start, end, weight }: TriedWeight,
  options: PromptOptions,
  tokenizer: Tokenizer,
  embeddings: readonly PromptEmbedding[] = [],
): PreparedPrompt {
  const changed = new Map<WeightedPrompt, WeightedPrompt>();
  for (const text of prepared.texts) {
    const fragment = text.fragments.findIndex((one) => start <= one.start && one.end <= end);
    if (fragment < 0) continue;
    changed.set(text.weighted, withFragmentWeight(text, fragment, weight, options, tokenizer, embeddings));
  }
  const conditionings = prepared.conditionings.map(({ weight, composition }) => ({
    weight,
    composition: {
      ...composition,
      parts: composition.parts.map(({ blend, ...part }) => ({
        ...part,
        blend: { ...blend, prompts: blend.prompts.map((prompt) => changed.get(prompt) ?? prompt) },
      })),
    },
  }));
  return { ...prepared, conditionings };
}
