import { levels, weightsOf } from './levels.ts';
import type { Method } from './method.ts';

/** Raises a weight to 1. NaN, which is not at least 1, becomes 1 too. */
const raised = (weight: number) => (weight >= 1 ? weight : 1);

/** ADV_CLIP_emb "compel": heavy tokens are moved from the empty prompt by their weight; then `levels` of the light ones. */
export const advCompel = {
  name: 'adv-compel',
  label: 'ADV compel',
  help: 'ADV_CLIP_emb, an extension of ComfyUI, “compel”: a weight above 1 moves the row away from the empty prompt’s; weights below 1 mix in prompts in which “+” stands for the words that weigh less.',
  source: 'ComfyUI_ADV_CLIP_emb, “compel”',
  formula: 'z′ = Σ (uⱼ − uⱼ₋₁) Eⱼ,  Eⱼ = e + p · (zⱼ − e)',
  family: 'compel',
  normalises: true,
  isChecked: false,
  versions: ({ chunks }) =>
    levels(
      chunks.map((chunk) => ({ ...chunk, perTokenWeights: chunk.perTokenWeights.map(raised) })),
      weightsOf(chunks),
    ),
  terms: ({ chunks, empty }, row) => {
    const L = empty.inputIds.length;
    const weight = chunks[Math.floor(row / L)].perTokenWeights[row % L];
    return [{ symbol: 'p', meaning: 'the weight, but not less than 1', value: raised(weight) }];
  },
} as const satisfies Method;
