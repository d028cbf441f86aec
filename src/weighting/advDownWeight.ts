import { levels } from './levels.ts';
import { type Method, unweighted, type WeightedChunk } from './method.ts';

/**
 * ADV_CLIP_emb "down_weight": all weights are divided by the largest, so that nothing weighs more than 1, BOS, EOS and PAD
 * set to 1, and `levels` does the rest. An unweighted word next to a heavy one is weighed down.
 */
export const advDownWeight = {
  name: 'adv-down-weight',
  label: 'ADV down_weight',
  help: 'ADV_CLIP_emb, an extension of ComfyUI, “down_weight”: all weights are divided by the largest, so that none is above 1 and words without one become lighter; then prompts are mixed in which “+” stands for the words that weigh less.',
  source: 'ComfyUI_ADV_CLIP_emb, “down_weight”',
  formula: 'z′ = Σ (uⱼ − uⱼ₋₁) Eⱼ,  u = w / max(w)',
  family: 'down',
  normalises: true,
  isChecked: false,
  versions: ({ chunks }) => levels(chunks.map(unweighted), dividedWeights(chunks)),
  terms: ({ chunks, empty }, row) => {
    const L = empty.inputIds.length;
    const u = dividedWeights(chunks)[Math.floor(row / L)][row % L];
    return [
      { symbol: 'max(w)', meaning: 'the largest weight of the prompt', value: largestWeight(chunks) },
      { symbol: 'u', meaning: 'the weight after division by it; of BOS, EOS and PAD 1', value: u },
    ];
  },
} as const satisfies Method;

function largestWeight(chunks: readonly WeightedChunk[]): number {
  return Math.max(...chunks.flatMap(({ perTokenWeights }) => [...perTokenWeights]));
}

/** [n][L] */
function dividedWeights(chunks: readonly WeightedChunk[]): Float64Array[] {
  const largest = largestWeight(chunks);
  const most = Math.min(largest, 1);
  return chunks.map(({ perTokenWeights, wordIds }) =>
    perTokenWeights.map((weight, row) => (wordIds[row] === 0 ? most : (weight / largest) * most)),
  );
}
