/**
 * The road: prompt → fragments → tokens → chunks of ids and weights → masks → passes → *encode* → weighting → promptEmbeds.
 * Everything here is pure and synchronous; whatever runs the encoder (clip/encoderPass.ts) stands between `promptPasses` and
 * `promptEmbeds`.
 */

import type { EncoderPass } from '../clip/encoderPass.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import { type PromptStep, readA1111Prompt, stepA1111Prompt } from '../prompt/a1111/a1111Prompt.ts';
import { lectureSquareFactor } from '../prompt/a1111/emphasis.ts';
import { type PromptLora, promptLoras } from '../prompt/a1111/extraNetworks.ts';
import { entryAtCall } from '../prompt/a1111/schedule.ts';
import { lintA1111, lintComfy, lintCompel } from '../prompt/across/lint.ts';
import type { Diagnostic, Fragment, NetworkNode, Node, ParsedPrompt, Range } from '../prompt/ast.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { type CompelBlend, type CompelPrompt, parseCompel } from '../prompt/compel/compelPrompt.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { addedTokens } from '../tokens/addedTokens.ts';
import {
  chunkLength,
  chunkTokens,
  type EmbeddingFix,
  type Embedding as EmbeddingNames,
  emptyChunk,
} from '../tokens/chunks/a1111Chunks.ts';
import { comfyTokens } from '../tokens/chunks/comfyChunks.ts';
import { compelTokens } from '../tokens/chunks/compelChunks.ts';
import type { PromptToken, TokenChunk } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { distinct, type WeightedPrompt, type ZOf } from '../weighting/method.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import { normaliseTokens } from '../weighting/normalise.ts';
import { type Composition, compose, compositionPasses } from './composition.ts';
import type { PromptOptions } from './options.ts';
import {
  type CompelPromptOptions,
  compelPrompt,
  type SourceChunk,
  weightedCompel,
  weightedPrompt,
} from './weightedPrompt.ts';

export type Role = 'positive' | 'negative';

/** What is encoded by itself: a part of A1111's AND or of Compel's .and() or .blend(), else the whole prompt. */
export interface PreparedText extends Range {
  /** What combines it with the others; null where it is the only one. */
  readonly operator: 'AND' | 'and' | 'blend' | null;
  /** By how much it counts there: A1111's guidance, Compel's weights. */
  readonly weight: number;
  readonly fragments: readonly Fragment[];
  readonly chunks: readonly SourceChunk[];
  /** Tokens past the last chunk: they have no effect. */
  readonly cut: readonly PromptToken[];
  /** As the program counts them, against a multiple of 75. */
  readonly tokenCount: number;
  readonly target: number;
  readonly weighted: WeightedPrompt;
  /** A1111: the texts of a schedule, each to the last step (from 1) that it is for; one where nothing changes. */
  readonly steps: readonly PromptStep[];
}

/** One row of the encoder's input, and where it belongs. */
export interface PreparedChunk {
  readonly chunk: TokenChunk;
  readonly pass: EncoderPass;
  /** Index into the prompt's texts, and into that text's chunks. */
  readonly text: number;
  readonly index: number;
}

/** All that is known of a prompt before any weights are loaded. */
export interface PreparedPrompt {
  readonly source: string;
  /** What to highlight. */
  readonly nodes: readonly Node[];
  /** What was typed and is not encoded at this step. */
  readonly inactive: readonly Range[];
  readonly networks: readonly NetworkNode[];
  /** Of the networks, those to be merged into the text encoder, and by how much. */
  readonly loras: readonly PromptLora[];
  readonly texts: readonly PreparedText[];
  /** Those of all texts in a row. */
  readonly chunks: readonly PreparedChunk[];
  /** One for each part of an A1111 AND, else one. */
  readonly conditionings: readonly { readonly weight: number; readonly composition: Composition }[];
  /** Those of the parser, of the linter and of this road, by place. */
  readonly diagnostics: readonly Diagnostic[];
}

/** `embeddings` are the textual inversions that the prompt may name. Never throws. */
export function preparePrompt(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  role: Role = 'positive',
  embeddings: readonly Embedding[] = [],
): PreparedPrompt {
  const { nodes, inactive, networks, texts, conditionings, diagnostics } = prepare[options.syntax](prompt, {
    options,
    tokenizer,
    role,
    embeddings,
  });
  return {
    source: prompt,
    nodes,
    inactive,
    networks,
    loras: promptLoras(networks),
    texts,
    chunks: texts.flatMap(({ chunks, weighted }, text) =>
      chunks.map((chunk, index) => ({ chunk, pass: weighted.chunks[index].pass, text, index })),
    ),
    conditionings,
    diagnostics: [...diagnostics, ...texts.flatMap(cutDiagnostics)].sort((a, b) => a.start - b.start),
  };
}

/** What has to be encoded for the conditioning by a method, beyond what is looked at. */
export function promptPasses({ conditionings }: PreparedPrompt, method: MethodName): EncoderPass[] {
  return distinct(conditionings.flatMap(({ composition }) => compositionPasses(methods[method], composition)));
}

/**
 * The conditionings [77·n, d], one for each of `prepared.conditionings`. `zOf` gives what was encoded of a pass, clip skip
 * applied. By `none`, and where nothing is weighted, it is the encoder's own numbers.
 */
export function promptEmbeds(
  { conditionings }: Pick<PreparedPrompt, 'conditionings'>,
  zOf: ZOf,
  method: MethodName,
): Float32Array[] {
  return conditionings.map(({ composition }) => compose(methods[method], composition, zOf));
}

/** As ADV_CLIP_emb does where the options ask for it. */
export function normalised(prompt: WeightedPrompt, { weighting, normalisation }: PromptOptions): WeightedPrompt {
  return methods[weighting].normalises ? normaliseTokens(prompt, normalisation) : prompt;
}

type Prepared = Omit<PreparedPrompt, 'source' | 'loras' | 'chunks'>;

interface Reading {
  readonly options: PromptOptions;
  readonly tokenizer: Tokenizer;
  readonly role: Role;
  readonly embeddings: readonly Embedding[];
}

const prepare: Readonly<Record<Syntax, (prompt: string, reading: Reading) => Prepared>> = {
  a1111: prepareA1111,
  compel: prepareCompel,
  comfy: prepareComfy,
};

function prepareA1111(prompt: string, { options, tokenizer, role, embeddings }: Reading): Prepared {
  const { mask, steps, step, commaPaddingBacktrack, tokenizer: flavour } = options;
  const read = readA1111Prompt(prompt, { role });
  const stepped = stepA1111Prompt(read, {
    steps,
    emphasis: options.brackets === 'weights',
    ...(options.squareFactor === '0.9' && { squareFactor: lectureSquareFactor }),
  });
  const empty = weightedPrompt([emptyChunk(tokenizer)], mask);
  const named = embeddings.map(({ name, vectors }) => ({ name, vectors: vectors.length, rows: vectors }));
  const fitting = named.filter(({ vectors }) => vectors <= chunkLength);
  const chunk = ({ fragments }: ParsedPrompt) => {
    const made = chunkTokens(fragments, tokenizer, { flavour, commaPaddingBacktrack, embeddings: fitting });
    const chunks = made.chunks.map((one, i) => withFixes(one, i, made.fixes));
    return { ...made, chunks, weighted: weightedPrompt(chunks, mask) };
  };
  /** Steps with the same text share its parse, and so its chunks. */
  const chunked = new Map<ParsedPrompt, ReturnType<typeof chunk>>();
  const chunksOf = ({ parsed }: PromptStep) => {
    const known = chunked.get(parsed) ?? chunk(parsed);
    chunked.set(parsed, known);
    return known;
  };
  const current = stepped.parts.map((part) => entryAtCall(part.steps, step - 1));
  const texts = stepped.parts.map((part, i): PreparedText => {
    const { chunks, tokenCount, target, weighted } = chunksOf(current[i]);
    const others = part.steps.filter((entry) => entry !== current[i]);
    const batch = others.map((entry) => chunksOf(entry).weighted.chunks);
    const { start, end, weight } = read.parts[i];
    return {
      start,
      end,
      operator: read.parts.length > 1 ? 'AND' : null,
      weight,
      fragments: current[i].parsed.fragments,
      chunks,
      cut: [],
      tokenCount,
      target,
      weighted: normalised({ ...weighted, batch }, options),
      steps: part.steps,
    };
  });
  return {
    nodes: [...read.comments, ...read.networks, ...read.nodes, ...current.flatMap(({ parsed }) => parsed.nodes)],
    inactive: inactiveRanges(read.nodes, current),
    networks: [
      ...read.networks,
      ...current.flatMap((step) =>
        chunksOf(step).fixes.map(({ embedding, range }) => embeddingNode(embedding.name, range)),
      ),
    ],
    texts,
    conditionings: texts.map(({ weighted, weight }) => ({ weight, composition: single(weighted, empty) })),
    diagnostics: [...stepped.diagnostics, ...lintA1111(read, stepped)],
  };
}

/** Rows from `offset` on, BOS counted, as A1111 places them: where a comma moved the tokens on, they stay behind. */
function withFixes(
  chunk: TokenChunk,
  index: number,
  fixes: readonly EmbeddingFix<EmbeddingNames & { readonly rows: readonly Float32Array[] }>[],
): SourceChunk {
  const here = fixes.filter((fix) => fix.chunk === index);
  if (here.length === 0) return chunk;
  const rows = here.flatMap(({ embedding: { name, rows }, offset }) =>
    rows
      .map((vector, index): VectorRow => ({ row: offset + 1 + index, vector, name, index }))
      .filter(({ row }) => row < chunk.inputIds.length),
  );
  return withVectors(chunk, rows);
}

/** A vector of a textual inversion, and the row that it takes. */
interface VectorRow {
  readonly row: number;
  readonly vector: Float32Array;
  readonly name: string;
  readonly index: number;
}

function withVectors(chunk: SourceChunk, rows: readonly VectorRow[]): SourceChunk {
  const named = new Map(rows.map(({ row, name, index }) => [row, { name, index }]));
  return {
    ...chunk,
    tokens: chunk.tokens.map((token, row) => (named.has(row) ? { ...token, vector: named.get(row) } : token)),
    vectors: new Map(rows.map(({ row, vector }) => [row, vector])),
  };
}

function embeddingNode(name: string, { start, end }: Range): NetworkNode {
  return { type: 'network', kind: 'embedding', name, args: [], start, end };
}

/** What stands in a schedule or an alternation and not in the texts of this step. */
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

function prepareComfy(prompt: string, { options, tokenizer, embeddings }: Reading): Prepared {
  const { mask, comfyUnit: unit, tokenizer: flavour } = options;
  const parsed = parseComfy(prompt);
  const { nodes, fragments, diagnostics } = parsed;
  const byName = new Map(embeddings.map(({ name, vectors }) => [name, vectors]));
  const counts = new Map(embeddings.map(({ name, vectors }) => [name, vectors.length]));
  const tokens = comfyTokens(fragments, tokenizer, { unit, embeddings: counts }, flavour);
  const chunks = tokens.chunks.map((chunk): SourceChunk => {
    if (chunk.embedded.length === 0) return chunk;
    return withVectors(
      chunk,
      chunk.embedded.map(({ row, name, index }) => ({ row, name, index, vector: byName.get(name)![index] })),
    );
  });
  const weighted = normalised(weightedPrompt(chunks, mask), options);
  const text = { start: 0, end: prompt.length, operator: null, weight: 1, fragments, weighted, steps: [] };
  return {
    nodes,
    inactive: [],
    networks: networksOf(nodes),
    texts: [{ ...text, chunks, cut: [], ...counted(chunks, []) }],
    conditionings: [
      { weight: 1, composition: single(weighted, weightedPrompt(comfyTokens([], tokenizer).chunks, mask)) },
    ],
    diagnostics: [...diagnostics, ...lintComfy(parsed), ...tokens.diagnostics],
  };
}

function prepareCompel(prompt: string, { options, tokenizer, embeddings }: Reading): Prepared {
  const compelOptions = { ...compelPromptOptions(options), added: addedTokens(embeddings) };
  const parsed = parseCompel(prompt);
  const { nodes, parts, diagnostics } = parsed;
  const found: Diagnostic[] = [...diagnostics, ...lintCompel(parsed)];
  const texts: PreparedText[] = [];
  const addText = ({ fragments, start, end }: CompelPrompt, operator: PreparedText['operator'], weight: number) => {
    const tokens = compelTokens(fragments, tokenizer, compelOptions, options.tokenizer);
    const { chunks, cut } = tokens;
    found.push(...tokens.diagnostics);
    const weighted = normalised(weightedCompel(fragments, tokens, tokenizer, compelOptions), options);
    const counts = counted(chunks, cut);
    texts.push({ start, end, operator, weight, fragments, chunks, cut, ...counts, weighted, steps: [] });
    return weighted;
  };
  const compositionParts = parts.map(({ content, weight }) => {
    const blend: CompelBlend =
      content.kind === 'blend'
        ? content
        : { ...content, kind: 'blend', prompts: [content], weights: [1], normalise: false };
    if (content.kind === 'blend') found.push(blendDiagnostic(content));
    const operator = content.kind === 'blend' ? 'blend' : parts.length > 1 ? 'and' : null;
    const prompts = blend.prompts.map((one, i) =>
      addText(one, operator, operator === 'blend' ? blend.weights[i] : weight),
    );
    return { blend: { prompts, factors: blend.weights, normalise: blend.normalise }, weight };
  });
  return {
    nodes,
    inactive: [],
    networks: [...networksOf(nodes), ...texts.flatMap(addedNodes)],
    texts,
    conditionings: [
      { weight: 1, composition: { parts: compositionParts, empty: compelPrompt([], tokenizer, compelOptions) } },
    ],
    diagnostics: found,
  };
}

/** The added tokens that have rows, each time they do. */
function addedNodes({ chunks }: PreparedText): NetworkNode[] {
  const found = new Map<number, NetworkNode>();
  for (const { vector, range } of chunks.flatMap(({ tokens }) => tokens))
    if (vector && range) found.set(range.start, embeddingNode(vector.name, range));
  return [...found.values()];
}

export function compelPromptOptions({ mask, split, tokenizer }: PromptOptions): CompelPromptOptions {
  return { mask, truncate: split === 'cut', split: split === 'cut' ? 'SENTENCES' : split, tokenizer };
}

function single(prompt: WeightedPrompt, empty: WeightedPrompt): Composition {
  return { parts: [{ blend: { prompts: [prompt], factors: [1], normalise: false }, weight: 1 }], empty };
}

function networksOf(nodes: readonly Node[]): NetworkNode[] {
  return nodes.flatMap((node): NetworkNode[] => {
    switch (node.type) {
      case 'network':
        return [node];
      case 'weighted':
        return networksOf(node.children);
      case 'composite':
        return node.parts.flatMap(({ children }) => networksOf(children));
      default:
        return [];
    }
  });
}

/** Tokens typed, against what the chunks hold. */
function counted(chunks: readonly TokenChunk[], cut: readonly PromptToken[]) {
  const typed = chunks.map(({ tokens }) => tokens.filter(({ kind }) => kind === 'text').length);
  return {
    tokenCount: typed.reduce((sum, count) => sum + count, cut.length),
    target: chunks.length * (chunks[0].tokens.length - 2),
  };
}

function blendDiagnostic({ start, end }: Range): Diagnostic {
  return {
    code: 'blend-of-2.2.1',
    severity: 'info',
    message: 'Compel 2.3 and 2.4 stop at .blend() with an error; what is shown is what 2.2.1 makes of it.',
    start,
    end,
  };
}

function cutDiagnostics({ cut, target }: PreparedText): Diagnostic[] {
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
