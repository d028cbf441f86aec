import type { WeightedPrompt } from './method.ts';

/** Ways in which ADV_CLIP_emb normalises weights before it interprets them. */
export const tokenNormalisations = ['none', 'mean', 'length', 'length+mean'] as const;
export type TokenNormalisation = (typeof tokenNormalisations)[number];

/**
 * The prompt with normalised token weights, as BlenderNeko's ComfyUI_ADV_CLIP_emb computes them (adv_encode.py): `length`
 * divides a word's weight among its n tokens in all chunks: 1 + sign(w − 1) √((w − 1)² / n). `mean` shifts all weights so
 * that the text's average 1. `length+mean` does one after the other. BOS, EOS and PAD stay as they are. The result has no
 * light fragments for Compel's methods, because they weigh fragments, not tokens.
 */
export function normaliseTokens(prompt: WeightedPrompt, normalisation: TokenNormalisation): WeightedPrompt {
  switch (normalisation) {
    case 'none':
      return prompt;
    case 'mean':
      return shiftedToMean(prompt);
    case 'length':
      return dividedByLength(prompt);
    case 'length+mean':
      return shiftedToMean(dividedByLength(prompt));
    default:
      return normalisation satisfies never;
  }
}

function dividedByLength(prompt: WeightedPrompt): WeightedPrompt {
  const lengths = new Map<number, number>();
  for (const { wordIds } of prompt.chunks) for (const id of wordIds) lengths.set(id, (lengths.get(id) ?? 0) + 1);
  return reweighted(
    prompt,
    (weight, id) => 1 + Math.sign(weight - 1) * Math.sqrt((weight - 1) ** 2 / lengths.get(id)!),
  );
}

function shiftedToMean(prompt: WeightedPrompt): WeightedPrompt {
  let sum = 0;
  let count = 0;
  reweighted(prompt, (weight) => {
    sum += weight;
    count++;
    return weight;
  });
  const delta = 1 - sum / count;
  return reweighted(prompt, (weight) => weight + delta);
}

/** The prompt with the weight of every token of its text changed; `change` gets the weight and the word's id. */
function reweighted(prompt: WeightedPrompt, change: (weight: number, id: number) => number): WeightedPrompt {
  const chunks = prompt.chunks.map((chunk) => ({
    ...chunk,
    perTokenWeights: chunk.perTokenWeights.map((weight, row) => {
      const id = chunk.wordIds[row];
      return id === 0 ? weight : change(weight, id);
    }),
  }));
  return { ...prompt, chunks, downweighted: [] };
}
