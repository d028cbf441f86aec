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
 * Gives the words at a place another weight: the first fragment of each text that lies there. Nothing changes in a prompt that has none
 * there, as in some steps of a schedule.
 */
export function withTriedWeight(
  prepared: PreparedPrompt,
  { start, end, weight }: TriedWeight,
  options: PromptOptions,
  tokenizer: Tokenizer,
  embeddings: readonly PromptEmbedding[] = [],
): PreparedPrompt {
  const changed = new Map<WeightedPrompt, WeightedPrompt>();
  const texts = prepared.texts.map((text) => {
    const at = text.fragments.findIndex((one) => start <= one.start && one.end <= end);
    if (at < 0) return text;
    changed.set(text.weighted, withFragmentWeight(text, at, weight, options, tokenizer, embeddings));
    return { ...text, fragments: text.fragments.with(at, { ...text.fragments[at], weight }) };
  });
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
  return { ...prepared, texts, conditionings };
}
