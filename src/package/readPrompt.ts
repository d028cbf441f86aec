/** The readings that `clipscope/prompt` gives and `clipscope/lint` goes on from. */
import { type A1111Prompt, readA1111Prompt, type SteppedPrompt, stepA1111Prompt } from '../prompt/a1111/a1111Prompt.ts';
import { entryAtCall } from '../prompt/a1111/promptSchedule.ts';
import type { Diagnostic, Fragment, NetworkNode, Node, ParsedPrompt, Range } from '../prompt/ast.ts';
import { holdLength, holdParts, PromptBoundError } from '../prompt/bounds.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { type DynamicPrompt, readDynamicPrompt, seededChooser } from '../prompt/comfy/dynamicPrompt.ts';
import { pageMessages } from '../prompt/comfy/pageMessages.ts';
import { placed } from '../prompt/comfy/placed.ts';
import { type ParsedCompel, parseCompel } from '../prompt/compel/compelPrompt.ts';
import { byPlace } from '../prompt/diagnostics.ts';
import { networksOf } from '../prompt/networks.ts';
import type { Side } from '../prompt/side.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { checkedSyntax } from './checkedSyntax.ts';

export interface ParseOptions {
  /** Only a positive prompt is split at A1111's AND. By default `positive`. */
  readonly side?: Side;
  /** A1111: the sampling steps, by which its schedules are read. By default 20. */
  readonly steps?: number;
  /** A1111: the step, from 1, whose text `fragments` are of. By default 1. */
  readonly step?: number;
  /**
   * ComfyUI: `page` takes out comments and chooses from `{a|b}`, as its page does before it sends a prompt; `api` reads the
   * prompt as typed. By default `page`.
   */
  readonly comfyInput?: 'page' | 'api';
  /** ComfyUI's page: the seed of its choices. By default 0. */
  readonly choiceSeed?: number;
}

/** A text that is encoded by itself: a part of A1111's AND or of Compel's `.and()` and `.blend()`, else the whole prompt. */
export interface ReadingText extends Range {
  /** The operator that combines it with the other texts; null if it is the only one. */
  readonly operator: 'AND' | 'and' | 'blend' | null;
  /** How much it counts among the other texts. */
  readonly weight: number;
  /** Runs of text with one weight each, in order; what a tokenizer gets. */
  readonly fragments: readonly Fragment[];
  /** A1111: the stretches of steps, each up to its last step (from 1), with the fragments of its text. Empty in the other languages. */
  readonly steps: readonly { readonly endAtStep: number; readonly fragments: readonly Fragment[] }[];
}

/** A prompt as its program reads it. Every range is in UTF-16 units of what was typed. */
export interface PromptReading {
  readonly source: string;
  readonly syntax: Syntax;
  /** At least one. */
  readonly texts: readonly ReadingText[];
  /** The tree: weights, schedules, comments and so on, to highlight or to edit a prompt by. */
  readonly nodes: readonly Node[];
  /** LoRAs and embeddings that the prompt names. */
  readonly networks: readonly NetworkNode[];
  /** Diagnostics of what is not read as it may be meant, sorted by place. `lint` says more. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The prompt as its language's parser made it. */
export type Read =
  | { readonly syntax: 'a1111'; readonly prompt: A1111Prompt; readonly stepped: SteppedPrompt }
  | { readonly syntax: 'compel'; readonly parsed: ParsedCompel }
  | ComfyRead;

interface ComfyRead {
  readonly syntax: 'comfy';
  readonly source: string;
  /** The text that its page handed on, or the prompt as typed. */
  readonly parsed: ParsedPrompt;
  readonly dynamic?: DynamicPrompt;
}

interface ReadPrompt extends PromptReading {
  /** Null where the prompt was not read. */
  readonly read: Read | null;
}

/** Reads a prompt, and the empty prompt in the place of one that exceeds a bound. Throws RangeError. */
export function readPrompt(source: string, syntax: Syntax, options: ParseOptions): ReadPrompt {
  const read = readers[checkedSyntax(syntax)];
  try {
    holdLength(source);
    return { source, syntax, ...read(source, options) };
  } catch (error) {
    if (!(error instanceof PromptBoundError)) throw error;
    const { message } = error;
    const told: Diagnostic = { code: 'not-read', severity: 'error', start: 0, end: source.length, message };
    return { source, syntax, ...read('', options), diagnostics: [told], read: null };
  }
}

/** Gives a reading of what ComfyUI's page handed on, with its diagnostics replaced, the places of what was typed. */
export function onSource({ source, parsed, dynamic }: ComfyRead, diagnostics: readonly Diagnostic[]): ParsedPrompt {
  const read = { ...parsed, diagnostics };
  return dynamic && !dynamic.isAsTyped ? placed(read, dynamic.text, source) : read;
}

function wholeNumber(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`"${name}" is a whole number from ${least} to ${most}, not ${value}.`);
}

const readers: Readonly<
  Record<Syntax, (source: string, options: ParseOptions) => Omit<ReadPrompt, 'source' | 'syntax'>>
> = {
  a1111(source, { side = 'positive', steps: count = 20, step = 1 }) {
    const steps = wholeNumber('steps', count, 1, 150);
    const call = wholeNumber('step', step, 1, steps) - 1;
    const prompt = readA1111Prompt(source, { role: side });
    holdParts(prompt.parts.length);
    const stepped = stepA1111Prompt(prompt, { steps });
    return {
      texts: prompt.parts.map((part, i) => a1111Text(part, prompt.parts.length, stepped.parts[i], call)),
      nodes: [
        ...prompt.comments,
        ...prompt.networks,
        ...prompt.nodes,
        ...stepped.parts.flatMap((part) => entryAtCall(part.steps, call).parsed.nodes),
      ],
      networks: prompt.networks,
      diagnostics: stepped.diagnostics,
      read: { syntax: 'a1111', prompt, stepped },
    };
  },

  compel(source) {
    const parsed = parseCompel(source);
    const { nodes, parts, diagnostics } = parsed;
    const texts = parts.flatMap(({ content, weight }) =>
      content.kind === 'blend'
        ? content.prompts.map((prompt, i) => compelText(prompt, 'blend', content.weights[i]))
        : [compelText(content, parts.length > 1 ? 'and' : null, weight)],
    );
    holdParts(texts.length);
    return { texts, nodes, networks: networksOf(nodes), diagnostics, read: { syntax: 'compel', parsed } };
  },

  comfy(source, { comfyInput = 'page', choiceSeed = 0, side = 'positive' }) {
    const seed = wholeNumber('choiceSeed', choiceSeed, 0, 2 ** 32 - 1);
    // Both prompts choose for themselves.
    const dynamic =
      comfyInput === 'page'
        ? readDynamicPrompt(source, seededChooser(2 * seed + (side === 'positive' ? 0 : 1)))
        : undefined;
    const parsed = parseComfy(dynamic?.text.text ?? source);
    const read: ComfyRead = { syntax: 'comfy', source, parsed, ...(dynamic && { dynamic }) };
    const { nodes, fragments, diagnostics } = onSource(read, parsed.diagnostics);
    const { comments = [], choices = [] } = dynamic ?? {};
    return {
      texts: [{ start: 0, end: source.length, operator: null, weight: 1, fragments, steps: [] }],
      nodes: [...comments, ...choices, ...nodes],
      networks: networksOf(nodes),
      diagnostics: [...(dynamic ? pageMessages(dynamic) : []), ...diagnostics].sort(byPlace),
      read,
    };
  },
};

function a1111Text(
  { start, end, weight }: Range & { readonly weight: number },
  parts: number,
  { steps }: SteppedPrompt['parts'][number],
  call: number,
): ReadingText {
  return {
    start,
    end,
    weight,
    operator: parts > 1 ? 'AND' : null,
    fragments: entryAtCall(steps, call).parsed.fragments,
    steps: steps.map(({ endAtStep, parsed: { fragments } }) => ({ endAtStep, fragments })),
  };
}

function compelText(
  { start, end, fragments }: Range & { readonly fragments: readonly Fragment[] },
  operator: ReadingText['operator'],
  weight: number,
): ReadingText {
  return { start, end, operator, weight, fragments, steps: [] };
}
