import { batchLength, completed, type Method, type WeightedChunk, type WeightedPrompt, wholePrompt } from './method.ts';

/**
 * A1111's "Original", its default (sd_emphasis.py of stable-diffusion-webui 1.10): rows times their weights, then the mean
 * over each chunk restored. Chunk i of all texts of the batch shares one mean.
 */
export const original = {
  name: 'original',
  label: 'A1111 Original',
  help: 'A1111’s default: each row times its weight, z′ = w·z, then all rows of the chunk scaled until the mean of their numbers is as before. So rows without a weight move, too.',
  source: 'stable-diffusion-webui 1.10, emphasis “Original”, its default',
  formula: 'z″ = w · z · mean(z) / mean(z′)',
  family: 'a1111',
  ownOf: 'a1111',
  normalises: false,
  isChecked: true,
  versions: ({ chunks }) => wholePrompt('zero', chunks),
  means: (prompt) => batchChunks(prompt).map((chunks, at) => ({ at, chunks })),
} as const satisfies Method;

/** Lists chunk i of every text of the batch, the prompt's own first: [n][texts]. */
function batchChunks(prompt: WeightedPrompt): WeightedChunk[][] {
  const n = batchLength(prompt);
  const texts = [prompt.chunks, ...(prompt.batch ?? [])].map((text) => completed(text, n, prompt));
  return Array.from({ length: n }, (_, at) => texts.map((text) => text[at]));
}
