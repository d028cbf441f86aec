import { lintComfy } from '../prompt/across/lint.ts';
import { mostChunks } from '../prompt/bounds.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { type Chooser, readDynamicPrompt, seededChooser, variantChooser } from '../prompt/comfy/dynamicPrompt.ts';
import { pageMessages } from '../prompt/comfy/pageMessages.ts';
import { placed } from '../prompt/comfy/placed.ts';
import { networksOf } from '../prompt/networks.ts';
import type { Side } from '../prompt/side.ts';
import { chunkComfy } from '../tokens/chunks/comfyChunks.ts';
import { flavourOf } from '../tokens/tokenizerFlavours.ts';
import { methodPrompt } from './methodPrompt.ts';
import type { PromptOptions } from './options.ts';
import { type LanguageRoad, single } from './preparedPrompt.ts';
import { weightedPrompt } from './weightedPrompt.ts';

/** Makes the choices of ComfyUI's page in a side's prompt; undefined where the prompt goes to the API as typed. */
export function pageChooser(options: PromptOptions, side: Side): Chooser | undefined {
  if (options.comfyInput === 'api') return undefined;
  // The page chooses in each text by itself.
  const seeded = seededChooser(2 * options.choiceSeed + (side === 'positive' ? 0 : 1));
  const variant = side === 'positive' ? options.positiveVariant : options.negativeVariant;
  return variant === 0 ? seeded : variantChooser(variant - 1, seeded);
}

/** ComfyUI: comments and choices of its page, weights, then chunks; the whole prompt is one text. Throws PromptBoundError where there are too many chunks. */
export const comfyRoad: LanguageRoad = function* (prompt, { options, tokenizer, side, embeddings }) {
  const { mask, comfyUnit: unit } = options;
  const flavour = flavourOf(options);
  const chooser = pageChooser(options, side);
  const dynamic = chooser && readDynamicPrompt(prompt, chooser);
  yield;
  const parsed = parseComfy(dynamic?.text.text ?? prompt);
  yield;
  const linted = { ...parsed, diagnostics: [...parsed.diagnostics, ...lintComfy(parsed, dynamic !== undefined)] };
  yield;
  const read = dynamic && !dynamic.isAsTyped ? placed(linted, dynamic.text, prompt) : linted;
  const { fragments } = read;
  yield;
  const { diagnostics, ...chunked } = chunkComfy(fragments, tokenizer, embeddings, {
    unit,
    flavour,
    mostChunks,
  });
  yield;
  const weighted = methodPrompt(weightedPrompt(chunked.chunks, mask), options, tokenizer);
  const empty = weightedPrompt(chunkComfy([], tokenizer).chunks, mask);
  const place = { start: 0, end: prompt.length, operator: null, weight: 1 };
  yield;
  const { comments = [], choices = [] } = dynamic ?? {};
  return {
    nodes: [...comments, ...choices, ...read.nodes],
    inactive: choices.flatMap(({ options, chosen }) =>
      options.filter(({ start, end }, i) => i !== chosen && start < end),
    ),
    networks: networksOf(read.nodes),
    texts: [{ ...place, ...chunked, fragments, weighted, steps: [] }],
    conditionings: [{ weight: 1, composition: single(weighted, empty) }],
    diagnostics: [...(dynamic ? pageMessages(dynamic) : []), ...read.diagnostics, ...diagnostics],
    ...(dynamic && { dynamic }),
  };
};
