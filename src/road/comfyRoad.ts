import { lintComfy } from '../prompt/across/lint.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { chunkComfy } from '../tokens/chunks/comfyChunks.ts';
import { type LanguageRoad, networksOf, single } from './preparedPrompt.ts';
import { normalised, weightedPrompt } from './weightedPrompt.ts';

/** ComfyUI: weights, then chunks; the whole prompt is one text. */
export const comfyRoad: LanguageRoad = (prompt, { options, tokenizer, embeddings }) => {
  const { mask, comfyUnit: unit, tokenizer: flavour } = options;
  const parsed = parseComfy(prompt);
  const { nodes, fragments } = parsed;
  const { diagnostics, ...chunked } = chunkComfy(fragments, tokenizer, embeddings, { unit, flavour });
  const weighted = normalised(weightedPrompt(chunked.chunks, mask), options);
  const empty = weightedPrompt(chunkComfy([], tokenizer).chunks, mask);
  const place = { start: 0, end: prompt.length, operator: null, weight: 1 };
  return {
    nodes,
    inactive: [],
    networks: networksOf(nodes),
    texts: [{ ...place, ...chunked, fragments, weighted, steps: [] }],
    conditionings: [{ weight: 1, composition: single(weighted, empty) }],
    diagnostics: [...parsed.diagnostics, ...lintComfy(parsed), ...diagnostics],
  };
};
