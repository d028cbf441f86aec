/** The prompt on the road, before anything is encoded. */

import type { EncoderPass } from '../clip/encoderPass.ts';
import type { PromptStep } from '../prompt/a1111/a1111Prompt.ts';
import type { PromptLora } from '../prompt/a1111/extraNetworks.ts';
import type { Diagnostic, Fragment, NetworkNode, Node, Range } from '../prompt/ast.ts';
import type { DynamicPrompt } from '../prompt/comfy/dynamicPrompt.ts';
import type { Side } from '../prompt/side.ts';
import type { Slices } from '../prompt/slices.ts';
import type { ChunkedPrompt, PromptEmbedding, TokenChunk } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { WeightedPrompt } from '../weighting/method.ts';
import type { Composition } from './composition.ts';
import type { PromptOptions } from './options.ts';

/** A text that is encoded by itself: a part of A1111's AND or of Compel's .and() or .blend(), else the whole prompt. */
export interface PreparedText extends Range, Omit<ChunkedPrompt, 'diagnostics'> {
  /** Operator that combines it with the other texts; null if it is the only one. */
  readonly operator: 'AND' | 'and' | 'blend' | null;
  /** How much it counts among the other texts: A1111's guidance, Compel's weights. */
  readonly weight: number;
  readonly fragments: readonly Fragment[];
  readonly weighted: WeightedPrompt;
  /** A1111: the texts of a schedule, each with the last step (from 1) that it is for. Empty in the other languages. */
  readonly steps: readonly PromptStep[];
  /**
   * [chunks][L] The weights that the method applies: the typed ones, normalised if the options say so; 1 throughout if the
   * method applies none.
   */
  readonly applied: readonly Float64Array[];
}

/** One row of the encoder's input, and its place in the prompt. */
export interface PreparedChunk {
  readonly chunk: TokenChunk;
  readonly pass: EncoderPass;
  /** Index into the prompt's texts, and into that text's chunks. */
  readonly text: number;
  readonly index: number;
}

/** Result of a language's road; the rest of a prepared prompt follows from it. */
export interface RoadPrompt {
  /** Nodes to highlight. */
  readonly nodes: readonly Node[];
  /** Ranges that were typed and are not encoded at this step. */
  readonly inactive: readonly Range[];
  readonly networks: readonly NetworkNode[];
  readonly texts: readonly Omit<PreparedText, 'applied'>[];
  /** One conditioning for each part of an A1111 AND, else a single one. */
  readonly conditionings: readonly { readonly weight: number; readonly composition: Composition }[];
  /** Diagnostics of the parser, the linter and the chunker. */
  readonly diagnostics: readonly Diagnostic[];
  /** ComfyUI: the prompt as its page hands it on; missing where it goes to the API as typed. */
  readonly dynamic?: DynamicPrompt;
}

/** Everything known about a prompt before any model is loaded; the diagnostics are sorted by place. */
export interface PreparedPrompt extends RoadPrompt {
  readonly source: string;
  /** The sentence that says which bound the prompt exceeds (prompt/bounds.ts): all else is of the empty prompt then. Null where it is read. */
  readonly refusal: string | null;
  readonly texts: readonly PreparedText[];
  /** LoRAs that are to be merged into the text encoder, with their multipliers. */
  readonly loras: readonly PromptLora[];
  /** The chunks of all texts in a row. */
  readonly chunks: readonly PreparedChunk[];
}

/** Everything that a prompt is read with. */
export interface RoadInput {
  readonly options: PromptOptions;
  readonly tokenizer: Tokenizer;
  readonly side: Side;
  /** Textual inversions that the prompt may name. */
  readonly embeddings: readonly PromptEmbedding[];
}

/** The road of one language, from the prompt as typed to weighted chunks; it may be cut between its stages. Throws PromptBoundError and nothing else. */
export type LanguageRoad = (prompt: string, input: RoadInput) => Slices<RoadPrompt>;

/** Composes a single prompt: nothing is blended or joined. */
export function single(prompt: WeightedPrompt, empty: WeightedPrompt): Composition {
  return { parts: [{ blend: { prompts: [prompt], factors: [1], normalise: false }, weight: 1 }], empty };
}

/** A textual inversion's name in the prompt. */
export function embeddingNode(name: string, { start, end }: Range): NetworkNode {
  return { type: 'network', kind: 'embedding', name, args: [], start, end };
}
