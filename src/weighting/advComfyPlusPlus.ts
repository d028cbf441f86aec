import { levels, weightsOf, withReplaced } from './levels.ts';
import { type Method, unweighted, type WeightedChunk, type WordChange } from './method.ts';

/**
 * ADV_CLIP_emb "comfy++": `levels` of the light tokens, and for a heavy word, at its own rows, (w − 1) · (z − v) with v the
 * prompt without the word.
 */
export const advComfyPlusPlus = {
  name: 'adv-comfy++',
  label: 'ADV comfy++',
  help: 'ADV_CLIP_emb, an extension of ComfyUI, “comfy++”: a weight above 1 adds what the word changes in its own row; weights below 1 mix in prompts in which “+” stands for the words that weigh less.',
  source: 'ComfyUI_ADV_CLIP_emb, “comfy++”',
  formula: 'z′ = Σ (uⱼ − uⱼ₋₁) Eⱼ + (w − 1) · (z − Eᵥ)',
  family: 'comfy',
  normalises: true,
  isChecked: false,
  versions: ({ chunks }) => levels(chunks.map(unweighted), weightsOf(chunks)),
  wordChanges: ({ chunks }) => heavyWords(chunks),
} as const satisfies Method;

/** Lists every word that weighs more than 1, once for every chunk that has some of it. A word weighs what its first token does. */
function heavyWords(chunks: readonly WeightedChunk[]): WordChange[] {
  const weightOf = new Map<number, number>();
  for (const { wordIds, perTokenWeights } of chunks)
    wordIds.forEach((id, row) => {
      if (!weightOf.has(id)) weightOf.set(id, perTokenWeights[row]);
    });
  const heavy = [...weightOf].filter(([, weight]) => weight > 1).map(([id]) => id);
  return heavy.flatMap((word) =>
    chunks.flatMap((chunk, at): WordChange[] => {
      if (!chunk.wordIds.includes(word)) return [];
      const without = withReplaced(chunk, (row) => chunk.wordIds[row] === word);
      const factors = chunk.perTokenWeights.map((weight) => Math.max(weight, 1) - 1);
      return [{ word, chunk, at, without, factors }];
    }),
  );
}
