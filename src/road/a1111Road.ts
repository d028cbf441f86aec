import { type A1111Prompt, type PromptStep, readA1111Prompt, stepA1111Prompt } from '../prompt/a1111/a1111Prompt.ts';
import { entryAtCall } from '../prompt/a1111/promptSchedule.ts';
import { lintA1111 } from '../prompt/across/lint.ts';
import type { Diagnostic, Node, ParsedPrompt, Range } from '../prompt/ast.ts';
import { holdParts, mostChunks } from '../prompt/bounds.ts';
import {
  type A1111Chunks,
  chunkA1111,
  chunkRoom,
  embeddingFinder,
  emptyChunk,
  fittingEmbeddings,
} from '../tokens/chunks/a1111Chunks.ts';
import { fragmentTokens } from '../tokens/promptTokens.ts';
import { flavourOf } from '../tokens/tokenizerFlavours.ts';
import type { WeightedPrompt } from '../weighting/method.ts';
import { methodPrompt } from './methodPrompt.ts';
import {
  embeddingNode,
  type LanguageRoad,
  type PreparedText,
  type RoadInput,
  type RoadPrompt,
  single,
} from './preparedPrompt.ts';
import { readingWays } from './readingWays.ts';
import { weightedPrompt } from './weightedPrompt.ts';

/**
 * A1111: comments, networks, AND, schedules, then the weights and chunks of each text that some step encodes. Throws
 * PromptBoundError where these are too many.
 */
export const a1111Road: LanguageRoad = function* (prompt, input) {
  const { options, tokenizer, side } = input;
  const read = readA1111Prompt(prompt, { role: side });
  holdParts(read.parts.length);
  yield;
  const stepped = stepA1111Prompt(read, readingWays(options));
  yield;
  const chunksOf = stepChunker(input);
  const current = stepped.parts.map((part) => entryAtCall(part.steps, options.step - 1));
  const texts: RoadPrompt['texts'][number][] = [];
  for (const [i, { steps }] of stepped.parts.entries()) {
    const { weighted, chunked } = chunksOf(current[i]);
    const batch: WeightedPrompt['chunks'][] = [];
    for (const step of steps) {
      yield;
      if (step !== current[i]) batch.push(chunksOf(step).weighted.chunks);
    }
    const { named: _, diagnostics: __, ...counts } = chunked;
    texts.push({
      ...placeOf(read, i),
      ...counts,
      fragments: current[i].parsed.fragments,
      weighted: methodPrompt({ ...weighted, batch }, options, tokenizer),
      steps,
    });
  }
  yield;
  const linted = lintA1111(read, stepped);
  yield;
  const named = current.flatMap((step) => chunksOf(step).chunked.named);
  const empty = weightedPrompt([emptyChunk(tokenizer)], options.mask);
  return {
    nodes: [...read.comments, ...read.networks, ...read.nodes, ...current.flatMap(({ parsed }) => parsed.nodes)],
    inactive: inactiveRanges(read.nodes, current),
    networks: [...read.networks, ...named.map(({ name, range }) => embeddingNode(name, range))],
    texts,
    conditionings: texts.map(({ weighted, weight }) => ({ weight, composition: single(weighted, empty) })),
    diagnostics: [
      ...stepped.diagnostics,
      ...linted,
      ...current.flatMap(({ parsed }) => overlongDiagnostics(parsed, input)),
    ],
  };
};

function placeOf({ parts }: A1111Prompt, index: number): Pick<PreparedText, 'start' | 'end' | 'operator' | 'weight'> {
  const { start, end, weight } = parts[index];
  return { start, end, weight, operator: parts.length > 1 ? 'AND' : null };
}

/** Chunks the text of a step. Steps with the same text share its parse, and so its chunks. */
function stepChunker({ options, tokenizer, embeddings }: RoadInput) {
  const { mask, commaPaddingBacktrack } = options;
  const flavour = flavourOf(options);
  const fitting = fittingEmbeddings(embeddings, tokenizer);
  let left = mostChunks;
  const known = new Map<ParsedPrompt, { readonly chunked: A1111Chunks; readonly weighted: WeightedPrompt }>();
  return ({ parsed }: PromptStep) => {
    const before = known.get(parsed);
    if (before) return before;
    const chunked = chunkA1111(parsed.fragments, tokenizer, fitting, {
      flavour,
      commaPaddingBacktrack,
      mostChunks: left,
    });
    left -= chunked.chunks.length;
    const step = { chunked, weighted: weightedPrompt(chunked.chunks, mask) };
    known.set(parsed, step);
    return step;
  };
}

/** Tells of each name of an embedding that A1111's encoder would stop at: it makes a chunk that is longer than the encoder takes. */
function overlongDiagnostics({ fragments }: ParsedPrompt, { options, tokenizer, embeddings }: RoadInput): Diagnostic[] {
  const fitting = fittingEmbeddings(embeddings, tokenizer);
  const overlong = embeddings.filter((one) => !fitting.includes(one));
  if (overlong.length === 0) return [];
  const flavour = flavourOf(options);
  const find = embeddingFinder(overlong, tokenizer, flavour);
  const diagnostics: Diagnostic[] = [];
  for (const fragment of fragments) {
    const tokens = fragmentTokens([fragment], tokenizer, flavour);
    for (let place = 0; place < tokens.length; ) {
      const match = find(tokens, place);
      place += match?.length ?? 1;
      if (!match) continue;
      const { name, vectors } = match.embedding;
      diagnostics.push({
        code: 'overlong-embedding',
        severity: 'error',
        start: tokens[place - match.length].range!.start,
        end: tokens[place - 1].range!.end,
        message: `“${name}” has ${vectors.length} vectors, of which A1111 makes a chunk of ${vectors.length + 2} tokens, and its encoder stops with an error: use an embedding of at most ${chunkRoom(tokenizer)}. Here the name is encoded as text.`,
      });
    }
  }
  return diagnostics;
}

/** Finds what was typed in schedules and alternations and is not in the texts of this step. */
function inactiveRanges(nodes: readonly Node[], current: readonly PromptStep[]): Range[] {
  const changing = nodes
    .flatMap((node) => (node.type === 'composite' ? node.parts.flatMap(({ children }) => children) : node))
    .filter(({ type }) => type !== 'text');
  if (changing.length === 0) return [];
  const active = new Set(current.flatMap(({ text }) => text.starts));
  const ranges: { start: number; end: number }[] = [];
  for (const { start, end } of changing)
    for (let at = start; at < end; at++) {
      if (active.has(at)) continue;
      const last = ranges.at(-1);
      if (last?.end === at) last.end++;
      else ranges.push({ start: at, end: at + 1 });
    }
  return ranges;
}
