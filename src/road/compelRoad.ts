import { lintCompel } from '../prompt/across/lint.ts';
import type { Diagnostic, NetworkNode, Range } from '../prompt/ast.ts';
import { holdParts, mostChunks } from '../prompt/bounds.ts';
import { type CompelBlend, type CompelPrompt, parseCompel } from '../prompt/compel/compelPrompt.ts';
import { info } from '../prompt/diagnostics.ts';
import { networksOf } from '../prompt/networks.ts';
import type { Slices } from '../prompt/slices.ts';
import { chunkCompel } from '../tokens/chunks/compelChunks.ts';
import type { WeightedPrompt } from '../weighting/method.ts';
import type { Composition } from './composition.ts';
import { methodPrompt } from './methodPrompt.ts';
import { embeddingNode, type LanguageRoad, type PreparedText, type RoadPrompt } from './preparedPrompt.ts';
import { compelPrompt, compelPromptOptions, weightedCompel } from './weightedPrompt.ts';

/** Compel: the parts of .and() and .blend(), each chunked and weighted by itself, then composed. Throws PromptBoundError where they are too many. */
export const compelRoad: LanguageRoad = function* (prompt, { options, tokenizer, embeddings }) {
  let left = mostChunks;
  const compelOptions = compelPromptOptions(options);
  const parsed = parseCompel(prompt);
  const { nodes, parts } = parsed;
  holdParts(parts.reduce((sum, { content }) => sum + (content.kind === 'blend' ? content.prompts.length : 1), 0));
  yield;
  const diagnostics: Diagnostic[] = [...parsed.diagnostics, ...lintCompel(parsed)];
  const texts: RoadPrompt['texts'][number][] = [];
  const addText = function* (
    { fragments, start, end }: CompelPrompt,
    operator: PreparedText['operator'],
    weight: number,
  ): Slices<WeightedPrompt> {
    yield;
    const chunked = chunkCompel(fragments, tokenizer, embeddings, { ...compelOptions, mostChunks: left });
    left -= chunked.chunks.length;
    yield;
    const weighted = methodPrompt(
      weightedCompel(fragments, chunked, tokenizer, compelOptions, embeddings),
      options,
      tokenizer,
    );
    yield;
    const { chunks, cut, tokenCount, target } = chunked;
    diagnostics.push(...chunked.diagnostics, ...cutDiagnostics(chunked));
    texts.push({ start, end, operator, weight, fragments, chunks, cut, tokenCount, target, weighted, steps: [] });
    return weighted;
  };
  const compositionParts: Composition['parts'][number][] = [];
  for (const { content, weight } of parts) {
    const isBlend = content.kind === 'blend';
    const blend: Pick<CompelBlend, 'prompts' | 'weights' | 'normalise'> = isBlend
      ? content
      : { prompts: [content], weights: [1], normalise: false };
    if (isBlend) diagnostics.push(blendDiagnostic(content));
    const operator = isBlend ? 'blend' : parts.length > 1 ? 'and' : null;
    const prompts: WeightedPrompt[] = [];
    for (const [i, text] of blend.prompts.entries())
      prompts.push(yield* addText(text, operator, isBlend ? blend.weights[i] : weight));
    compositionParts.push({ blend: { prompts, factors: blend.weights, normalise: blend.normalise }, weight });
  }
  yield;
  const empty = compelPrompt([], tokenizer, compelOptions);
  return {
    nodes,
    inactive: [],
    networks: [...networksOf(nodes), ...texts.flatMap(addedNodes)],
    texts,
    conditionings: [{ weight: 1, composition: { parts: compositionParts, empty, clsTokens: options.clsTokens } }],
    diagnostics,
  };
};

/** Finds the textual inversions that have rows, at each place where one was typed. */
function addedNodes({ chunks }: Pick<PreparedText, 'chunks'>): NetworkNode[] {
  const byPlace = new Map<number, NetworkNode>();
  for (const { vector, range } of chunks.flatMap(({ tokens }) => tokens))
    if (vector && range) byPlace.set(range.start, embeddingNode(vector.name, range));
  return [...byPlace.values()];
}

function blendDiagnostic(range: Range): Diagnostic {
  const message = 'Compel 2.3 and 2.4 stop at .blend() with an error; what is shown is what 2.2.1 makes of it.';
  return info('blend-of-2.2.1', range, message);
}

function cutDiagnostics({ cut, target }: Pick<PreparedText, 'cut' | 'target'>): Diagnostic[] {
  const ranges = cut.flatMap(({ range }) => range ?? []);
  if (ranges.length === 0) return [];
  const what = cut.length === 1 ? 'the last token is' : `the last ${cut.length} tokens are`;
  return [
    {
      code: 'tokens-cut',
      severity: 'warning',
      message: `Compel encodes ${target} tokens unless it is told to split long prompts, and ${what} cut off: shorten the prompt, or choose a way to split it.`,
      start: ranges[0].start,
      end: ranges[ranges.length - 1].end,
    },
  ];
}
